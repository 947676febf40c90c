"""Sockets that are lent: by the program that was started and no other."""

from __future__ import annotations

import socket
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from orchestrator.backends.docker_lending import Lender, Lenders, Started
from orchestrator.errors import CheckFailed


class Programs:
    """Lending programs beside the test, as the engine starts them in containers."""

    def __init__(
        self, folder: Path, argv: tuple[str, ...] = ("-m", "lokinet_node.lending")
    ) -> None:
        self.folder = folder
        self.argv = argv
        self.begun: list[subprocess.Popen[bytes]] = []
        self.first: Callable[[str], None] = lambda _: None

    def begin(self, node: str, _is_raw: bool = False) -> Lender:
        return Lender.begin(node, self.folder, self._start)

    def _start(self, name: str) -> Started:
        self.first(name)
        ours, its = socket.socketpair()
        argv = [sys.executable, *self.argv, str(self.folder / name)]
        program = subprocess.Popen(argv, stderr=its.fileno())
        its.close()
        self.begun.append(program)
        numbers = iter([0, 0])  # as an engine that does not know yet
        return Started(lambda: next(numbers, program.pid), ours, ours.close)

    def close(self) -> None:
        for program in self.begun:
            program.kill()
            program.wait()


def test_a_socket_is_lent_and_nothing_stays_in_the_folder(tmp_path: Path) -> None:
    programs = Programs(tmp_path)
    lender = programs.begin("alice")
    with lender.ask("udp") as lent:
        assert lent.type == socket.SOCK_DGRAM
    assert list(tmp_path.iterdir()) == []
    lender.close()
    assert programs.begun[0].wait(30) == 0


def test_somebody_else_who_connects_first_is_not_believed(tmp_path: Path) -> None:
    programs = Programs(tmp_path)
    stranger = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    programs.first = lambda name: stranger.connect(str(tmp_path / name))
    lender = programs.begin("alice")
    with stranger:
        assert stranger.recv(64) == b"", "hung up on"
    lender.ask("tcp").close()
    lender.close()
    programs.close()


def test_a_program_that_cannot_begin_is_told_with_its_words(tmp_path: Path) -> None:
    programs = Programs(tmp_path, ("-m", "lokinet_node.no_such_program"))
    with pytest.raises(CheckFailed, match=r"alice lends no sockets: .*No module named"):
        programs.begin("alice")
    programs.close()


def test_it_is_begun_anew_where_a_node_was(tmp_path: Path) -> None:
    programs = Programs(tmp_path)
    lenders = Lenders(programs.begin)
    lenders.ask("alice", "udp").close()
    lenders.ask("alice", "tcp").close()
    assert len(programs.begun) == 1
    programs.close()
    lenders.ask("alice", "udp").close()
    assert len(programs.begun) == 2
    lenders.close()
    programs.close()


def test_what_is_not_there_is_an_error_and_the_program_stays(tmp_path: Path) -> None:
    programs = Programs(tmp_path)
    lenders = Lenders(programs.begin)
    with pytest.raises(FileNotFoundError):
        lenders.ask("alice", f"stream {tmp_path}/nobody")
    lenders.ask("alice", "udp").close()
    assert len(programs.begun) == 1
    lenders.close()
    programs.close()


def test_who_asks_waits_for_one_that_is_being_begun(tmp_path: Path) -> None:
    programs = Programs(tmp_path)
    may_begin = threading.Event()

    def begin(node: str, is_raw: bool) -> Lender:
        may_begin.wait(30)
        return programs.begin(node, is_raw)

    lenders = Lenders(begin)
    lenders.warm(["alice"])
    may_begin.set()
    lenders.ask("alice", "udp").close()
    lenders.close()
    assert len(programs.begun) == 1
    programs.close()
