"""Series of measurements as checks hand them over, read back without trust. Pure.

An exhibit that ends in `.series.json` is one object: `{"title": "one-way delay", "x": "s", "y":
"ms", "series": {"alice → bob": [[0.02, 3.1], ...]}}`. Everything in it may come from a program
under test: sizes are bounded, numbers finite, texts printable.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from orchestrator.report.redact import printable

__all__ = ["ENDING", "Line", "Point", "Series", "read_series"]

ENDING = ".series.json"
MOST_LINES = 12
MOST_POINTS = 200_000
LONGEST_TEXT = 80

Point = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a plot."""

    name: str
    points: tuple[Point, ...]
    """In order of x."""

    def quantile(self, share: float) -> float:
        """Of the y values: the smallest that at least that share does not exceed."""
        values = sorted(y for _, y in self.points)
        return values[max(0, math.ceil(share * len(values)) - 1)]


@dataclass(frozen=True, slots=True)
class Series:
    """What one plot shows; at least one line, each with at least one point."""

    title: str
    x: str
    y: str
    lines: tuple[Line, ...]


def read_series(data: bytes) -> Series:
    """Raises ValueError with what cannot be drawn, and why."""
    try:
        found = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"no JSON: {error}") from error
    if not isinstance(found, Mapping) or not isinstance(found.get("series"), Mapping):
        raise ValueError("no object with `series`")
    lines = found["series"]
    if len(lines) > MOST_LINES:
        raise ValueError(f"{len(lines)} lines, where {MOST_LINES} can be told apart")
    if sum(len(points) for points in lines.values() if isinstance(points, list)) > MOST_POINTS:
        raise ValueError(f"more than {MOST_POINTS} points")
    drawn = tuple(_line(str(name), points) for name, points in lines.items() if points)
    if not drawn:
        raise ValueError("no point in it")
    title, x, y = (_text(found.get(word, "")) for word in ("title", "x", "y"))
    return Series(title, x, y, drawn)


def _line(name: str, points: Any) -> Line:
    if not isinstance(points, list):
        raise ValueError(f"{_text(name)}: no list of points")
    return Line(_text(name), tuple(sorted(_point(name, point) for point in points)))


def _point(name: str, point: Any) -> Point:
    match point:
        case [int() | float() as x, int() | float() as y]:
            pass
        case _:
            raise ValueError(f"{_text(name)}: a point that is no pair of numbers")
    try:
        pair = float(x), float(y)
    except OverflowError as error:
        raise ValueError(f"{_text(name)}: a number too large to draw") from error
    if not all(math.isfinite(number) and abs(number) < 1e15 for number in pair):
        raise ValueError(f"{_text(name)}: a number that cannot be drawn")
    return pair


def _text(value: Any) -> str:
    return printable(str(value))[:LONGEST_TEXT]
