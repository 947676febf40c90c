"""Figures over time: a point a second, of the last minutes, in the form that reports draw."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from orchestrator.traffic.delays import Delays

__all__ = ["Chart", "Recent"]

MOST_POINTS = 600
"""Of a line: ten minutes."""


@dataclass(slots=True)
class Chart:
    """Some lines over seconds since the load began."""

    title: str
    unit: str
    lines: dict[str, deque[tuple[float, float]]] = field(default_factory=dict)

    def add(self, seconds: float, **values: float) -> None:
        """A point of each line."""
        for name, value in values.items():
            line = self.lines.setdefault(name, deque(maxlen=MOST_POINTS))
            line.append((round(seconds, 2), round(value, 4)))

    def data(self) -> dict[str, Any]:
        """As JSON."""
        lines = {name: list(points) for name, points in self.lines.items()}
        return {"title": self.title, "x": "s", "y": self.unit, "series": lines}


@dataclass(slots=True)
class Recent:
    """What was added to something since it was last looked at."""

    delays: Delays = field(default_factory=Delays)
    counts: dict[str, float] = field(default_factory=dict)

    def added_delays(self, now: Delays) -> Delays:
        """Those since the last look."""
        added = now.since(self.delays)
        self.delays = Delays.joined([now])
        return added

    def added(self, **counts: float) -> Iterator[float]:
        """Of each count what came since the last look."""
        for name, count in counts.items():
            yield count - self.counts.get(name, 0.0)
            self.counts[name] = count
