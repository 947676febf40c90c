"""What a network of real nodes leaves behind: nothing, however it ends.

`tests/integration/orchestrator` has the many ways to interrupt a network of stand-ins; here are the
three ends a person meets, with the nodes, tuns and nginx that are shipped. Faults that turn these
red stand in docs/testing.md.
"""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.integration.network.real import Network
from tests.integration.orchestrator.command import host_state, until

NAMES = ("alice", "web", "router-1", "underlay", "testnet")
"""A stranger uses all the names a network uses inside."""
STRANGER = f"""
mount --make-rprivate / && mount -t tmpfs none /run && hostname alice || exit 1
for name in {" ".join(NAMES)}; do ip netns add $name || exit 1; done
ip link add underlay type bridge && ip link add veth1 type veth peer name eth0 || exit 1
ip tuntap add lokitun0 mode tun && echo up && exec cat
"""
KINDS = ("net", "mnt", "uts", "pid", "ipc", "user")


@pytest.fixture
def stranger() -> Iterator[int]:
    """Somebody else's namespaces, named, with links named, like a network's; a pid in them."""
    process = subprocess.Popen(
        ["unshare", "-n", "-m", "-u", "sh", "-c", STRANGER],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == b"up\n"
    yield process.pid
    process.communicate()


def test_down_leaves_the_host_and_strangers_as_they_were(
    own_testnet: Network, stranger: int
) -> None:
    """The command sees the stranger's named namespaces: it runs among the stranger's mounts."""
    host, theirs = host_state(), belongings(stranger)
    among = ("nsenter", f"--mount=/proc/{stranger}/ns/mnt")
    name = ("--name", own_testnet.name)
    up = own_testnet.run("up", "default", *name, prefix=among)
    assert up.returncode == 0, up.stderr
    assert "page     200 " in up.stdout
    made = made_by(own_testnet)
    assert host_state() == host, "a network that is up shows on the host"
    down = own_testnet.run("down", *name, prefix=among)
    assert down.returncode == 0, down.stderr
    assert "nothing is left" in down.stdout
    assert own_testnet.leftovers() == []
    assert made.holders() == {}
    assert host_state() == host
    assert belongings(stranger) == theirs


def test_ctrl_c_while_nodes_are_made_leaves_nothing(own_testnet: Network) -> None:
    host = host_state()
    process = own_testnet.start("up", "default", "--name", own_testnet.name)
    noted = own_testnet.runtime / own_testnet.name / "world.json"
    until("there is a world", lambda: noted.exists() and noted.read_text().endswith("}"))
    interrupt(own_testnet, process)
    assert host_state() == host


def test_ctrl_c_while_it_waits_for_nodes_leaves_nothing(own_testnet: Network) -> None:
    host = host_state()
    process = own_testnet.start("up", "default", "--name", own_testnet.name)
    assert process.stderr is not None
    while "changes made in" not in (line := process.stderr.readline()):
        assert line, "up ended early"
    interrupt(own_testnet, process)
    assert host_state() == host


def interrupt(network: Network, process: subprocess.Popen[str]) -> None:
    """Ctrl-C to `up`, and all it had made is gone."""
    network.note_processes()
    made = made_by(network)
    os.killpg(process.pid, signal.SIGINT)
    _, complaints = process.communicate(timeout=20)
    assert process.returncode == 130, complaints
    assert network.leftovers() == []
    assert made.holders() == {}


def test_killing_the_world_ends_all_but_files_and_down_removes_those(
    own_testnet: Network, stranger: int
) -> None:
    host, theirs = host_state(), belongings(stranger)
    own_testnet.up()
    made = made_by(own_testnet)
    assert len(own_testnet.handles) >= 13, "the world, eleven nodes and nginx"
    pid = own_testnet.world_pid(own_testnet.name)
    handle = os.pidfd_open(pid)
    os.kill(pid, signal.SIGKILL)
    assert select.select([handle], [], [], 10)[0], "the world survived SIGKILL"
    os.close(handle)
    left = own_testnet.leftovers()
    assert any(entry.endswith("/service.key") for entry in left), "keys should still be there"
    assert [entry for entry in left if not entry.startswith("file ")] == []
    until("its namespaces are gone", lambda: made.holders() == {})
    assert host_state() == host
    down = own_testnet.run("down")
    assert down.returncode == 0, down.stderr
    assert "only files were left" in down.stdout
    assert own_testnet.leftovers() == []
    assert belongings(stranger) == theirs


def belongings(stranger: int) -> dict[str, str]:
    """What a stranger has: namespaces, names, links."""
    inside = ["nsenter", f"--target={stranger}", "--mount", "--net", "--uts"]
    commands = {
        "names": ["ip", "netns", "list"],
        "links": ["ip", "-o", "link"],
        "host name": ["hostname"],
        "mounts": ["cat", "/proc/self/mountinfo"],
        "files": ["find", "/run"],
    }
    found = {
        what: subprocess.run([*inside, *command], capture_output=True, text=True, check=True).stdout
        for what, command in commands.items()
    }
    return found | {kind: os.readlink(f"/proc/{stranger}/ns/{kind}") for kind in KINDS}


@dataclass(frozen=True, slots=True)
class Made:
    """Namespaces of a network, as `net:[…]`, and when they were looked up.

    Their numbers are given out again. So whoever started later is not of this network: what a
    network starts while it is ended is found by its command line.
    """

    namespaces: frozenset[str]
    ticks: int
    """Since boot, as process start times."""

    def holders(self) -> dict[str, list[str]]:
        """Who still keeps one of them alive: processes in it, descriptors of it; no zombies."""
        found: dict[str, list[str]] = {}
        for process in Path("/proc").iterdir():
            if not process.name.isdigit() or not target(process / "exe"):
                continue
            held = (namespaces_of(process) | opened_by(process)) & self.namespaces
            if held and started(process) <= self.ticks:
                found[process.name] = sorted(held)
        return found


def made_by(network: Network) -> Made:
    """Every namespace that a process of the world is in and we are not."""
    ours = namespaces_of(Path("/proc/self"))
    inside = {
        namespace for pid in network.handles for namespace in namespaces_of(Path("/proc", str(pid)))
    }
    assert inside - ours, "no world was seen"
    seconds = time.clock_gettime(time.CLOCK_BOOTTIME)
    return Made(frozenset(inside - ours), int(seconds * os.sysconf("SC_CLK_TCK")))


def started(process: Path) -> int:
    """Field 22 of proc_pid_stat(5); never, where the process has just ended: it holds nothing."""
    try:
        return int((process / "stat").read_text().rpartition(")")[2].split()[19])
    except OSError:
        return sys.maxsize


def namespaces_of(process: Path) -> set[str]:
    return {link for kind in KINDS if (link := target(process / "ns" / kind))}


def opened_by(process: Path) -> set[str]:
    try:
        return {target(entry) for entry in (process / "fd").iterdir()}
    except OSError:
        return set()  # it has just ended


def target(link: Path) -> str:
    try:
        return os.readlink(link)
    except OSError:
        return ""
