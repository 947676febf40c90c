"""One call as it is: dialled, rung, talked over, until it is silent or ended.

The caller rings until the callee, who learns from that where the caller is, has answered once; only
then both begin to talk, so what a session takes to be made is no loss of the call. Both sockets
live in the nodes' networks; the kernel says when a packet arrived, so this process may be late.
"""

from __future__ import annotations

import errno
import random
import socket
import struct
import time
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field

from orchestrator.checks.network import Network
from orchestrator.traffic.stream import Incoming, Outgoing, Packet, decode, encode

__all__ = ["End", "Line", "dial", "now_us"]

SO_TIMESTAMPNS = 35
"""socket(7): the control message has a struct timespec of the real-time clock."""
TIMESPEC = struct.Struct("@qq")
ROOM = 2048
CONTROL_ROOM = socket.CMSG_SPACE(TIMESPEC.size)
MOST_AT_ONCE = 64
SEND_FAILURES = {errno.EAGAIN: "no room", errno.ECONNREFUSED: "refused"}


def now_us() -> int:
    """The clock that the kernel stamps packets with."""
    return time.time_ns() // 1000


@dataclass(slots=True)
class End:
    """One party of a call."""

    socket: socket.socket
    """Does not block."""
    source: int
    """Of what it sends."""
    peer: tuple[str, int] | None
    """Where its words go; None: not known yet."""
    outgoing: Outgoing = field(default_factory=Outgoing)
    incoming: Incoming = field(default_factory=Incoming)
    refused: Counter[str] = field(default_factory=Counter)
    """What the kernel said to packets that were sent all the same, by name."""

    def talk(self) -> None:
        """Send the next packet of speech."""
        now = now_us()
        self._send(Packet(self.source, self.outgoing.next(now), now, rings=False))

    def ring(self) -> None:
        """Send a packet that is none of the call's."""
        self._send(Packet(self.source, 0, now_us(), rings=True))

    def _send(self, packet: Packet) -> None:
        if self.peer is None:
            return
        try:
            self.socket.sendto(encode(packet), self.peer)
        except OSError as error:
            self.refused[SEND_FAILURES.get(error.errno or 0, str(error.strerror))] += 1

    def hear(self, source: int) -> tuple[bool, int]:
        """Take what has come from a source; whether it rang, and how many words there were."""
        rang, words = False, 0
        for _ in range(MOST_AT_ONCE):
            try:
                data, control, _, sender = self.socket.recvmsg(ROOM, CONTROL_ROOM)
            except BlockingIOError:
                break
            except OSError:
                continue  # an ICMP error: it is read once and gone
            packet = decode(data)
            if packet is None or packet.source != source:
                continue  # of an earlier call, or somebody else's
            if packet.rings:
                rang, self.peer = True, sender
                continue
            words += 1
            self.incoming.take(packet, _arrival(control))
        return rang, words

    def lost(self, due: int) -> int:
        """Of the first packets the other end has sent."""
        return self.incoming.lost(due)


def _arrival(control: list[tuple[int, int, bytes]]) -> int:
    """By the kernel; by us, in the moment before it has begun to stamp."""
    for level, kind, data in control:
        if level == socket.SOL_SOCKET and kind == SO_TIMESTAMPNS:
            seconds, nanoseconds = TIMESPEC.unpack(data[: TIMESPEC.size])
            return int(seconds) * 1_000_000 + int(nanoseconds) // 1000
    return now_us()


@dataclass(slots=True)
class Line:
    """Both ends."""

    near: End
    far: End

    def close(self) -> None:
        """Hang up."""
        for end in (self.near, self.far):
            end.socket.close()


def dial(network: Network, caller: str, callee: str) -> Line:
    """Both sockets, and where the caller's packets must go; nothing is sent.

    Raises OperatorError (no such name, a node that does not answer) and OSError.
    """
    address = network.resolve(caller, callee)
    far = _bound(network, callee)
    try:
        near = _bound(network, caller)
    except BaseException:
        far.close()
        raise
    draw = random.SystemRandom()
    peer = (address, int(far.getsockname()[1]))
    return Line(
        End(near, draw.getrandbits(32), peer),
        End(far, draw.getrandbits(32), None),
    )


def _bound(network: Network, node: str) -> socket.socket:
    made = network.socket(node, "udp")
    try:
        made.setblocking(False)
        with suppress(OSError):
            made.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
        made.bind((network.tun_address(node), 0))
    except BaseException:
        made.close()
        raise
    return made
