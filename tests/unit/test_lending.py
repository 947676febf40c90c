"""`python -m lokinet_node.lending`: each question, each error, each way it ends."""

from __future__ import annotations

import errno
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from lokinet_node import lending
from tests.unit.served import module


class Borrower:
    """Who listens for a lending program and asks it."""

    def __init__(self, folder: Path) -> None:
        path = str(folder / "lend")
        with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as listener:
            listener.bind(path)
            listener.listen()
            self.program = subprocess.Popen([*module("lokinet_node.lending"), path])
            listener.settimeout(30)
            self.line, _ = listener.accept()
        self.line.settimeout(30)

    def ask(self, question: str) -> socket.socket | int:
        """A socket, or the number of an error."""
        self.line.send(question.encode())
        answer, descriptors, _, _ = socket.recv_fds(self.line, 64, 1)
        return socket.socket(fileno=descriptors[0]) if descriptors else int(answer)

    def lent(self, question: str) -> socket.socket:
        found = self.ask(question)
        assert isinstance(found, socket.socket)
        return found

    def close(self) -> int:
        self.line.close()
        return self.program.wait(30)


@pytest.fixture
def borrower(tmp_path: Path) -> Iterator[Borrower]:
    opened = Borrower(tmp_path)
    try:
        yield opened
    finally:
        opened.close()


def test_sockets_of_both_kinds_are_lent_and_it_ends_when_hung_up_on(borrower: Borrower) -> None:
    for word, kind in (("udp", socket.SOCK_DGRAM), ("tcp", socket.SOCK_STREAM)):
        with borrower.lent(word) as lent:
            assert (lent.family, lent.type) == (socket.AF_INET, kind)
            lent.bind(("127.0.0.1", 0))
    assert borrower.close() == 0


def test_a_stream_leads_to_who_listens(borrower: Borrower, tmp_path: Path) -> None:
    path = str(tmp_path / "rpc sock")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(path)
        listener.listen()
        with borrower.lent(f"stream {path}") as near:
            far, _ = listener.accept()
            with far:
                near.sendall(b"question")
                assert far.recv(64) == b"question"


@pytest.mark.parametrize(
    ("question", "number"),
    [
        ("stream /nowhere/rpc.sock", errno.ENOENT),
        ("stream LISTENS-NO-MORE", errno.ECONNREFUSED),
        ("stream", errno.EINVAL),
        ("udp 1", errno.EINVAL),
        ("tun", errno.EINVAL),
    ],
)
def test_what_cannot_be_lent_is_told_by_its_number(
    borrower: Borrower, tmp_path: Path, question: str, number: int
) -> None:
    dead = tmp_path / "dead"
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(dead))
        listener.listen()
    assert borrower.ask(question.replace("LISTENS-NO-MORE", str(dead))) == number
    borrower.lent("udp").close()  # and it goes on


def test_nobody_to_lend_to_and_a_wrong_command_line_end_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert lending.main([str(tmp_path / "nobody")]) == 1
    assert "nobody listens: No such file or directory" in capsys.readouterr().err
    assert lending.main([]) == 2
    assert "usage" in capsys.readouterr().err
