"""Pages to download: every line of one is numbered and holds a marker that nothing else has."""

from __future__ import annotations

import hashlib
import subprocess
import tempfile
from dataclasses import dataclass
from types import TracebackType

from tests.integration.network.real import Network

MARKER = "testnet-page-marker-c1f06b"
"""Must never be seen on the underlay."""
WEB_ROOT = "/run/testnet/nginx/www"
LINE = 40


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
        self, network: Network, client: str, page: Download, rate: str | None = None
    ) -> None:
        self.page = page
        self.file = network.root / f"{client}.download"
        limit = [] if rate is None else ["--limit-rate", rate]
        argv = ["curl", "-sSf", *limit, "-o", str(self.file), page.url]
        self.process: subprocess.Popen[str] = network.begin(client, *argv)

    def __enter__(self) -> Downloading:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.process.kill()
        self.process.communicate()
        self.file.unlink(missing_ok=True)

    @property
    def arrived(self) -> int:
        """Bytes on disk."""
        return self.file.stat().st_size if self.file.exists() else 0

    def is_under_way(self, least: int = 1) -> bool:
        """Whether that many bytes are there and more are to come; the download must not fail."""
        if self.process.poll() is not None:
            raise AssertionError(f"curl ended early: {self.process.communicate()}")
        return least <= self.arrived < self.page.size

    def finish(self, within_s: float) -> None:
        """Wait for the end: curl is content and the page is what nginx has."""
        _, complaints = self.process.communicate(timeout=within_s)
        assert self.process.returncode == 0, complaints
        content = self.file.read_bytes()
        assert len(content) == self.page.size
        assert hashlib.sha256(content).hexdigest() == self.page.sha256
