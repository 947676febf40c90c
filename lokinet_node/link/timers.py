"""When which link is looked at: a heap, so that thousands of links cost one comparison a turn.

A link is armed for its earliest deadline known. Deadlines that moved further away are not removed:
the link is looked at in vain once and armed again.
"""

from __future__ import annotations

import heapq
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lokinet_node.base.units import Micros
    from lokinet_node.link.link import Link


class Timers:
    """Links by the instant at which they want to be looked at."""

    __slots__ = ("_heap", "_serial")

    def __init__(self) -> None:
        self._heap: list[tuple[Micros, int, Link]] = []
        self._serial = 0

    def arm(self, link: Link, when: Micros) -> None:
        """Look at a link at this instant, unless that is to happen earlier anyway."""
        if link.wakes_at is None or when < link.wakes_at:
            link.wakes_at = when
            self._serial += 1
            heapq.heappush(self._heap, (when, self._serial, link))

    def deadline(self) -> Micros | None:
        """When the first link wants to be looked at."""
        return self._heap[0][0] if self._heap else None

    def take_due(self, now: Micros) -> list[Link]:
        """Links whose time has come; each is to be armed again."""
        due = []
        while self._heap and self._heap[0][0] <= now:
            when, _, link = heapq.heappop(self._heap)
            if link.wakes_at == when:
                link.wakes_at = None
                due.append(link)
        return due
