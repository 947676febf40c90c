"""Blinding periods: an address has another blinded key in each (docs/wire.md, section 7).

Around a boundary a service publishes under two keys, because the clocks of those who look it up
may be ahead of its own or behind.
"""

from __future__ import annotations

from typing import Final

from lokinet_node.base.units import MINUTE, Micros

CLOCK_TOLERANCE: Final[Micros] = 2 * MINUTE
"""By how much two clocks of a network may differ: as for handshakes."""


def period_at(now: Micros, length: Micros) -> int:
    """Number of the period that `now` lies in."""
    return now // length


def periods_around(now: Micros, length: Micros, ahead: Micros) -> tuple[int, ...]:
    """The periods to publish for: one, or two around a boundary, the current one first.

    The next one counts from `ahead` and the clocks' tolerance before the boundary, the previous
    one until the tolerance after it; in networks with short periods for half and a quarter of
    one at most, so that there are never three.
    """
    current = period_at(now, length)
    if period_at(now + _lead(length, ahead), length) > current:
        return current, current + 1
    if period_at(now - _lag(length), length) < current:
        return current, current - 1
    return (current,)


def next_change(now: Micros, length: Micros, ahead: Micros) -> Micros:
    """The first instant after `now` at which `periods_around` has another answer."""
    start = period_at(now, length) * length
    changes = (start + _lag(length), start + length - _lead(length, ahead), start + length)
    return min(change for change in changes if change > now)


def _lead(length: Micros, ahead: Micros) -> Micros:
    return min(ahead + CLOCK_TOLERANCE, length // 2)


def _lag(length: Micros) -> Micros:
    return min(CLOCK_TOLERANCE, length // 4)
