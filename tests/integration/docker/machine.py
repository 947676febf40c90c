"""A machine as far as an engine is concerned: a network, and folders to live in."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.integration.docker.engine import ROOT
from tests.integration.drivers.namespaces import Namespace


@dataclass(slots=True)
class Place:
    """Where an engine of `.ci/engine` may run, beside the one of this machine."""

    network: Namespace
    folder: Path

    @property
    def socket(self) -> Path:
        return self.folder / "sock"

    @property
    def state(self) -> Path:
        return self.folder / "state"

    @property
    def data(self) -> Path:
        return self.folder / "data"

    def run(self, *argv: str, **environment: str) -> subprocess.CompletedProcess[str]:
        here = {
            "ENGINE_SOCKET": str(self.socket),
            "ENGINE_STATE": str(self.state),
            "ENGINE_DATA": str(self.data),
            "DOCKER_HOST": f"unix://{self.socket}",
        }
        return subprocess.run(
            ["nsenter", f"--net=/proc/{self.network.pid}/ns/net", *argv],
            cwd=ROOT,
            env={**os.environ, **here, **environment},
            capture_output=True,
            text=True,
            check=False,
        )

    def engine(self, verb: str, **environment: str) -> subprocess.CompletedProcess[str]:
        return self.run(".ci/engine", verb, **environment)

    def started(self) -> int:
        """Start it; the process id."""
        done = self.engine("start")
        assert done.returncode == 0, done.stderr
        return int((self.state / "process").read_text().split()[0])

    def output(self, *argv: str) -> str:
        done = self.run(*argv)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def look(self) -> dict[str, str]:
        """All that an engine changes in a network."""
        rules = [
            line
            for command in ("iptables-save", "ip6tables-save")
            for line in self.output(command).splitlines()
            if line.startswith(("-A", ":"))
        ]
        return {
            "links": self.output("ip", "-o", "link", "show"),
            "rules": "\n".join(line.partition(" [")[0] for line in rules),
            "forwarding": self.output("sysctl", "-n", "net.ipv4.ip_forward"),
            "tables": self.output("nft", "list", "tables"),
        }

    def processes(self) -> list[str]:
        """Whatever runs with a folder of ours in its command line."""
        found = []
        for path in Path("/proc").glob("[0-9]*/cmdline"):
            try:
                line = path.read_bytes().replace(b"\0", b" ").decode(errors="replace")
            except OSError:
                continue
            if str(self.folder) in line:
                found.append(line)
        return found


@contextmanager
def machine() -> Iterator[Place]:
    """Until the block ends; what runs in it then is ended by `.ci/engine purge`."""
    for program in ("dockerd", "docker", "iptables", "nft"):
        if shutil.which(program) is None:
            pytest.skip(f"no {program} here: sudo .ci/setup engine and .ci/setup test install it")
    network = Namespace()
    # a new network inherits this one from the machine's first, where an engine may have set it
    forwarding = ["sysctl", "-qw", "net.ipv4.ip_forward=0"]
    # not tmp_path: an engine's sockets lie deep, and their paths end at 107 bytes
    with tempfile.TemporaryDirectory(prefix="engine-", dir="/tmp") as folder:
        opened = Place(network, Path(folder))
        opened.output(*forwarding)
        try:
            yield opened
        finally:
            opened.engine("purge")
            network.close()
