"""Many ranges, and whether an address lies in one of them: a look-up for each length of prefix.

Numbers are those of exits/exit_range.py: IPv4 and IPv6 in one space.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from lokinet_node.base.special import (
    EMBEDDED6,
    GROUPS,
    GROUPS6,
    LOCAL,
    LOCAL6,
    PRIVATE,
    PRIVATE6,
    PUBLIC6,
    UNROUTED,
    UNROUTED6,
)
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


NEVER: Final = _set(*LOCAL, *GROUPS, *LOCAL6, *GROUPS6, *EMBEDDED6)
"""What no exit ever passes on (security rule 24); IPv4-mapped ones are told by their length."""

_BOGONS: Final = tuple(map(parse_exit_range, (*PRIVATE, *UNROUTED, *PRIVATE6, *UNROUTED6)))
_PUBLIC6: Final = parse_exit_range(PUBLIC6)
_IPV4: Final = parse_exit_range("0.0.0.0/0")

_BOGON_SET: Final = RangeSet(_BOGONS)


def is_bogon(number: int) -> bool:
    """Whether the public internet does not route an address."""
    return number in _BOGON_SET or not (_IPV4.holds(number) or _PUBLIC6.holds(number))


def is_within_bogons(range_: ExitRange) -> bool:
    """Whether the public internet routes no address of a range."""
    if any(bogon.covers(range_) for bogon in _BOGONS):
        return True
    return not any(one.covers(range_) or range_.covers(one) for one in (_IPV4, _PUBLIC6))
