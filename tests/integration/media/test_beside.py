"""Programs of this machine in a node's network: what they see of it, and that nothing stays.

Faults that turn these red stand in docs/testing.md.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from orchestrator.backends import Backend, Running, captured, clean_environment
from orchestrator.backends.opening import open_backend
from orchestrator.directories import Places
from orchestrator.errors import CheckFailed
from tests.integration.network.real import Network, new_network
from tests.integration.orchestrator.command import until

pytestmark = pytest.mark.anywhere

PAIR = """\
name: pair
hops: 2
nodes:
  router: {role: router, count: 2}
  alice: {role: client}
"""
WITHIN_S = 20.0
"""Ten times what a program takes to begin on a busy machine."""
MANY = "setsid sleep {0} & (setsid sleep {0} &) ; sleep {0}"
"""A program whose children leave its process group, and one its family."""


@pytest.fixture(scope="module")
def pair() -> Iterator[Network]:
    with new_network("pair") as network:
        network.up(network.configure(PAIR))
        yield network


@pytest.fixture(scope="module")
def backend(pair: Network) -> Iterator[Backend]:
    places = Places(pair.name, pair.state / pair.name, pair.runtime / pair.name)
    opened = open_backend(places)
    yield opened
    opened.close()


def said(backend: Backend, *argv: str) -> str:
    """Of a program that ended well."""
    result = captured(backend, "alice", argv, WITHIN_S, is_guest=True)
    assert result.code == 0, result
    return result.out


def sleepers(seconds: int) -> list[int]:
    """Every process that sleeps for so long."""
    wanted = f"sleep\0{seconds}\0".encode()
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            if path.read_bytes() == wanted:
                found.append(int(path.parent.name))
        except OSError:
            continue
    return found


@contextmanager
def many(backend: Backend, seconds: int) -> Iterator[Running]:
    """Three of them at work."""
    nothing = os.open(os.devnull, os.O_RDWR)
    argv = ["sh", "-c", MANY.format(seconds)]
    running = backend.beside("alice", argv, (nothing, nothing, nothing), clean_environment())
    try:
        until("three sleep", lambda: len(sleepers(seconds)) == 3, WITHIN_S)
        yield running
    finally:
        running.close()
        os.close(nothing)


def test_it_is_in_the_nodes_network_with_this_machines_files(
    backend: Backend, tmp_path: Path
) -> None:
    assert said(backend, "cat", "/etc/resolv.conf") == "nameserver 127.3.2.1\n"
    links = said(backend, "ip", "-o", "-brief", "link").split("\n")
    assert sorted(link.split("@")[0].split()[0] for link in links if link) == [
        "eth0",
        "lo",
        "lokitun0",
    ]
    (tmp_path / "here").write_text("yes")
    assert said(backend, "cat", str(tmp_path / "here")) == "yes"
    assert said(backend, sys.executable, "-c", "print('python')") == "python\n"
    sockets = said(backend, "find", "/run", "-maxdepth", "3", "-type", "s").split()
    assert not [path for path in sockets if not path.startswith("/run/lokinet-testnet")]


def test_the_machine_itself_is_as_it_was(backend: Backend) -> None:
    before = Path("/etc/resolv.conf").read_text(), Path("/proc/self/mountinfo").read_text()
    said(backend, "true")
    assert (Path("/etc/resolv.conf").read_text(), Path("/proc/self/mountinfo").read_text()) == (
        before
    )


def test_it_ends_as_it_ends(backend: Backend) -> None:
    def code(script: str) -> int:
        return captured(backend, "alice", ["sh", "-c", script], WITHIN_S, is_guest=True).code

    assert [code("exit 7"), code("kill -9 $$"), code("kill -SEGV $$")] == [7, -9, -11]
    with pytest.raises(CheckFailed, match="no program 'no-such-program' on this machine"):
        said(backend, "no-such-program")


@pytest.mark.parametrize("way", ["asked", "killed", "let go", "deaf"])
def test_whatever_it_started_ends_with_it(backend: Backend, way: str) -> None:
    seconds = 4200 + len(way)
    with many(backend, seconds) as running:
        if way == "asked":
            running.signal(signal.SIGTERM)
            assert running.wait(WITHIN_S) == -signal.SIGTERM
        elif way == "killed":
            running.signal(signal.SIGKILL)
            assert running.wait(WITHIN_S) == -signal.SIGKILL
        elif way == "deaf":
            (deaf, *_) = sleepers(seconds)
            os.kill(deaf, signal.SIGSTOP)
    until("nobody sleeps", lambda: not sleepers(seconds), WITHIN_S)


def test_it_ends_with_a_caller_that_is_killed(pair: Network) -> None:
    script = (
        "import os, signal, sys\n"
        "from pathlib import Path\n"
        "from orchestrator.backends import clean_environment\n"
        "from orchestrator.backends.opening import open_backend\n"
        "from orchestrator.directories import Places\n"
        "places = Places(sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3]))\n"
        "argv = ['sh', '-c', sys.argv[4]]\n"
        "running = open_backend(places).beside('alice', argv, (0, 1, 2), clean_environment())\n"
        "signal.pause()\n"
    )
    words = [pair.name, str(pair.state / pair.name), str(pair.runtime / pair.name)]
    caller = subprocess.Popen(
        [sys.executable, "-c", script, *words, MANY.format(4299)],
        env=pair.env,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
    )
    try:
        until("three sleep", lambda: len(sleepers(4299)) == 3, WITHIN_S)
    finally:
        caller.kill()
        caller.wait()
    until("nobody sleeps", lambda: not sleepers(4299), WITHIN_S)
