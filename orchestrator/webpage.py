"""A graph as one HTML file: a drawing, and tables of links and ways. It loads nothing.

Pure. Built as elements and serialised, so every text is escaped, whoever wrote it.
"""

from __future__ import annotations

import math
import xml.etree.ElementTree as ElementTree
from collections.abc import Sequence
from itertools import pairwise

from orchestrator.graph import Graph, WayThrough
from orchestrator.pictures import COLOURS

__all__ = ["STYLE", "drawing", "webpage"]

SIZE = 900
INNER, OUTER = 250, 385
"""Radii of the routers' circle and of everybody else's."""
NODE_RADIUS = 26
BEND = 14
"""How far apart ways are that share a step."""
STYLE = """
body { font: 15px/1.45 system-ui, sans-serif; margin: 2rem auto; max-width: 62rem; color: #222 }
svg { width: 100%; height: auto; background: #fafafa; border: 1px solid #ddd }
table { border-collapse: collapse; margin: 1rem 0 }
td, th { padding: .2rem .8rem .2rem 0; text-align: left; vertical-align: top }
.link { stroke: #ccc; stroke-width: 1.5 } .link.down { stroke-dasharray: 5 5 }
.way { fill: none; stroke-width: 3; opacity: .8 }
.node circle { stroke: #444; stroke-width: 1.5; fill: #fff }
.client circle { fill: #e3f2e1 } .service circle { fill: #e1ecf7 } .chain circle { fill: #f6eccf }
.silent circle { stroke-dasharray: 4 3; fill: #f7d9d9 }
.node text { text-anchor: middle; font-size: 12px }
""".strip()

Element = ElementTree.Element
Point = tuple[float, float]


def webpage(title: str, graph: Graph, underlay: bool = True, overlay: bool = True) -> str:
    """The whole file."""
    page = Element("html", lang="en")
    head = _add(page, "head")
    _add(head, "meta", charset="utf-8")
    _add(head, "title", f"testnet {title}")
    _add(head, "style", STYLE)
    body = _add(page, "body")
    _add(body, "h1", title)
    body.append(drawing(graph, underlay, overlay))
    if overlay:
        _add(body, "h2", "Ways")
        _table(body, ("", "from", "to", "through"), [_way_row(i, w) for i, w in _numbered(graph)])
    if underlay:
        _add(body, "h2", "Links")
        rows = [
            (link.left, link.right, link.state, "" if link.rtt_ms is None else f"{link.rtt_ms} ms")
            for link in graph.links
        ]
        _table(body, ("from", "to", "state", "round trip"), rows)
    _add(body, "h2", "Nodes")
    _table(
        body,
        ("node", "role", "underlay", ""),
        [(v.name, v.role, v.underlay, "" if v.is_well else "silent") for v in graph.vertices],
    )
    text = ElementTree.tostring(page, encoding="unicode", method="html")
    return f"<!doctype html>\n{text}\n"


def _numbered(graph: Graph) -> list[tuple[int, WayThrough]]:
    return list(enumerate(graph.ways, start=1))


def _way_row(number: int, way: WayThrough) -> tuple[str, ...]:
    return (str(number), way.sender, way.receiver, way.through)


def drawing(graph: Graph, underlay: bool, overlay: bool) -> Element:
    """One layer or both; `STYLE` belongs to it."""
    picture = Element("svg", viewBox=f"0 0 {SIZE} {SIZE}", role="img")
    places = _places(graph)
    if underlay:
        for link in graph.links:
            (x1, y1), (x2, y2) = places[link.left], places[link.right]
            kind = "link" if link.state == "up" else "link down"
            ends = {"x1": x1, "y1": y1, "x2": x2, "y2": y2}
            _add(picture, "line", **{"class": kind}, **{k: f"{v:.0f}" for k, v in ends.items()})
    if overlay:
        for number, way in _numbered(graph):
            stations = [way.sender, *way.hops, way.receiver]
            known = [places[station] for station in stations if station in places]
            colour = COLOURS[(number - 1) % len(COLOURS)]
            line = _add(picture, "path", d=_curve(known, number), stroke=colour, **{"class": "way"})
            _add(line, "title", f"{number}: {' → '.join(stations)}")
    for vertex in graph.vertices:
        x, y = places[vertex.name]
        kind = f"node {vertex.role}" + ("" if vertex.is_well else " silent")
        group = _add(picture, "g", **{"class": kind})
        _add(group, "circle", cx=f"{x:.0f}", cy=f"{y:.0f}", r=str(NODE_RADIUS))
        _add(group, "text", vertex.name, x=f"{x:.0f}", y=f"{y + 4:.0f}")
    return picture


def _places(graph: Graph) -> dict[str, Point]:
    """Routers on a circle, everybody else on a wider one."""
    routers = [vertex.name for vertex in graph.vertices if vertex.role == "router"]
    others = [vertex.name for vertex in graph.vertices if vertex.role != "router"]
    return {**_circle(routers, INNER, 0.0), **_circle(others, OUTER, 0.5)}


def _circle(names: Sequence[str], radius: int, turned: float) -> dict[str, Point]:
    places = {}
    for number, name in enumerate(names):
        angle = 2 * math.pi * (number + turned) / len(names) - math.pi / 2
        x, y = SIZE / 2 + radius * math.cos(angle), SIZE / 2 + radius * math.sin(angle)
        places[name] = (x, y)
    return places


def _curve(points: Sequence[Point], number: int) -> str:
    """From point to point, bent a little more for each way, so that none hides another."""
    if not points:
        return ""
    parts = [f"M {points[0][0]:.0f} {points[0][1]:.0f}"]
    for (x1, y1), (x2, y2) in pairwise(points):
        length = math.hypot(x2 - x1, y2 - y1) or 1.0
        bend = BEND * number
        x = (x1 + x2) / 2 - (y2 - y1) / length * bend
        y = (y1 + y2) / 2 + (x2 - x1) / length * bend
        parts.append(f"Q {x:.0f} {y:.0f} {x2:.0f} {y2:.0f}")
    return " ".join(parts)


def _table(body: Element, head: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    table = _add(body, "table")
    for kind, cells in [("th", head), *(("td", row) for row in rows)]:
        line = _add(table, "tr")
        for cell in cells:
            _add(line, kind, cell)


def _add(parent: Element, tag: str, text: str | None = None, **attributes: str) -> Element:
    child = ElementTree.SubElement(parent, tag, attributes)
    child.text = text
    return child
