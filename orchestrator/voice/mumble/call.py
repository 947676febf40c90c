"""Clients that talk to each other over a Mumble server, on sockets that were made for them.

All of them live here, so that one clock tells when a packet was sent and when it came: sent, right
before the system call; came, as the kernel stamped it. While they talk, what comes is only kept; it
is opened afterwards, so that listening costs speaking no time.
"""

from __future__ import annotations

import contextlib
import select
import socket
import ssl
import struct
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from orchestrator.errors import CheckFailed
from orchestrator.voice.mumble.messages import Malformed
from orchestrator.voice.mumble.packets import STEP, Sound
from orchestrator.voice.mumble.session import MumbleSession

__all__ = ["PACKET_S", "Call", "Caller", "Stream", "Turn"]

PACKET_S = 0.02
JOIN_S = 10.0
"""For connection, TLS and greeting, each."""
PING_EVERY_S = 0.2
"""Until one came back."""
UDP_WITHIN_S = 3.0
KEEP_ALIVE_S = 5.0
"""Between two pings of a call, as Mumble's own client has it."""
LATEST_S = 0.5
"""After the last packet: what comes later is of no use to anybody who talks."""
SO_TIMESTAMPNS = 35
"""asm-generic/socket.h; Python has no name for it."""
STAMP = struct.Struct("@qq")
ROOM_BYTES = 1 << 20
"""For datagrams that wait: seconds of everybody's speech."""
LARGEST = 2048
BLOCK = 1 << 16

Arrival = tuple[Sound, float, bool]
"""What came, when, and whether as a datagram."""


@dataclass(frozen=True, slots=True)
class Turn:
    """Somebody says something."""

    caller: int
    begins_s: float
    packets: Sequence[bytes]
    """Opus, of 20 ms each."""


@dataclass(frozen=True, slots=True)
class Stream:
    """What one caller got of one turn."""

    sent_at: Sequence[float]
    """Of each packet, in seconds of the machine's clock."""
    came_at: Mapping[int, float]
    packets: Mapping[int, bytes]
    datagrams: int
    """How many came as such; others came through TLS."""


@dataclass(slots=True)
class Caller:
    """One client: its name and its sockets, not yet connected."""

    name: str
    tcp: socket.socket
    udp: socket.socket
    session: MumbleSession = field(init=False)
    tls: ssl.SSLSocket = field(init=False)
    next_sequence: int = 0
    datagrams: list[tuple[bytes, float]] = field(default_factory=list)
    tunnelled: list[tuple[Sound, float]] = field(default_factory=list)

    def join(self, nickname: str, address: str, port: int) -> None:
        """Connect, say hello, find out whether datagrams get through; raises CheckFailed."""
        where = f"{address}:{port}"
        self.session = MumbleSession(nickname)
        self.tcp.settimeout(JOIN_S)
        try:
            self.tcp.connect((address, port))
        except OSError as error:
            why = error.strerror or f"nothing within {JOIN_S:g} s"
            raise CheckFailed(f"{self.name}: nothing answers at {where}: {why}") from None
        try:
            self._greet()
        except (OSError, Malformed) as error:
            raise CheckFailed(f"{self.name}: {where} is no Mumble server: {error}") from error
        self.udp.connect((address, port))
        self.udp.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
        self.udp.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, ROOM_BYTES)
        self.udp.setblocking(False)
        self._try_udp()

    def _greet(self) -> None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False  # it made its certificate itself: who it is, its name says
        context.verify_mode = ssl.CERT_NONE
        self.tls = context.wrap_socket(self.tcp)
        self.tls.sendall(self.session.hello())
        deadline = time.monotonic() + JOIN_S
        while not self.session.is_ready:
            self.tls.settimeout(max(0.001, deadline - time.monotonic()))
            data = self.tls.recv(BLOCK)
            list(self.session.received(data))
            if self.session.refusal:
                raise CheckFailed(f"{self.name} is not let in: {self.session.refusal}")
            if not data:
                raise ConnectionError("it closed the connection")
        self.tls.settimeout(JOIN_S)

    def _try_udp(self) -> None:
        deadline = time.monotonic() + UDP_WITHIN_S
        while not self.session.udp_works and (now := time.monotonic()) < deadline:
            with contextlib.suppress(OSError):  # told that nobody is there: it will show
                self.udp.send(self.session.udp_ping(time.time_ns() // 1000))
            select.select([self.udp], [], [], min(PING_EVERY_S, deadline - now))
            for data, _ in self._received():
                self.session.datagram(data)

    def leave(self) -> None:
        """Hang up; its sockets are the caller's to close."""
        with contextlib.suppress(OSError):
            self.tls.close()

    def say(self, opus: bytes, is_last: bool) -> float:
        """Send 20 ms; when that was."""
        message, is_datagram = self.session.voice(self.next_sequence, opus, is_last)
        self.next_sequence += STEP
        now = time.time()
        with contextlib.suppress(OSError):  # no room, or an earlier one's ICMP error: it is lost
            if is_datagram:
                self.udp.send(message)
            else:
                self.tls.sendall(message)
        return now

    def keep_alive(self) -> None:
        """Both ways."""
        now = time.time_ns() // 1000
        with contextlib.suppress(OSError):
            self.tls.sendall(self.session.ping(now))
            self.udp.send(self.session.udp_ping(now))

    def listen(self) -> None:
        """Keep what came; raises CheckFailed when the server is gone."""
        self.datagrams += self._received()
        self.tls.settimeout(0)
        try:
            while True:
                data = self.tls.recv(BLOCK)
                if not data:
                    raise CheckFailed(f"{self.name}: the server closed the connection")
                now = time.time()
                self.tunnelled += [(sound, now) for sound in self.session.received(data)]
                if answers := self.session.answers():
                    self.tls.sendall(answers)
        except (ssl.SSLWantReadError, ssl.SSLWantWriteError):
            pass
        except (OSError, Malformed) as error:
            raise CheckFailed(f"{self.name}: the server: {error}") from error
        finally:
            self.tls.settimeout(JOIN_S)

    def heard(self) -> Iterator[Arrival]:
        """Everything that was kept, once."""
        datagrams, self.datagrams = self.datagrams, []
        tunnelled, self.tunnelled = self.tunnelled, []
        for data, at in datagrams:
            with contextlib.suppress(Malformed):
                if sound := self.session.datagram(data):
                    yield sound, at, True
        for sound, at in tunnelled:
            yield sound, at, False

    def _received(self) -> Iterator[tuple[bytes, float]]:
        while True:
            try:
                data, said, _, _ = self.udp.recvmsg(LARGEST, socket.CMSG_SPACE(STAMP.size))
            except OSError:  # nothing more; or told that nobody is there
                return
            at = time.time()
            for level, kind, raw in said:
                if (level, kind) == (socket.SOL_SOCKET, SO_TIMESTAMPNS):
                    seconds, nanoseconds = STAMP.unpack(raw)
                    at = seconds + nanoseconds / 1e9
            yield data, at


class Call:
    """Callers that are in one channel."""

    def __init__(self, callers: Sequence[Caller]) -> None:
        """They have joined."""
        self.callers = callers

    def talk(self, turns: Sequence[Turn]) -> dict[tuple[int, int], Stream]:
        """Everybody's turns, to half a second after the last; by listener and turn."""
        began = time.monotonic()
        plan = sorted(
            (began + turn.begins_s + number * PACKET_S, which, number)
            for which, turn in enumerate(turns)
            for number in range(len(turn.packets))
        )
        firsts: dict[int, int] = {}
        sent_at: dict[int, list[float]] = {which: [] for which in range(len(turns))}
        keep_alive_at = began
        for at, which, number in plan:
            self._listen_until(at)
            if at >= keep_alive_at:
                keep_alive_at = at + KEEP_ALIVE_S
                for caller in self.callers:
                    caller.keep_alive()
            turn = turns[which]
            caller = self.callers[turn.caller]
            firsts.setdefault(which, caller.next_sequence)
            is_last = number == len(turn.packets) - 1
            sent_at[which].append(caller.say(turn.packets[number], is_last))
        self._listen_until(time.monotonic() + LATEST_S)
        return self._streams(turns, firsts, sent_at)

    def _listen_until(self, until: float) -> None:
        by_socket: dict[socket.socket, Caller] = {}
        for caller in self.callers:
            by_socket |= {caller.udp: caller, caller.tls: caller}
        while (left := until - time.monotonic()) > 0:
            readable, _, _ = select.select(by_socket, [], [], left)
            for caller in {id(by_socket[end]): by_socket[end] for end in readable}.values():
                caller.listen()

    def _streams(
        self,
        turns: Sequence[Turn],
        firsts: Mapping[int, int],
        sent_at: Mapping[int, list[float]],
    ) -> dict[tuple[int, int], Stream]:
        streams = {}
        for listener, caller in enumerate(self.callers):
            arrivals = list(caller.heard())
            for which, turn in enumerate(turns):
                if turn.caller == listener:
                    continue
                session = self.callers[turn.caller].session.number
                came_at: dict[int, float] = {}
                packets: dict[int, bytes] = {}
                datagrams = 0
                for sound, at, is_datagram in arrivals:
                    number = (sound.sequence - firsts[which]) // STEP
                    if sound.session != session or not 0 <= number < len(turn.packets):
                        continue
                    came_at[number], packets[number] = at, sound.opus
                    datagrams += is_datagram
                streams[listener, which] = Stream(sent_at[which], came_at, packets, datagrams)
        return streams
