"""Probes that never block: one state machine for each node and each pair of nodes.

The loop in `wait` calls `step(now)` when a probe's file descriptor is readable (or writable) or its
`due` time has come; the probe looks, asks again where there is a point, and keeps its `judgement`
current. Instants are seconds of the monotonic clock.
"""

from __future__ import annotations

import errno
import os
import random
import socket
from dataclasses import dataclass, field
from typing import Any, Protocol

from orchestrator.backends import Backend
from orchestrator.control import LineClient
from orchestrator.dns import encode_query, parse_answer
from orchestrator.ops import Role
from orchestrator.readiness.layers import Judgement, Layer, judge
from orchestrator.registry import Registry

__all__ = ["NodeProbe", "PairProbe", "Probe"]

FIRST_PAUSE_S = 0.02
LONGEST_PAUSE_S = 0.1
"""Between two looks: short at first, later so rare that looking costs what is watched nothing."""
REPLY_TIMEOUT_S = 2.0
QUERY_TIMEOUT_S = 1.0
"""A resolver that knows nothing yet holds its answer back; asked again after this."""
CONNECT_TIMEOUT_S = 5.0
DNS_PORT = 53


class Probe(Protocol):
    """What the loop knows of a probe."""

    subject: str
    judgement: Judgement | None
    due: float

    def step(self, now: float) -> None:
        """Look, and ask again if it is time."""

    def reading(self) -> int | None:
        """A descriptor whose input would be news."""

    def writing(self) -> int | None:
        """A descriptor whose readiness for output would be news."""

    def close(self) -> None:
        """Let go of sockets."""


@dataclass(slots=True)
class Pause:
    """Grows from the first to the longest."""

    seconds: float = FIRST_PAUSE_S

    def next(self) -> float:
        """This pause; the one after it is longer."""
        now, self.seconds = self.seconds, min(LONGEST_PAUSE_S, self.seconds * 1.5)
        return now


@dataclass(slots=True, eq=False)
class NodeProbe:
    """Asks one node's control socket until it has reached the last layer of its role."""

    subject: str
    role: Role
    control: str
    backend: Backend
    registry: Registry | None = None
    """What it should hold, if it is the chain."""
    judgement: Judgement | None = field(
        default_factory=lambda: Judgement(Layer.SOCKET, "not there yet")
    )
    due: float = 0.0
    status: dict[str, Any] = field(default_factory=dict)
    _client: LineClient | None = None
    _method: str = ""
    _asked: float = 0.0
    _pause: Pause = field(default_factory=Pause)

    @property
    def address(self) -> str:
        """`<52>.loki` or `<52>.snode`, as the node itself says; empty until it did."""
        return str(self.status.get("lokiAddress", ""))

    def step(self, now: float) -> None:
        """Connect, ask, read: whatever is next."""
        try:
            if self._client is None:
                self._client = LineClient(self.backend.control(self.subject, self.control))
            if self._method:
                self._read(now)
            elif now >= self.due:
                self._ask("llarp.get_status", now)
        except OSError as error:
            self._lost(error, now)

    def _ask(self, method: str, now: float) -> None:
        assert self._client is not None
        self._client.send(method)
        self._method, self._asked, self.due = method, now, now + REPLY_TIMEOUT_S

    def _read(self, now: float) -> None:
        assert self._client is not None
        reply = self._client.poll()
        if reply is None:
            if now >= self._asked + REPLY_TIMEOUT_S:
                raise TimeoutError(errno.ETIMEDOUT, f"silent for {REPLY_TIMEOUT_S:.0f} s")
            return
        if "error" in reply:
            raise ConnectionAbortedError(errno.EPROTO, f"{self._method}: {reply['error']}")
        self.status.update(reply.get("result") or {})
        if self._method == "llarp.get_status" and self.role in ("client", "service", "exit"):
            # the short answer wins where both have a key, so it is asked first and kept
            self._ask("llarp.status", now)
            return
        self._method = ""
        self.judgement = judge(self.role, self.status, self.registry)
        self.due = now + self._pause.next()

    def _lost(self, error: OSError, now: float) -> None:
        self.close()
        why = error.strerror or str(error)
        missing = error.errno in (errno.ENOENT, errno.ECONNREFUSED)
        self.judgement = Judgement(Layer.SOCKET, "not there yet" if missing else why)
        self.due = now + self._pause.next()

    def reading(self) -> int | None:
        """The control socket, while a reply is due."""
        return self._client.socket.fileno() if self._client and self._method else None

    def writing(self) -> int | None:
        """Never."""
        return None

    def close(self) -> None:
        """Hang up."""
        if self._client is not None:
            self._client.close()
        self._client, self._method = None, ""


@dataclass(slots=True, eq=False)
class PairProbe:
    """From a client's network: does the service's name resolve, and does its port answer?

    Its `due` is infinite until `begin` tells it the service's name. A server of the clearnet is
    asked at its address from its own network, as nobody else needs to be ready for that.
    """

    subject: str
    client: str
    resolver: str
    port: int | None
    backend: Backend
    judgement: Judgement | None = field(
        default_factory=lambda: Judgement(Layer.NAME, "its ends are not ready")
    )
    due: float = float("inf")
    name: str = ""
    address: str | None = None
    _socket: socket.socket | None = None
    _identifier: int = 0
    _asked: float = 0.0
    _pause: Pause = field(default_factory=Pause)

    @classmethod
    def of_server(cls, server: str, address: str, port: int, backend: Backend) -> PairProbe:
        """Does a server's port answer?"""
        probe = cls(server, server, "", port, backend, Judgement(Layer.PORT, f"{address}:{port}"))
        probe.name, probe.address, probe.due = server, address, 0.0
        return probe

    def begin(self, name: str) -> None:
        """Both ends are ready."""
        self.name, self.due = name, 0.0
        self.judgement = Judgement(Layer.NAME, "asked for")

    def step(self, now: float) -> None:
        """Resolve first, then connect."""
        if not self.name:
            return
        try:
            if self.address is None:
                self._resolve(now)
            else:
                self._reach(now)
        except BlockingIOError:
            return
        except OSError as error:
            layer = Layer.NAME if self.address is None else Layer.PORT
            self._again(Judgement(layer, error.strerror or str(error)), now)

    def _resolve(self, now: float) -> None:
        if self._socket is None:
            if now < self.due:
                return
            self._socket = self.backend.socket(self.client, "udp")
            self._socket.setblocking(False)
            self._identifier = random.SystemRandom().randrange(1 << 16)
            self._socket.connect((self.resolver, DNS_PORT))
            self._socket.send(encode_query(self._identifier, self.name))
            self._asked, self.due = now, now + QUERY_TIMEOUT_S
            return
        if now >= self._asked + QUERY_TIMEOUT_S:
            raise TimeoutError(errno.ETIMEDOUT, f"no answer in {QUERY_TIMEOUT_S:.0f} s")
        answer = parse_answer(self._identifier, self._socket.recv(1500))
        if answer is None:
            return
        if answer.address is None:
            self._again(Judgement(Layer.NAME, f"answered {answer.rcode}"), now)
            return
        self.address = answer.address
        self.close()
        self.due = now
        if self.port is None:
            self._reached()
        else:
            self.judgement = Judgement(Layer.PORT, f"{self.address}:{self.port}")
            self._reach(now)

    def _reach(self, now: float) -> None:
        if self._socket is None:
            if now < self.due:
                return
            self._socket = self.backend.socket(self.client, "tcp")
            self._socket.setblocking(False)
            self._asked, self.due = now, now + CONNECT_TIMEOUT_S
            self._socket.connect((self.address, self.port))  # raises BlockingIOError: on its way
        problem = self._socket.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        if problem:
            raise OSError(problem, os.strerror(problem))
        try:
            self._socket.getpeername()
        except OSError:
            if now >= self._asked + CONNECT_TIMEOUT_S:
                raise TimeoutError(errno.ETIMEDOUT, "no answer to a connect") from None
            return
        self._reached()

    def _reached(self) -> None:
        self.close()
        self.judgement, self.due = None, float("inf")

    def _again(self, judgement: Judgement, now: float) -> None:
        self.close()
        self.judgement = judgement
        self.due = now + self._pause.next()

    def reading(self) -> int | None:
        """The resolver's socket."""
        waiting = self._socket is not None and self.address is None
        return self._socket.fileno() if self._socket and waiting else None

    def writing(self) -> int | None:
        """The connecting socket."""
        waiting = self._socket is not None and self.address is not None
        return self._socket.fileno() if self._socket and waiting else None

    def close(self) -> None:
        """Let go of the socket in use."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None
