"""What a service offers beyond itself: the part of an introset that says whether it is an exit.

    offer     flags 1 (1: an exit, 2: callers must ask to be let in) | of an exit: ranges, services
    ranges    count 1 | prefix 1 (0 to 128), first address 16 each: IPv4 in its mapped form
    services  count 1 | protocol 1, port 2 (0: every port) each; none: all

An introset shows nobody more than its service says: these are Lokinet's `owned-range` and
`traffic-whitelist`. One value has one encoding. docs/wire.md, section 7.
"""

from __future__ import annotations

from dataclasses import dataclass
from struct import Struct
from typing import Final

from lokinet_node.base.errors import LocalProtocolError, WireError

MAX_RANGES: Final = 16
MAX_PORTS: Final = 32
MAX_OFFER_SIZE: Final = 2 + MAX_RANGES * 17 + 1 + MAX_PORTS * 3

_EXIT: Final = 1
_AUTH: Final = 2
_RANGE: Final = Struct("!B16s")
_SERVICE: Final = Struct("!BH")
_BITS: Final = 128


@dataclass(frozen=True, slots=True)
class Offer:
    """An exit's ranges and services mean something only with `is_exit`."""

    is_exit: bool = False
    needs_auth: bool = False
    ranges: tuple[tuple[int, int], ...] = ()
    """Lowest address as a number of 128 bits, and length of the prefix."""
    services: tuple[tuple[int, int], ...] = ()
    """Protocol and port; port 0: all of them."""


NO_OFFER: Final = Offer()


def encode_offer(offer: Offer) -> bytes:
    """The bytes of an offer; LocalProtocolError for more ranges or services than fit."""
    flags = _EXIT * offer.is_exit | _AUTH * offer.needs_auth
    if not offer.is_exit:
        return bytes((flags,))
    if len(offer.ranges) > MAX_RANGES or len(offer.services) > MAX_PORTS:
        raise LocalProtocolError(
            f"at most {MAX_RANGES} ranges and {MAX_PORTS} protocols fit into an introset"
        )
    ranges = (_RANGE.pack(prefix, first.to_bytes(16, "big")) for first, prefix in offer.ranges)
    services = (_SERVICE.pack(*service) for service in offer.services)
    return b"".join(
        (bytes((flags, len(offer.ranges))), *ranges, bytes((len(offer.services),)), *services)
    )


def decode_offer(data: bytes, at: int) -> tuple[Offer, int]:
    """The offer from offset `at`, and the offset behind it; WireError otherwise."""
    flags, at = _byte(data, at)
    if flags & ~(_EXIT | _AUTH):
        raise WireError(f"an offer with flags {flags}")
    needs_auth = bool(flags & _AUTH)
    if not flags & _EXIT:
        return Offer(needs_auth=needs_auth), at
    packed, at = _list(data, at, _RANGE, MAX_RANGES)
    ranges = tuple(
        (int.from_bytes(first, "big"), prefix) for prefix, first in _RANGE.iter_unpack(packed)
    )
    for first, prefix in ranges:
        if prefix > _BITS or first & ((1 << (_BITS - prefix)) - 1):
            raise WireError("a range with bits beyond its prefix")
    packed, at = _list(data, at, _SERVICE, MAX_PORTS)
    services = tuple((protocol, port) for protocol, port in _SERVICE.iter_unpack(packed))
    return Offer(True, needs_auth, ranges, services), at


def _byte(data: bytes, at: int) -> tuple[int, int]:
    if at >= len(data):
        raise WireError("an offer is cut short")
    return data[at], at + 1


def _list(data: bytes, at: int, item: Struct, most: int) -> tuple[bytes, int]:
    """The bytes of a counted list, and the offset behind it."""
    count, at = _byte(data, at)
    end = at + count * item.size
    if count > most or end > len(data):
        raise WireError(f"{count} items of an offer do not fit")
    return data[at:end], end
