"""What a stream of packets went through: delay, loss, jitter. Pure.

Percentiles are by nearest rank. Jitter is RFC 3550's estimate (section 6.4.1), in the order in
which packets came, of the time they really were sent at: a sender that is late counts for nothing.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

__all__ = ["Delays", "delays_of", "jitters", "percentile"]

LEAST_ROOM_MS, MOST_ROOM_MS = 40.0, 200.0
"""What a jitter buffer waits for slower packets beyond the fastest: two packets, as the E-model's
fixed terms have it, or as much as lets 99 in 100 in time, while people can still talk."""
IN_TIME = 99

SMOOTHING = 16
"""RFC 3550: each packet counts for a sixteenth."""


@dataclass(frozen=True, slots=True)
class Delays:
    """Of one stream; milliseconds."""

    sent: int
    came: int
    late: int
    """Of those that came: too late to be played."""
    p50_ms: float
    p95_ms: float
    most_ms: float
    jitter_ms: float
    room_ms: float
    """What the jitter buffer waits beyond the fastest packet."""

    @property
    def loss(self) -> float:
        """The share that was never heard: lost, or too late."""
        return 1 - (self.came - self.late) / self.sent if self.sent else 0.0

    def __str__(self) -> str:
        lost = f"{self.sent - self.came}/{self.sent} lost"
        late = f", {self.late} late" if self.late else ""
        delay = f"{self.p50_ms:.1f} ms (p95 {self.p95_ms:.1f})"
        return f"{lost}{late}, {delay}, jitter {self.jitter_ms:.1f} ms"


def delays_of(sent: Sequence[float], came: Mapping[int, float]) -> tuple[Delays, frozenset[int]]:
    """Figures of a stream, and the packets that came too late.

    Args:
        sent: when each packet was sent, in seconds.
        came: when packets came, by their number, on the same clock.
    """
    ways = {number: (at - sent[number]) * 1000 for number, at in came.items()}
    ordered = sorted(ways.values())
    least = percentile(ordered, 0)
    limit = max(percentile(ordered, IN_TIME), least + LEAST_ROOM_MS)
    limit = min(limit, least + MOST_ROOM_MS)
    late = frozenset(number for number, way in ways.items() if way > limit)
    estimates = jitters(sent, came)
    figures = Delays(
        sent=len(sent),
        came=len(came),
        late=len(late),
        p50_ms=percentile(ordered, 50),
        p95_ms=percentile(ordered, 95),
        most_ms=percentile(ordered, 100),
        jitter_ms=estimates[-1][1] if estimates else 0.0,
        room_ms=limit - least,
    )
    return figures, late


def jitters(sent: Sequence[float], came: Mapping[int, float]) -> list[tuple[float, float]]:
    """(when it came, the estimate in milliseconds) after each packet but the first."""
    in_order = sorted((at, (at - sent[number]) * 1000) for number, at in came.items())
    jitter, found = 0.0, []
    for (_, before), (at, after) in itertools.pairwise(in_order):
        jitter += (abs(after - before) - jitter) / SMOOTHING
        found.append((at, jitter))
    return found


def percentile(ordered: Sequence[float], share: int) -> float:
    """Nearest rank of sorted values; 0 of none."""
    if not ordered:
        return 0.0
    return ordered[max(0, -(-len(ordered) * share // 100) - 1)]
