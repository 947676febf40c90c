"""When which link is looked at: a heap, so that thousands of links cost one comparison a turn.

A link is armed with the latest instant for a look, and how much earlier one is of use. What only
shows that somebody is alive can wait for SLACK, so that a node with many links wakes up once for
several. Deadlines that moved further away are not removed: the link is looked at in vain once and
armed again.
"""

from __future__ import annotations

import heapq
from typing import TYPE_CHECKING, Final

from lokinet_node.base.units import MILLISECOND, Micros

if TYPE_CHECKING:
    from lokinet_node.link.link import Link

SLACK: Final[Micros] = 10 * MILLISECOND
"""How long a sign of life, or asking for one, can wait. The peer is patient for 100 ms or three
round trips: a sign that leaves within two thirds of 100 ms is in time however long the way is."""


class Timers:
    """Links by the latest instant at which they want to be looked at."""

    __slots__ = ("_heap", "_serial")

    def __init__(self) -> None:
        self._heap: list[tuple[Micros, int, Link, Micros]] = []
        self._serial = 0

    def arm(self, link: Link, latest: Micros, slack: Micros = 0) -> None:
        """Look at a link between `latest - slack` and `latest`, unless its last chance is before.

        Of two calls the one with the earlier `latest` counts.
        """
        if link.wakes_at is None or latest < link.wakes_at:
            link.wakes_at = latest
            self._serial += 1
            heapq.heappush(self._heap, (latest, self._serial, link, latest - slack))

    def deadline(self) -> Micros | None:
        """When the first link has to be looked at."""
        return self._heap[0][0] if self._heap else None

    def take_due(self, now: Micros) -> list[Link]:
        """Links whose time has come; each is to be armed again."""
        due = []
        while self._heap and self._heap[0][3] <= now:
            latest, _, link, _ = heapq.heappop(self._heap)
            if link.wakes_at == latest:
                link.wakes_at = None
                due.append(link)
        return due
