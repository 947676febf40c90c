"""A hint of an exit to its client about packets it did not pass on: a session message.

    refused   reason 1 | protocol 1 | port 2 | destination 4 or 16 | times 4

It explains in a status what the ICMP error beside it made an application feel. An exit sends one
a second at most; `times` counts what was refused since the last one. docs/wire.md, section 8.
"""

from __future__ import annotations

from dataclasses import dataclass
from struct import Struct
from typing import Final

from lokinet_node.base.errors import WireError

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
