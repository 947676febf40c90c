"""The fork server. Red when children keep the parent's descriptors, or share its randomness."""

from __future__ import annotations

import array
import json
import os
import socket
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

KINDS = ("net", "uts", "mnt")


class Nursery:
    """A running one, and what its children wrote."""

    def __init__(self, directory: Path) -> None:
        self.log = directory / "children.log"
        self.log.touch()
        self.asked, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.asked.settimeout(30)
        command = [sys.executable, "-m", "lokinet_node.nursery"]
        self.process = subprocess.Popen(command, stdin=theirs.fileno())
        theirs.close()

    def ask(self, request: dict[str, Any], kinds: tuple[str, ...] = KINDS) -> dict[str, Any]:
        descriptors = [os.open(f"/proc/self/ns/{kind}", os.O_RDONLY) for kind in kinds]
        descriptors.append(os.open(self.log, os.O_WRONLY | os.O_APPEND))
        rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", descriptors))]
        self.asked.sendmsg([json.dumps(request).encode()], rights)
        for descriptor in descriptors:
            os.close(descriptor)
        reply: dict[str, Any] = json.loads(self.asked.recv(4096))
        return reply

    def wait_for(self, pid: int) -> None:
        """Until that process is gone; it is not our child, so a pidfd tells."""
        try:
            descriptor = os.pidfd_open(pid)
        except ProcessLookupError:
            return
        with os.fdopen(descriptor) as watched:
            import select

            assert select.select([watched], [], [], 30)[0], f"process {pid} does not end"


@pytest.fixture
def nursery(tmp_path: Path) -> Iterator[Nursery]:
    made = Nursery(tmp_path)
    yield made
    made.asked.close()
    assert made.process.wait(30) == 0


def request(*arguments: str) -> dict[str, Any]:
    return {"arguments": list(arguments), "directory": "/", "umask": 0o077}


def test_each_request_makes_a_node_of_its_own(nursery: Nursery) -> None:
    pids = [nursery.ask(request("--version"))["pid"] for _ in range(3)]
    assert len(set(pids)) == 3
    for pid in pids:
        nursery.wait_for(pid)
    assert nursery.log.read_text().splitlines() == ["lokinet-0.1.0"] * 3


def test_a_child_says_in_its_log_what_is_wrong(nursery: Nursery) -> None:
    nursery.wait_for(nursery.ask(request("/nowhere/lokinet.ini"))["pid"])
    assert "/nowhere/lokinet.ini" in nursery.log.read_text()


def test_children_draw_different_random_numbers(nursery: Nursery, tmp_path: Path) -> None:
    """Key files are made from the child's own entropy."""
    directories = [tmp_path / name for name in ("one", "two")]
    for directory in directories:
        directory.mkdir()
        ini = directory / "lokinet.ini"
        # Wrong only after keys were made: no bootstrap router can be reached.
        ini.write_text(
            f"[router]\nnetid=test\ndata-dir={directory}\n[network]\nkeyfile=client.key\ntype=null\n"
            "[bind]\noutbound=127.0.0.1\n[dns]\nbind=127.0.0.1:0\n[bootstrap]\nseed-node=1\n"
        )
    pids = [nursery.ask(request(str(d / "lokinet.ini")))["pid"] for d in directories]
    deadline = 300
    while deadline and not all((d / "rpc.sock").exists() for d in directories):
        deadline -= 1
        assert all(os.path.exists(f"/proc/{pid}") for pid in pids), nursery.log.read_text()
        nursery.ask({"arguments": ["--version"], "directory": "/", "umask": 63})
    for pid in pids:
        os.kill(pid, 15)
        nursery.wait_for(pid)
    keys = [(directory / "client.key").read_bytes() for directory in directories]
    assert keys[0] != keys[1]


def test_a_malformed_request_is_answered_and_harms_nobody(nursery: Nursery) -> None:
    assert "error" in nursery.ask(request("--version"), kinds=("net",))
    assert "error" in nursery.ask({"arguments": []})
    assert "pid" in nursery.ask(request("--version"))
