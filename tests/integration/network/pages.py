"""Pages to download: every line of one is numbered and holds a marker that nothing else has."""

from __future__ import annotations

import hashlib
import os
import subprocess
import tempfile
import threading
from dataclasses import dataclass
from types import TracebackType

from tests.integration.network.real import Network

MARKER = "testnet-page-marker-c1f06b"
"""Must never be seen on the underlay."""
WEB_ROOT = "/run/testnet/nginx/www"
LINE = 40
BLOCK = 1 << 16
"""Bytes taken from curl at once: what a pipe holds."""


@dataclass(frozen=True, slots=True)
class Download:
    """A page that nginx serves."""

    url: str
    size: int
    sha256: str


def offer(network: Network, name: str, megabytes: int) -> Download:
    """Put a page of numbered lines into the web root of `web`, through `testnet exec`."""
    count = megabytes * 1_000_000 // LINE
    lines = (f"{MARKER} {number:012d}\n" for number in range(count))
    content = "".join(lines).encode()
    with tempfile.TemporaryFile() as file:
        file.write(content)
        file.seek(0)
        script = 'umask 022 && cat > "$0"'
        result = network.execute("web", "sh", "-c", script, f"{WEB_ROOT}/{name}", stdin=file)
    assert result.returncode == 0, result.stderr
    return Download(network.url(name), len(content), hashlib.sha256(content).hexdigest())


class Downloading:
    """Debian's curl fetching a page beside the test; `rate` as curl's --limit-rate takes it."""

    def __init__(
        self,
        network: Network,
        client: str,
        page: Download,
        rate: str | None = None,
        taken: int | None = None,
    ) -> None:
        """Begin.

        Args:
            network: where.
            client: who fetches.
            page: what.
            rate: never faster.
            taken: bytes per second that are taken from curl until `finish`: so that the download
                lasts as long as the test looks at it, however slow the machine is just now.
        """
        self.page = page
        self.arrived = 0
        """Bytes taken."""
        self._digest = hashlib.sha256()
        self._pause_s = 0.0 if taken is None else BLOCK / taken
        self._hurry = threading.Event()
        limit = [] if rate is None else ["--limit-rate", rate]
        argv = ["curl", "-sSf", "-N", *limit, page.url]  # -N: what came is seen at once
        self.process: subprocess.Popen[str] = network.begin(client, *argv)
        self._taking = threading.Thread(target=self._take)
        self._taking.start()

    def _take(self) -> None:
        assert self.process.stdout is not None
        while block := os.read(self.process.stdout.fileno(), BLOCK):
            self._digest.update(block)
            self.arrived += len(block)
            self._hurry.wait(self._pause_s * len(block) / BLOCK)

    def __enter__(self) -> Downloading:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.process.kill()
        self._ended()

    def _ended(self, within_s: float | None = None) -> str:
        """Wait until everything is taken and curl is gone; its complaints."""
        self._hurry.set()
        self._taking.join(within_s)
        assert not self._taking.is_alive(), f"{self.arrived} bytes after {within_s} s"
        return self.process.communicate(timeout=within_s)[1]

    def is_under_way(self, least: int = 1) -> bool:
        """Whether that many bytes are there and more are to come; the download must not fail."""
        if not self._taking.is_alive() and self.arrived < self.page.size:
            raise AssertionError(f"curl ended after {self.arrived} bytes: {self._ended()}")
        return least <= self.arrived < self.page.size

    def finish(self, within_s: float) -> None:
        """Wait for the end: curl is content and the page is what nginx has."""
        complaints = self._ended(within_s)
        assert self.process.returncode == 0, complaints
        assert self.arrived == self.page.size
        assert self._digest.hexdigest() == self.page.sha256
