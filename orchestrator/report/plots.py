"""Plots of series as SVG elements: axes with round numbers, a line for each series. Pure.

Built as elements and serialised, so every text is escaped; no style attribute, as the page's policy
allows only its own style. What is too dense is drawn by the least and the most of each column, so
that no spike is lost.
"""

from __future__ import annotations

import math
import xml.etree.ElementTree as ElementTree
from collections.abc import Iterator, Sequence

from orchestrator.pictures import COLOURS
from orchestrator.report.series import Line, Point, Series

__all__ = ["STYLE", "caption", "plot"]

WIDTH, HEIGHT = 640, 280
LEFT, RIGHT, TOP, BOTTOM = 62, 14, 26, 40
"""Margins, in units of the picture."""
COLUMNS = 560
"""So many points of a line at most have their own place; about the picture's width."""
TICKS = 5
DASHES = ("", "7 3", "2 3")
"""After as many lines as there are colours they begin anew, dashed."""
STYLE = """
.plot { background: #fff } .plot text { font-size: 12px; fill: #444 }
.plot .title { font-size: 13px; font-weight: 600; fill: #222 }
.grid { stroke: #e4e4e4; stroke-width: 1 } .axis { stroke: #888; stroke-width: 1 }
svg.key { width: 20px; height: 8px; border: 0; background: none }
.curve { fill: none; stroke-width: 1.4 } .right { text-anchor: end } .middle { text-anchor: middle }
""".strip()

Element = ElementTree.Element


def plot(series: Series) -> Element:
    """One picture."""
    view = f"0 0 {WIDTH} {HEIGHT}"
    picture = Element("svg", {"viewBox": view, "role": "img", "class": "plot"})
    _text(picture, series.title, LEFT, 16, "title")
    xs = [x for line in series.lines for x, _ in line.points]
    ys = [y for line in series.lines for _, y in line.points]
    across = _Axis(min(xs), max(xs), LEFT, WIDTH - RIGHT)
    up = _Axis(min(0.0, *ys), max(ys), HEIGHT - BOTTOM, TOP)
    for tick in across.ticks():
        place = across.place(tick)
        _stroke(picture, "grid", place, TOP, place, HEIGHT - BOTTOM)
        _text(picture, across.shown(tick), place, HEIGHT - BOTTOM + 16, "middle")
    for tick in up.ticks():
        place = up.place(tick)
        _stroke(picture, "grid", LEFT, place, WIDTH - RIGHT, place)
        _text(picture, up.shown(tick), LEFT - 6, place + 4, "right")
    _stroke(picture, "axis", LEFT, HEIGHT - BOTTOM, WIDTH - RIGHT, HEIGHT - BOTTOM)
    _stroke(picture, "axis", LEFT, TOP, LEFT, HEIGHT - BOTTOM)
    _text(picture, series.x, WIDTH - RIGHT, HEIGHT - 6, "right")
    _text(picture, series.y, LEFT - 6, TOP - 10, "right")
    for number, line in enumerate(series.lines):
        _draw(picture, number, line, across, up)
    return picture


def caption(series: Series) -> list[tuple[str, str, str]]:
    """Of each line its colour's number, its name, and what its points say in numbers."""
    return [
        (
            COLOURS[number % len(COLOURS)],
            line.name,
            f"{len(line.points)} points, median {line.quantile(0.5):.4g}, "
            f"p95 {line.quantile(0.95):.4g}, most {line.quantile(1.0):.4g} {series.y}",
        )
        for number, line in enumerate(series.lines)
    ]


class _Axis:
    """From numbers to places; its ends are the data's, widened where that is nothing."""

    def __init__(self, least: float, most: float, start: float, end: float) -> None:
        wide = most - least or abs(most) or 1.0
        self._least, self._most = least, least + wide
        self._start, self._end = start, end
        raw = wide / TICKS
        power = 10.0 ** math.floor(math.log10(raw))
        self._step = next(step * power for step in (1, 2, 5, 10) if step * power >= raw)

    def place(self, number: float) -> float:
        share = (number - self._least) / (self._most - self._least)
        return self._start + share * (self._end - self._start)

    def ticks(self) -> list[float]:
        first = math.ceil(self._least / self._step - 1e-9)
        last = math.floor(self._most / self._step + 1e-9)
        return [number * self._step for number in range(first, last + 1)]

    def shown(self, tick: float) -> str:
        """With as many digits as tell two ticks apart."""
        digits = max(0, -math.floor(math.log10(self._step)))
        return f"{tick:.{digits}f}" if abs(tick) < 1e6 else f"{tick:.3g}"


def _draw(picture: Element, number: int, line: Line, across: _Axis, up: _Axis) -> None:
    colour = COLOURS[number % len(COLOURS)]
    places = [(across.place(x), up.place(y)) for x, y in line.points]
    if len(places) == 1:
        ((x, y),) = places
        drawn = _add(picture, "circle", cx=f"{x:.1f}", cy=f"{y:.1f}", r="3", fill=colour)
    else:
        points = " ".join(f"{x:.1f},{y:.1f}" for x, y in _thinned(places))
        drawn = _add(picture, "polyline", points=points, stroke=colour, **{"class": "curve"})
        if dash := DASHES[number // len(COLOURS) % len(DASHES)]:
            drawn.set("stroke-dasharray", dash)
    _add(drawn, "title").text = line.name


def _thinned(places: Sequence[Point]) -> Iterator[Point]:
    """The least and the most of each column, where there is more than that."""
    if len(places) <= 2 * COLUMNS:
        yield from places
        return
    size = len(places) / COLUMNS
    for column in range(COLUMNS):
        part = places[int(column * size) : int((column + 1) * size)]
        ends = (min(part, key=lambda point: point[1]), max(part, key=lambda point: point[1]))
        yield from sorted(ends)


def _stroke(picture: Element, kind: str, x1: float, y1: float, x2: float, y2: float) -> None:
    ends = {"x1": x1, "y1": y1, "x2": x2, "y2": y2}
    _add(picture, "line", **{"class": kind}, **{k: f"{v:.1f}" for k, v in ends.items()})


def _text(picture: Element, text: str, x: float, y: float, kind: str) -> None:
    _add(picture, "text", x=f"{x:.1f}", y=f"{y:.1f}", **{"class": kind}).text = text


def _add(parent: Element, tag: str, **attributes: str) -> Element:
    return ElementTree.SubElement(parent, tag, attributes)
