"""A backend whose nodes' sockets are this machine's loopback, and whose programs speak by the book.

For tests of what is built over `Backend.socket` and `Backend.exec`, without namespaces or root.
"""

from __future__ import annotations

import asyncio
import os
import socket
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

import pytest
from dnslib import QTYPE, RR, DNSRecord

from orchestrator.backends import Running, SocketKind
from orchestrator.backends.memory import MemoryBackend
from orchestrator.checks import Network
from orchestrator.errors import CheckFailed
from orchestrator.ops import Observed, ObservedNode

ADDRESSES = {"alice": "a" * 52 + ".loki", "web": "w" * 52 + ".loki"}


@dataclass
class Said:
    """A program that has ended."""

    code: int

    def signal(self, number: int) -> None:
        """It has ended."""

    def wait(self, timeout_s: float | None = None) -> int:
        if self.code == 1000:
            raise TimeoutError
        return self.code

    def close(self) -> None:
        """Nothing is held."""


@dataclass
class LoopbackBackend(MemoryBackend):
    """Programs end at once with (code, out, err); `ran` has their argv."""

    says: tuple[int, str, str] = (0, "", "")
    ran: list[list[str]] = field(default_factory=list)

    def exec(
        self,
        node: str,
        argv: Sequence[str],
        stdio: tuple[int, int, int],
        env: Mapping[str, str],
        tty: bool = False,
    ) -> Running:
        self.ran.append(list(argv))
        code, out, err = self.says
        os.write(stdio[1], out.encode())
        os.write(stdio[2], err.encode())
        return Said(code)

    def socket(self, node: str, kind: SocketKind) -> socket.socket:
        return socket.socket(type=socket.SOCK_STREAM if kind == "tcp" else socket.SOCK_DGRAM)


class Resolver:
    """Answers what it was told to, on a port of loopback; SERVFAIL for the rest."""

    def __init__(self) -> None:
        self.socket = socket.socket(type=socket.SOCK_DGRAM)
        self.socket.bind(("127.0.0.1", 0))
        self.records: dict[tuple[str, str], list[str]] = {}
        self.rcodes: dict[str, int] = {}
        self.asked: list[str] = []
        self.is_silent = False
        self.thread = threading.Thread(target=self.serve)

    @property
    def address(self) -> tuple[str, int]:
        return ("127.0.0.1", int(self.socket.getsockname()[1]))

    def serve(self) -> None:
        while True:
            data, sender = self.socket.recvfrom(4096)
            if data == b"stop":
                return
            query = DNSRecord.parse(data)
            name, kind = str(query.q.qname).rstrip("."), QTYPE[query.q.qtype]
            self.asked.append(name)
            if self.is_silent:
                continue
            reply = query.reply()
            reply.header.rcode = self.rcodes.get(name, 0 if (name, kind) in self.records else 2)
            for text in self.records.get((name, kind), []):
                reply.add_answer(*RR.fromZone(f"{name}. 1 {kind} {text}"))
            self.socket.sendto(reply.pack(), sender)


@contextmanager
def resolver(monkeypatch: pytest.MonkeyPatch) -> Iterator[Resolver]:
    """One that runs, in the place of every node's own."""
    found = Resolver()
    monkeypatch.setattr("orchestrator.checks.network.RESOLVER", found.address)
    found.thread.start()
    try:
        yield found
    finally:
        with socket.socket(type=socket.SOCK_DGRAM) as stop:
            stop.sendto(b"stop", found.address)
        found.thread.join(timeout=10)
        found.socket.close()


async def until(holds: Callable[[], bool]) -> None:
    """Look every millisecond; the test's own time limit ends it."""
    while not holds():  # noqa: ASYNC110 -- what is waited for tells nobody
        await asyncio.sleep(0.001)


def network(monkeypatch: pytest.MonkeyPatch) -> tuple[Network, LoopbackBackend]:
    """alice and web, whose control sockets answer; anybody else's does not."""

    def full_status(_ways: object, _node: str, control: str) -> dict[str, object]:
        if control not in ADDRESSES:
            raise CheckFailed(f"{control}: nobody answers")
        ours = {"default": {"ourIP": "127.0.0.1"}}
        return {"lokiAddress": ADDRESSES[control], "services": ours}

    monkeypatch.setattr("orchestrator.checks.network.full_status", full_status)
    nodes = {
        name: ObservedNode("", "10.77.0.1", {"control": name, "role": "client"})
        for name in (*ADDRESSES, "dead")
    }
    nodes["web"] = ObservedNode("", "10.77.0.2", {"control": "web", "port.nginx": "8080"})
    backend = LoopbackBackend(observed=Observed(True, nodes))
    return Network.of(backend), backend
