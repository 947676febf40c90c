"""A hint of an exit to its client about packets it did not pass on: a session message.

    refused   reason 1 | protocol 1 | port 2 | destination 4 or 16 | times 4

It explains in a status what the ICMP error beside it made an application feel. An exit sends few
of them, one a second in the long run; `times` counts what was refused since the last one.
docs/wire.md, section 8.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from struct import Struct
from typing import Final

from lokinet_node.base.errors import WireError
from lokinet_node.base.units import Micros

MOST_KEPT: Final = 8
MOST_TIMES: Final = 0xFFFFFFFF
_HEAD: Final = Struct("!BBH")
_TIMES: Final = Struct("!I")
_SIZES: Final = (_HEAD.size + 4 + _TIMES.size, _HEAD.size + 16 + _TIMES.size)


@dataclass(frozen=True, slots=True)
class Refused:
    """The last packet that was refused, and how many were since the last hint."""

    reason: int
    """exits/refusals.py; a number that is not known there is kept."""
    protocol: int
    port: int
    """Of the destination; 0 where the protocol has none."""
    destination: bytes
    """4 or 16 bytes."""
    times: int


def encode_refused(refused: Refused) -> bytes:
    """What follows the kind."""
    head = _HEAD.pack(refused.reason, refused.protocol, refused.port)
    return head + refused.destination + _TIMES.pack(min(refused.times, MOST_TIMES))


def decode_refused(data: bytes) -> Refused:
    """The twin; WireError for another length."""
    if len(data) not in _SIZES:
        raise WireError(f"a refusal of {len(data)} bytes")
    reason, protocol, port = _HEAD.unpack_from(data)
    destination = data[_HEAD.size : -_TIMES.size]
    return Refused(reason, protocol, port, destination, _TIMES.unpack(data[-_TIMES.size :])[0])


class RefusalLog:
    """What an exit said last, the same thing once; oldest first."""

    __slots__ = ("_kept",)

    def __init__(self) -> None:
        self._kept: dict[Refused, tuple[Micros, int]] = {}

    def __iter__(self) -> Iterator[tuple[Micros, Refused]]:
        for refused, (when, times) in self._kept.items():
            yield when, replace(refused, times=times)

    def note(self, refused: Refused, now: Micros) -> None:
        """One more hint."""
        same = replace(refused, times=0)
        _, times = self._kept.pop(same, (now, 0))
        self._kept[same] = now, times + refused.times
        if len(self._kept) > MOST_KEPT:
            del self._kept[next(iter(self._kept))]
