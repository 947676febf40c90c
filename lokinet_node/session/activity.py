"""When a session was used, which is found out by looking: the data plane tells nobody.

Sessions are looked at often while they are busy and seldom otherwise, on a grid common to all, so
that the idle ones wake the node once.
"""

from __future__ import annotations

from typing import Final

from lokinet_node.base.units import MILLISECOND, SECOND, Micros

BUSY_POLL: Final[Micros] = 250 * MILLISECOND
IDLE_POLL: Final[Micros] = SECOND
BUSY: Final[Micros] = 2 * SECOND


class Activity:
    """Of one session."""

    __slots__ = ("_counts", "last_used", "poll_at")

    def __init__(self, now: Micros) -> None:
        """Somebody wants it."""
        self.last_used: Micros = now
        """The last data in either direction, session messages not counted."""
        self.poll_at: Micros = now
        self._counts = (0, 0)

    def counted(self, sent: int, received: int, now: Micros) -> None:
        """So many records of data were sent and received so far."""
        if (sent, received) != self._counts:
            self._counts = (sent, received)
            self.last_used = now

    def is_busy(self, now: Micros) -> bool:
        """Whether it was used lately."""
        return now - self.last_used < BUSY

    def polled(self, now: Micros, *, is_waiting: bool) -> None:
        """Look again at `poll_at`; soon, too, while something sent waits for an answer."""
        interval = BUSY_POLL if is_waiting or self.is_busy(now) else IDLE_POLL
        self.poll_at = (now // interval + 1) * interval
