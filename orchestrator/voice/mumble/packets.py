"""What is in a voice datagram, or in a tunnelled message instead: sound, or a ping. Pure.

Numbers are Mumble's own varints, which have the length in the first byte. Sequence numbers count
10 ms of sound, so that a packet of 20 ms is two after the one before.
"""

from __future__ import annotations

from dataclasses import dataclass

from orchestrator.voice.mumble.messages import MALFORMED, Malformed

__all__ = ["STEP", "Sound", "ping", "ping_time", "sound", "sound_of"]

PING = 1 << 5
OPUS = 4 << 5
KIND = 0xE0
LAST = 0x2000
"""Beside the length of the sound: somebody stopped talking."""
STEP = 2
"""Sequence numbers of one packet: 20 ms."""
HEADS = ((0x80, 0), (0xC0, 1), (0xE0, 2), (0xF0, 3))
"""First bytes below carry so many more: 7, 14, 21, 28 bits."""


@dataclass(frozen=True, slots=True)
class Sound:
    """20 ms of somebody's speech."""

    session: int
    """Of who speaks."""
    sequence: int
    opus: bytes
    is_last: bool


def ping(time: int) -> bytes:
    """Comes back as it is."""
    return bytes((PING,)) + _varint(time)


def ping_time(packet: bytes) -> int | None:
    """Of a ping that came back; None: it is none."""
    if not packet or packet[0] & KIND != PING:
        return None
    return _read_varint(packet, 1)[0]


def sound(sequence: int, opus: bytes, is_last: bool) -> bytes:
    """To everybody in the channel."""
    length = len(opus) | (LAST if is_last else 0)
    return bytes((OPUS,)) + _varint(sequence) + _varint(length) + opus


def sound_of(packet: bytes) -> Sound | None:
    """As it comes from a server; None: something else. Raises Malformed."""
    if not packet or packet[0] & KIND != OPUS:
        return None
    session, at = _read_varint(packet, 1)
    sequence, at = _read_varint(packet, at)
    length, at = _read_varint(packet, at)
    opus = packet[at : at + (length & (LAST - 1))]
    if len(opus) != length & (LAST - 1):
        raise Malformed(MALFORMED)
    return Sound(session, sequence, opus, bool(length & LAST))


def _varint(value: int) -> bytes:
    for (_, more), (head, _) in zip(HEADS, ((0, 0), *HEADS), strict=False):
        if value < 1 << 7 * (more + 1):
            return ((head << 8 * more) | value).to_bytes(more + 1, "big")
    if value < 1 << 32:
        return b"\xf0" + value.to_bytes(4, "big")
    return b"\xf4" + value.to_bytes(8, "big")


def _read_varint(data: bytes, at: int) -> tuple[int, int]:
    """The number and where the next thing is. Negative ones, which nobody sends here, are not."""
    if at >= len(data):
        raise Malformed(MALFORMED)
    first, below = data[at], 0
    for limit, more in HEADS:
        if first < limit:
            return _rest(data, at + 1, more, first - below)
        below = limit
    if first & 0xFC == 0xF0:
        return _rest(data, at + 1, 4, 0)
    if first & 0xFC == 0xF4:
        return _rest(data, at + 1, 8, 0)
    raise Malformed(MALFORMED)


def _rest(data: bytes, at: int, more: int, value: int) -> tuple[int, int]:
    end = at + more
    if end > len(data):
        raise Malformed(MALFORMED)
    return value << 8 * more | int.from_bytes(data[at:end], "big"), end
