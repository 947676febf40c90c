"""Graphs as text for other programs: mermaid and dot. Pure.

Labels are quoted; nodes get numbers for names, so that no name can be taken for syntax.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

from orchestrator.graph import Graph

__all__ = ["dot", "mermaid"]

DOT_SHAPES = {
    "router": "ellipse",
    "client": "house",
    "service": "box",
    "chain": "cylinder",
    "exit": "rarrow",
    "server": "component",
}
MERMAID_SHAPES = {
    "router": ("([", "])"),
    "client": (">", "]"),
    "service": ("[", "]"),
    "chain": ("[(", ")]"),
    "exit": ("[/", "/]"),
    "server": ("[[", "]]"),
}
COLOURS = ("#d62728", "#1f77b4", "#2ca02c", "#9467bd", "#ff7f0e", "#17becf", "#8c564b", "#e377c2")


def mermaid(graph: Graph, underlay: bool = True, overlay: bool = True) -> str:
    """A flowchart; ways are numbered arrows."""
    return "\n".join([*_mermaid_lines(graph, underlay, overlay), ""])


def _mermaid_lines(graph: Graph, underlay: bool, overlay: bool) -> Iterator[str]:
    numbers = _numbers(graph)
    yield "flowchart LR"
    for vertex in graph.vertices:
        left, right = MERMAID_SHAPES.get(vertex.role, ("[", "]"))
        label = f"{vertex.name}<br/>{vertex.underlay}" + ("" if vertex.is_well else "<br/>silent")
        yield f'  n{numbers[vertex.name]}{left}"{_mermaid_text(label)}"{right}'
    drawn = 0
    if underlay:
        for link in graph.links:
            line = "---" if link.state == "up" else "-.-"
            yield f"  n{numbers[link.left]} {line} n{numbers[link.right]}"
            drawn += 1
    if overlay:
        for number, way in enumerate(graph.ways):
            for left, right in _steps((way.sender, *way.hops, way.receiver), numbers):
                yield f"  n{numbers[left]} ==>|{number + 1}| n{numbers[right]}"
                yield f"  linkStyle {drawn} stroke:{COLOURS[number % len(COLOURS)]}"
                drawn += 1


def _mermaid_text(text: str) -> str:
    return text.replace('"', "#quot;")


def dot(graph: Graph, underlay: bool = True, overlay: bool = True) -> str:
    """A digraph for graphviz; links have no heads."""
    return "\n".join([*_dot_lines(graph, underlay, overlay), ""])


def _dot_lines(graph: Graph, underlay: bool, overlay: bool) -> Iterator[str]:
    numbers = _numbers(graph)
    yield "digraph testnet {"
    yield "  layout=circo; overlap=false; splines=true;"
    for vertex in graph.vertices:
        shape = DOT_SHAPES.get(vertex.role, "box")
        style = "solid" if vertex.is_well else "dashed"
        label = _dot_text(f"{vertex.name}\n{vertex.underlay}")
        yield f"  n{numbers[vertex.name]} [label={label}, shape={shape}, style={style}];"
    if underlay:
        for link in graph.links:
            style = "solid" if link.state == "up" else "dotted"
            ends = f"n{numbers[link.left]} -> n{numbers[link.right]}"
            yield f'  {ends} [dir=none, color="#bbbbbb", style={style}];'
    if overlay:
        for number, way in enumerate(graph.ways):
            look = f'color="{COLOURS[number % len(COLOURS)]}", penwidth=2, label="{number + 1}"'
            for left, right in _steps((way.sender, *way.hops, way.receiver), numbers):
                yield f"  n{numbers[left]} -> n{numbers[right]} [{look}];"
    yield "}"


def _dot_text(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{escaped}"'


def _numbers(graph: Graph) -> dict[str, int]:
    return {vertex.name: number for number, vertex in enumerate(graph.vertices)}


def _steps(stations: tuple[str, ...], known: dict[str, int]) -> Iterator[tuple[str, str]]:
    """Neighbours on a way; steps to or from somebody who is not in the picture are left out."""
    for left, right in pairwise(stations):
        if left in known and right in known:
            yield left, right
