"""Many ranges, and whether an address lies in one of them: a look-up for each length of prefix.

Numbers are those of exits/exit_range.py: IPv4 and IPv6 in one space.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from lokinet_node.exits.exit_range import ExitRange, parse_exit_range

_BITS: Final = 128


class RangeSet:
    """A fixed set of ranges; empty is falsy."""

    __slots__ = ("_by_shift",)

    def __init__(self, ranges: Iterable[ExitRange] = ()) -> None:
        by_shift: dict[int, set[int]] = {}
        for first, prefix in ranges:
            shift = _BITS - prefix
            by_shift.setdefault(shift, set()).add(first >> shift)
        self._by_shift = tuple(by_shift.items())

    def __bool__(self) -> bool:
        return bool(self._by_shift)

    def __contains__(self, number: int) -> bool:
        return any(number >> shift in members for shift, members in self._by_shift)


def _set(*texts: str) -> RangeSet:
    return RangeSet(map(parse_exit_range, texts))


NEVER: Final = _set(
    "0.0.0.0/8",  # this host
    "127.0.0.0/8",  # loopback
    "169.254.0.0/16",  # link-local, and where clouds keep their secrets
    "224.0.0.0/4",  # multicast
    "240.0.0.0/4",  # reserved, broadcast
    "::/128",
    "::1/128",
    "fe80::/10",
    "fec0::/10",
    "ff00::/8",
    "64:ff9b::/96",  # the forms in which an IPv6 address names an IPv4 one
    "64:ff9b:1::/48",
    "2001::/32",
    "2002::/16",
    "::/96",
)
"""What no exit ever passes on (security rule 24); IPv4-mapped ones are told by their length."""

_BOGONS: Final = (
    "10.0.0.0/8",
    "100.64.0.0/10",
    "172.16.0.0/12",
    "192.0.0.0/24",
    "192.0.2.0/24",
    "192.88.99.0/24",
    "192.168.0.0/16",
    "198.18.0.0/15",
    "198.51.100.0/24",
    "203.0.113.0/24",
    "100::/64",
    "200::/7",
    "2001:db8::/32",
    "3fff::/20",
    "5f00::/16",
    "f800::/8",
    "fc00::/7",
)
"""Not routed on the public internet: Lokinet's list and RFC 6890, 9637 and 9602."""

BOGONS: Final = _set(*_BOGONS)
_BOGON_RANGES: Final = tuple(map(parse_exit_range, _BOGONS))


def is_within_bogons(range_: ExitRange) -> bool:
    """Whether a range lies in one of them as a whole."""
    return any(bogon.covers(range_) for bogon in _BOGON_RANGES)
