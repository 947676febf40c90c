"""When a node is asked for its deadline: in gaps between packets, once for many of them.

Packets move deadlines. But whoever was just sent something may wait for this very processor, and
the answer to it may be on its way back: asking at once would make each hop of a path slower. So
the node is asked in a gap of QUIET if there is one, else every RECHECK; in a gap, too, not more
often than that, unless something is due. What was known to be due waits for a gap, but no longer
than one.
"""

from __future__ import annotations

from typing import Final

from lokinet_node.base.units import MILLISECOND, Micros

QUIET: Final[Micros] = 6 * MILLISECOND
"""Without a packet for so long nobody is in a hurry: a round trip in a network on one machine.

What the peer waits for is late by as much: 50 ms, the links' SLACK and this are less than 70 ms."""
RECHECK: Final[Micros] = 20 * MILLISECOND
PAUSE: Final[Micros] = MILLISECOND
"""Between two looks, whatever the node says."""
NEVER: Final[Micros] = 1 << 62


class Agenda:
    """Of one node; there is nothing to look at before `begin` and after `rest`."""

    __slots__ = ("_due", "_is_on", "_is_stirred", "_latest", "_soonest", "wakes_at")

    def __init__(self) -> None:
        self.wakes_at: Micros = NEVER
        """When the node is to be asked next."""
        self._is_on = False
        self._due: Micros = NEVER
        """What it said last."""
        self._is_stirred = False
        """Whether packets came since then; if so, it is asked between these two."""
        self._soonest: Micros = NEVER
        self._latest: Micros = NEVER

    def begin(self) -> None:
        """There is a node now: look at once."""
        self._is_on = True
        self.wakes_at = 0

    def stir(self, now: Micros) -> None:
        """A packet came, or somebody used the node: its deadline may have moved."""
        if not self._is_on:
            return
        if not self._is_stirred:
            self._is_stirred = True
            self._latest = min(now + RECHECK, self._due + QUIET)
        gap = now + QUIET
        if gap < self._soonest:
            gap = self._soonest
        self.wakes_at = gap if gap < self._latest else self._latest

    def look(self, now: Micros, due: Micros) -> None:
        """The node was asked, and did what was due; more will be at `due`."""
        self._due = self.wakes_at = max(due, now + PAUSE)
        self._is_stirred = False
        self._soonest = min(self._due, now + RECHECK)

    def rest(self) -> None:
        """Nothing is to be asked any more."""
        self._is_on = False
        self.wakes_at = NEVER
