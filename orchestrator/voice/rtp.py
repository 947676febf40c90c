"""Voice packets as a tun or a link carries them: RTP (RFC 3550) in UDP in IPv4. Pure.

A tun may carry several datagrams of one flow in one piece (UDP segmentation), with a header before
each piece that says where to cut: linux/virtio_net.h.
"""

from __future__ import annotations

import struct
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from orchestrator.voice.delays import Delays, delays_of

__all__ = ["OFFLOAD", "Heard", "Packet", "packets_of", "stream_of"]

OFFLOAD = struct.Struct("=BBHHHH")
"""Before each piece: flags, kind of segmentation, header, bytes of a segment, checksum."""
SEGMENTED_UDP = 5
UDP = 17
UDP_HEADER = 8
RTP = struct.Struct("!BBHII")
VERSION = 2
RTCP = range(64, 96)
"""Payload types that are RTCP's packet types, RFC 5761."""


@dataclass(frozen=True, slots=True, order=True)
class Packet:
    """One voice packet."""

    source: int
    """SSRC: one for each who speaks."""
    number: int
    """0 to 65535, one more each time."""


@dataclass(slots=True)
class Heard:
    """What one end's tun or link carried, when it was first seen there."""

    link_header: int = 0
    """Bytes before each IP packet: none on a tun."""
    at: dict[Packet, float] = field(default_factory=dict)

    def add(self, piece: bytes, now: float) -> None:
        """A piece with its header, and when it was there, in seconds."""
        for packet in packets_of(piece, self.link_header):
            self.at.setdefault(packet, now)


def packets_of(piece: bytes, link_header: int = 0) -> Iterator[Packet]:
    """The voice packets in a piece; none if it carries something else."""
    begin = OFFLOAD.size + link_header
    if len(piece) < begin + 20:
        return
    _, kind, _, segment, _, _ = OFFLOAD.unpack_from(piece)
    packet = memoryview(piece)[begin:]
    header = (packet[0] & 0x0F) * 4
    if packet[0] >> 4 != 4 or packet[9] != UDP or len(packet) < header + UDP_HEADER:
        return
    payload = packet[header + UDP_HEADER :]
    step = segment if kind == SEGMENTED_UDP and segment else max(1, len(payload))
    for start in range(0, len(payload), step):
        datagram = payload[start : start + step]
        if len(datagram) <= RTP.size:
            continue
        first, second, number, _, source = RTP.unpack_from(datagram)
        if first >> 6 == VERSION and second & 0x7F not in RTCP:
            yield Packet(source, number)


def stream_of(sent: Heard, came: Heard) -> tuple[Delays, Sequence[tuple[float, float]]]:
    """What became of the packets that one end sent to the other.

    Who speaks where: a source belongs to the end that saw it first. Numbers may turn over once.

    Returns:
        the figures, and (seconds since the first one, milliseconds) of each that came.
    """
    source = _source(sent.at, came.at)
    ours = sorted((at, packet) for packet, at in sent.at.items() if packet.source == source)
    came_at = {
        place: came.at[packet] for place, (_, packet) in enumerate(ours) if packet in came.at
    }
    times = [at for at, _ in ours]
    figures, _ = delays_of(times, came_at)
    points = [
        (times[place] - times[0], (at - times[place]) * 1000) for place, at in came_at.items()
    ]
    return figures, points


def _source(sent: Mapping[Packet, float], came: Mapping[Packet, float]) -> int | None:
    """Whose packets were at the first end before they were at the second, or never there."""
    earlier = Counter(
        packet.source for packet, at in sent.items() if at < came.get(packet, float("inf"))
    )
    return max(earlier, key=earlier.__getitem__) if earlier else None
