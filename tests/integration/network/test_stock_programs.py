"""Nobody above IP knows about Lokinet: the programs, their resolver and their command lines.

The proof is taken from the running processes, not from what the topology says. Faults that turn
these red stand in docs/testing.md.
"""

from __future__ import annotations

import functools
import hashlib
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.integration.network.pages import Downloading, offer
from tests.integration.network.real import Network
from tests.integration.orchestrator.command import BACKEND, until

pytestmark = pytest.mark.anywhere

RATE = 1_000_000
SHIPPED_ORDER = "/usr/share/libc-bin/nsswitch.conf"
"""What an image has; the machine's own may have been changed by whoever runs it."""
OUR_WORDS = ("lokinet", "127.3.2.1", "172.16.", "proxy", "socks")
"""What a program would be told that had to know about Lokinet; an address is only a host name."""
FOREIGN_LIBRARIES = ("LD_PRELOAD", "LD_LIBRARY_PATH", "LD_AUDIT")


@contextmanager
def process_of(network: Network, node: str, *argv: str) -> Iterator[int]:
    """A program run by a person in a node; its pid on the host."""
    process = network.begin(node, *argv)
    try:
        until(f"{argv[0]} runs", lambda: bool(find(network, node, argv[0])))
        yield find(network, node, argv[0])[0]
    finally:
        process.terminate()
        process.communicate(timeout=10)


def find(network: Network, node: str, program: str) -> list[int]:
    """Host pids of a program in a node's network namespace, the oldest first."""
    owner = next(row["pid"] for row in network.programs() if row["node"] == node)
    namespace = target(Path(f"/proc/{owner}/ns/net"))
    processes = [path for path in Path("/proc").iterdir() if path.name.isdigit()]
    inside = [path for path in processes if target(path / "ns/net") == namespace]
    wanted = shutil.which(program)
    return sorted(int(path.name) for path in inside if target(path / "exe") == wanted)


@pytest.fixture(scope="module")
def running(testnet: Network) -> Iterator[dict[str, int]]:
    """One process of each program that a person or a service uses here, by its name."""
    name = testnet.addresses["web"]
    page = offer(testnet, "slow", 60)
    with (
        Downloading(testnet, "alice", page, taken=RATE) as download,
        process_of(testnet, "alice", "ping", "-i", "0.2", name) as ping,
    ):
        until("bytes come", lambda: download.is_under_way(), within_s=30)
        (curl,) = find(testnet, "alice", "curl")
        nginx = find(testnet, "web", "nginx")
        assert len(nginx) == 2, "a master and a worker"
        yield {"curl": curl, "ping": ping, "nginx": nginx[0], "nginx worker": nginx[1]}


PROGRAMS = ("curl", "ping", "nginx", "nginx worker")


@pytest.mark.parametrize("program", PROGRAMS)
def test_every_file_it_runs_is_the_distributions(running: dict[str, int], program: str) -> None:
    """The executable and every library mapped, libc with its resolver among them, unchanged."""
    files = mapped_files(running[program])
    assert any(Path(file).name.startswith("libc.so") for file in files), files
    root = Path(f"/proc/{running[program]}/root")
    shipped = shipped_digests(root)
    assert files - set(shipped) == set(), "no package brought these"
    assert {file: digest(root, file) for file in files} == {file: shipped[file] for file in files}


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
    order, shipped = (
        testnet.execute("alice", "sed", "-n", "/^hosts:/p", file).stdout
        for file in ("/etc/nsswitch.conf", SHIPPED_ORDER)
    )
    assert order.split()[:2] == ["hosts:", "files"]
    assert order == (hosts_line() if BACKEND == "netns" else shipped)


def hosts_line() -> str:
    """Of this machine."""
    lines = Path("/etc/nsswitch.conf").read_text().splitlines(keepends=True)
    return next(line for line in lines if line.startswith("hosts:"))


def mapped_files(pid: int) -> set[str]:
    """Every file whose code a process can run."""
    lines = Path(f"/proc/{pid}/maps").read_text().splitlines()
    fields = [line.split(maxsplit=5) for line in lines]
    return {field[5] for field in fields if len(field) == 6 and "x" in field[1] and "/" in field[5]}


@functools.cache
def shipped_digests(root: Path) -> dict[str, str]:
    """What the packages installed under a root say of their files: md5 as they were shipped."""
    found = {}
    for package in (root / "var/lib/dpkg/info").glob("*.md5sums"):
        for line in package.read_text().splitlines():
            known, path = line.split(maxsplit=1)
            found[f"/{path}"] = known
            if path.startswith(("bin/", "sbin/", "lib")):  # links into /usr nowadays
                found[f"/usr/{path}"] = known
    return found


def digest(root: Path, file: str) -> str:
    content = Path(f"{root}{file}").read_bytes()
    return hashlib.md5(content, usedforsecurity=False).hexdigest()


def strings(pid: int, file: str) -> list[str]:
    return Path(f"/proc/{pid}/{file}").read_bytes().decode().split("\0")[:-1]


def target(link: Path) -> str:
    try:
        return os.readlink(link)
    except OSError:
        return ""
