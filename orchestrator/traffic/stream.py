"""One direction of a call: packets like RTP's (RFC 3550), and what became of them.

Rules: no socket and no clock here. What is on its way is not lost: a packet counts as lost when it
was sent a second ago and has not arrived. Jitter is RFC 3550's, over the instants of sending, so
that a late sender is not taken for an uneven network.
"""

from __future__ import annotations

import struct
from collections import deque
from dataclasses import dataclass, field

from orchestrator.traffic.delays import Delays

__all__ = ["INTERVAL_US", "PACKET_BYTES", "Incoming", "Outgoing", "Packet", "decode", "encode"]

INTERVAL_US = 20_000
"""Of speech in one packet, as telephones and Opus have it."""
PAYLOAD_BYTES = 100
"""Of 40 kbit/s."""
HEADER = struct.Struct("!BBHIIQQ")
"""RTP: version, type, number, media time, source; then the whole number, and when it was sent."""
PACKET_BYTES = 12 + PAYLOAD_BYTES
"""RTP's own header has 12."""
VERSION = 0x80
PAYLOAD_TYPE = 111
"""What Opus usually has; the marker is in the same byte."""
MARKER = 0x80
"""On packets that ring, before the call begins."""
CLOCK_PER_PACKET = 960
"""48 kHz."""
ARRIVES_WITHIN_US = 1_000_000
"""Or is lost: a listener has gone on long before."""
WINDOW = 1024
"""Packets, 20 s, in which a second copy is noticed."""
KEPT_SENDS = 64
"""More than are sent in a second."""


@dataclass(frozen=True, slots=True)
class Packet:
    """What its header says."""

    source: int
    """Of this direction of this call, drawn when it was dialled."""
    number: int
    sent_us: int
    rings: bool


def encode(packet: Packet) -> bytes:
    """As it is sent: header, and silence."""
    kind = PAYLOAD_TYPE | (MARKER if packet.rings else 0)
    media_time = packet.number * CLOCK_PER_PACKET & 0xFFFFFFFF
    short = packet.number & 0xFFFF
    header = HEADER.pack(
        VERSION, kind, short, media_time, packet.source, packet.number, packet.sent_us
    )
    return header.ljust(PACKET_BYTES, b"\0")


def decode(data: bytes) -> Packet | None:
    """What was sent by `encode`; None for anything else."""
    if len(data) != PACKET_BYTES:
        return None
    version, kind, _, _, source, number, sent_us = HEADER.unpack_from(data)
    if version != VERSION or kind & ~MARKER != PAYLOAD_TYPE:
        return None
    return Packet(source, number, sent_us, bool(kind & MARKER))


@dataclass(slots=True)
class Outgoing:
    """The sender's side."""

    sent: int = 0
    at_us: deque[int] = field(default_factory=lambda: deque(maxlen=KEPT_SENDS))
    """When the last ones were."""

    def next(self, now_us: int) -> int:
        """Number of a packet that is sent now."""
        self.at_us.append(now_us)
        self.sent += 1
        return self.sent - 1

    def due(self, now_us: int) -> int:
        """How many of the first should have arrived by now."""
        return self.sent - sum(at > now_us - ARRIVES_WITHIN_US for at in self.at_us)


@dataclass(slots=True)
class Incoming:
    """The receiver's side."""

    delays: Delays = field(default_factory=Delays)
    received: int = 0
    duplicates: int = 0
    reordered: int = 0
    highest: int = -1
    jitter_us: float = 0.0
    last_transit_us: int | None = None
    recent: set[int] = field(default_factory=set)
    """Numbers that arrived, of the last ones."""

    def take(self, packet: Packet, arrived_us: int) -> None:
        """One that arrived; a copy, or what comes 20 s late, is only counted."""
        if packet.number in self.recent or packet.number <= self.highest - WINDOW:
            self.duplicates += 1
            return
        self.received += 1
        self.recent.add(packet.number)
        if packet.number < self.highest:
            self.reordered += 1
        self.highest = max(self.highest, packet.number)
        transit_us = arrived_us - packet.sent_us
        self.delays.add(transit_us)
        if self.last_transit_us is not None:
            self.jitter_us += (abs(transit_us - self.last_transit_us) - self.jitter_us) / 16
        self.last_transit_us = transit_us
        if len(self.recent) > 2 * WINDOW:
            self.recent = {each for each in self.recent if each > self.highest - WINDOW}

    def lost(self, due: int) -> int:
        """Of the first `due` packets, how many have not arrived."""
        return due - (self.received - sum(number >= due for number in self.recent))
