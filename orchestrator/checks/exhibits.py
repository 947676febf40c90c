"""Exhibits that checks make: series of measurements, which a report draws."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

__all__ = ["series"]


def series(title: str, x: str, y: str, lines: Mapping[str, Sequence[tuple[float, float]]]) -> bytes:
    """The content of an exhibit whose name ends in `.series.json`.

    Args:
        title: what is drawn: `one-way delay`.
        x: unit of the first number of each point: `s`.
        y: unit of the second.
        lines: the points by what they belong to: `alice → bob`; at most 12 lines are drawn.
    """
    rounded = {
        name: [(round(left, 6), round(right, 6)) for left, right in points]
        for name, points in lines.items()
    }
    data = {"title": title, "x": x, "y": y, "series": rounded}
    return json.dumps(data, ensure_ascii=False, separators=(",", ":")).encode()
