"""`.ci/engine` in a network namespace of its own: what it starts, ends, and leaves as it was."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.integration.docker.engine import ROOT, eventually
from tests.integration.drivers.namespaces import Namespace


@dataclass(slots=True)
class Place:
    """A machine as far as an engine is concerned: a network, and folders to live in."""

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


@pytest.fixture
def place() -> Iterator[Place]:
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
        yield opened
        opened.engine("purge")
    network.close()


def test_what_start_began_is_gone_after_stop(place: Place) -> None:
    place.output("iptables", "-A", "FORWARD", "-p", "tcp", "--dport", "9", "-j", "ACCEPT")
    before = place.look()
    place.started()
    assert "started by .ci/engine" in place.engine("status").stderr
    place.output("docker", "network", "create", "one")
    during = place.look()
    assert {name for name, seen in during.items() if seen != before[name]} == set(before)
    stopped = place.engine("stop")
    assert stopped.returncode == 0, stopped.stderr
    assert place.look() == before
    assert place.processes() == []
    assert {path.name for path in place.folder.iterdir()} == {"data"}
    assert place.engine("status").returncode == 3


def test_a_killed_engine_is_cleared_away_too(place: Place) -> None:
    before = place.look()
    pid = place.started()
    place.output("docker", "network", "create", "one")
    os.kill(pid, signal.SIGKILL)
    stopped = place.engine("stop")
    assert stopped.returncode == 0, stopped.stderr
    assert place.look() == before
    assert eventually(lambda: place.processes() == [])
    assert place.engine("purge").returncode == 0
    assert list(place.folder.iterdir()) == []


def test_an_engine_that_answers_is_left_alone(place: Place) -> None:
    pid = place.started()
    elsewhere = {
        "ENGINE_STATE": str(place.folder / "other-state"),
        "ENGINE_DATA": str(place.folder / "other-data"),
    }
    again = place.engine("start", **elsewhere)
    assert again.returncode == 0
    assert "it is left as it is" in again.stderr
    assert "not started by .ci/engine" in place.engine("status", **elsewhere).stderr
    assert "nothing to stop" in place.engine("stop", **elsewhere).stderr
    assert place.engine("status").returncode == 0
    os.kill(pid, 0)


def test_a_process_under_a_number_used_again_is_not_ended(place: Place) -> None:
    place.state.mkdir()
    with subprocess.Popen(["cat"], stdin=subprocess.PIPE) as stranger:
        (place.state / "process").write_text(f"{stranger.pid} 12345\n")
        assert place.engine("stop").returncode == 0
        assert stranger.poll() is None
    assert not place.state.exists()


def test_a_socket_of_somebody_else_stops_it_from_starting(place: Place) -> None:
    place.socket.write_text("")
    refused = place.engine("start")
    assert refused.returncode == 1
    assert f"{place.socket} is there and nobody answers" in refused.stderr
    place.engine("stop")
    assert place.socket.exists()
    assert place.processes() == []


def test_an_engine_named_elsewhere_is_not_replaced(place: Place) -> None:
    refused = place.engine("start", DOCKER_HOST="unix:///nowhere.sock")
    assert refused.returncode == 1
    assert "nothing answers there" in refused.stderr
    assert not place.state.exists()
