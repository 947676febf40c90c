"""A forward by a program in the node for each connection."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
from collections.abc import Mapping, Sequence

import pytest

from orchestrator.backends import Running
from orchestrator.backends.memory import MemoryBackend
from orchestrator.errors import CheckFailed
from orchestrator.relays import start_relay


class Program:
    """Runs here what should run in a node."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self.process = process

    def signal(self, number: int) -> None:
        self.process.send_signal(number)

    def wait(self, timeout_s: float | None = None) -> int:
        return self.process.wait(timeout_s)

    def close(self) -> None:
        self.process.kill()
        self.process.wait()


class Here(MemoryBackend):
    """`socat` is a program that answers in capitals; names that begin with `no` are unknown."""

    def exec(
        self,
        node: str,
        argv: Sequence[str],
        stdio: tuple[int, int, int],
        env: Mapping[str, str],
        tty: bool = False,
    ) -> Running:
        script = "exit 2" if argv[-1].startswith("no") else ":"
        command = ["tr", "a-z", "A-Z"] if argv[0] == "socat" else ["sh", "-c", script]
        stdin, stdout, stderr = stdio
        return Program(subprocess.Popen(command, stdin=stdin, stdout=stdout, stderr=stderr))


def listening() -> socket.socket:
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    listener.listen()
    return listener


def test_each_connection_has_a_program_of_its_own() -> None:
    with listening() as listener:
        relay = start_relay(Here(), "alice", listener, ("web.loki", 80))
        connections = [socket.create_connection(listener.getsockname()) for _ in range(3)]
        for index, connection in enumerate(connections):
            with connection:
                connection.sendall(b"number %d" % index)
                connection.shutdown(socket.SHUT_WR)
                connection.settimeout(10)
                assert connection.makefile("rb").read() == b"NUMBER %d" % index
        relay.signal(signal.SIGINT)
        assert relay.wait(10) == 1
        relay.close()


def test_an_end_breaks_off_what_is_carried() -> None:
    with listening() as listener:
        relay = start_relay(Here(), "alice", listener, ("web.loki", 80))
        with socket.create_connection(listener.getsockname()) as connection:
            connection.settimeout(10)
            while not relay._running:
                os.sched_yield()
            relay.close()
            assert connection.recv(1) == b""


def test_a_name_nobody_knows_is_told_before_anybody_connects() -> None:
    with (
        listening() as listener,
        pytest.raises(CheckFailed, match=r"alice cannot resolve no\.loki"),
    ):
        start_relay(Here(), "alice", listener, ("no.loki", 80))
