"""Nobody above IP knows about Lokinet: the programs, their resolver and their command lines.

The proof is taken from the running processes, not from what the topology says. Faults that turn
these red stand in docs/testing.md.
"""

from __future__ import annotations

import functools
import hashlib
import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.integration.network.pages import Downloading, offer
from tests.integration.network.real import Network
from tests.integration.orchestrator.command import until

RATE = "1M"
OUR_WORDS = ("lokinet", "127.3.2.1", "172.16.", "proxy", "socks")
"""What a program would be told that had to know about Lokinet; an address is only a host name."""
FOREIGN_LIBRARIES = ("LD_PRELOAD", "LD_LIBRARY_PATH", "LD_AUDIT")


@contextmanager
def process_of(network: Network, node: str, *argv: str) -> Iterator[int]:
    """A program run by a person in a node; its pid on the host."""
    process = network.begin(node, *argv)
    try:
        until(f"{argv[0]} runs", lambda: bool(find(network, argv[0])))
        yield find(network, argv[0])[0]
    finally:
        process.terminate()
        process.communicate(timeout=10)


def find(network: Network, program: str) -> list[int]:
    """Host pids of a program in the network's world."""
    network.note_processes()
    executables = {pid: target(Path(f"/proc/{pid}/exe")) for pid in network.handles}
    wanted = shutil.which(program)
    return [pid for pid, executable in executables.items() if executable == wanted]


@pytest.fixture(scope="module")
def running(testnet: Network) -> Iterator[dict[str, int]]:
    """One process of each program that a person or a service uses here, by its name."""
    name = testnet.addresses["web"]
    page = offer(testnet, "slow", 60)
    with (
        Downloading(testnet, "alice", page, RATE) as download,
        process_of(testnet, "alice", "ping", "-i", "0.2", name) as ping,
    ):
        until("bytes come", lambda: download.is_under_way(), within_s=30)
        (curl,) = find(testnet, "curl")
        nginx = find(testnet, "nginx")
        assert len(nginx) == 2, "a master and a worker"
        yield {"curl": curl, "ping": ping, "nginx": nginx[0], "nginx worker": nginx[1]}


PROGRAMS = ("curl", "ping", "nginx", "nginx worker")


@pytest.mark.parametrize("program", PROGRAMS)
def test_every_file_it_runs_is_the_distributions(running: dict[str, int], program: str) -> None:
    """The executable and every library mapped, libc with its resolver among them, unchanged."""
    files = mapped_files(running[program])
    assert any(Path(file).name.startswith("libc.so") for file in files), files
    shipped = shipped_digests(files)
    assert files - set(shipped) == set(), "no package brought these"
    assert {file: digest(file) for file in files} == shipped


@pytest.mark.parametrize("program", PROGRAMS)
def test_its_command_line_and_environment_know_nothing(
    testnet: Network, running: dict[str, int], program: str
) -> None:
    arguments = strings(running[program], "cmdline")
    for address in testnet.addresses.values():
        arguments = [argument.replace(address, "HOST") for argument in arguments]
    told = " ".join(arguments).lower()
    assert [word for word in OUR_WORDS if word in told] == [], told
    environment = dict(entry.partition("=")[::2] for entry in strings(running[program], "environ"))
    assert [name for name in environment if name in FOREIGN_LIBRARIES] == []
    assert [name for name in environment if name.lower().endswith("_proxy")] == []


def test_the_resolver_is_told_in_the_one_usual_file(testnet: Network) -> None:
    told = testnet.execute("alice", "cat", "/etc/resolv.conf").stdout
    assert told == "nameserver 127.3.2.1\n"
    inside = testnet.execute("alice", "cat", "/etc/nsswitch.conf").stdout
    assert inside == Path("/etc/nsswitch.conf").read_text()


def mapped_files(pid: int) -> set[str]:
    """Every file whose code a process can run."""
    lines = Path(f"/proc/{pid}/maps").read_text().splitlines()
    fields = [line.split(maxsplit=5) for line in lines]
    return {field[5] for field in fields if len(field) == 6 and "x" in field[1] and "/" in field[5]}


def shipped_digests(files: set[str]) -> dict[str, str]:
    """What dpkg says of each file that came with a package: its md5 as it was shipped."""
    # Where /lib is a link to /usr/lib, packages may know a file by the shorter path.
    asked = {path: file for file in files for path in (file, file.removeprefix("/usr"))}
    command = ["dpkg", "-S", *asked]
    owned = subprocess.run(command, capture_output=True, text=True, check=False).stdout
    found = {}
    for line in owned.splitlines():
        packages, _, path = line.rpartition(": ")
        for shipped, known in digests_of(packages.split(", ")[0]).items():
            if shipped == path:
                found[asked[path]] = known
    return found


@functools.cache
def digests_of(package: str) -> dict[str, str]:
    command = ["dpkg-query", "--control-path", package, "md5sums"]
    control = subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    pairs = (line.split(maxsplit=1) for line in Path(control).read_text().splitlines())
    return {f"/{path}": known for known, path in pairs}


def digest(file: str) -> str:
    return hashlib.md5(Path(file).read_bytes(), usedforsecurity=False).hexdigest()


def strings(pid: int, file: str) -> list[str]:
    return Path(f"/proc/{pid}/{file}").read_bytes().decode().split("\0")[:-1]


def target(link: Path) -> str:
    try:
        return os.readlink(link)
    except OSError:
        return ""
