"""Links and ways from what nodes say of themselves, and the pictures of them."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ElementTree

import pytest

from orchestrator.census import paths_of
from orchestrator.graph import Graph, Link, Vertex, WayThrough, graph_of
from orchestrator.pictures import dot, mermaid
from orchestrator.webpage import webpage
from tests.unit.orchestrator.people import address, census, link, observed, statuses

HOSTILE = '"><script>alert(1)</script>'


def test_each_link_is_there_once_and_clients_are_known_by_where_they_are(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    graph = graph_of(census(monkeypatch))
    assert [(link.left, link.right, link.state) for link in graph.links] == [
        ("alice", "r1", "up"),
        ("r1", "r2", "up"),
        ("r1", "r3", "down"),
        ("r2", "r3", "up"),
        ("r3", "web", "up"),
    ]


def test_a_way_is_both_halves_around_the_pivot(monkeypatch: pytest.MonkeyPatch) -> None:
    ways = graph_of(census(monkeypatch)).ways
    there = next(way for way in ways if way.sender == "alice")
    assert (there.receiver, there.hops, there.pivot, there.is_whole) == (
        "web",
        ("r1", "r2", "r3"),
        1,
        True,
    )
    assert there.through == "r1 → r2 (pivot) → r3"


def test_where_the_far_end_is_silent_there_is_half_a_way(monkeypatch: pytest.MonkeyPatch) -> None:
    shown = statuses()
    del shown["web"]
    graph = graph_of(census(monkeypatch, shown))
    (way,) = [way for way in graph.ways if way.sender == "alice"]
    assert (way.receiver, way.is_whole) == (f"{address('web')[:8]}…", False)
    assert way.through == "r1 → r2 (pivot) → …"
    assert [vertex.name for vertex in graph.vertices if not vertex.is_well] == ["web"]


def test_a_dead_router_keeps_its_name_through_those_who_speak_of_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    shown = statuses()
    del shown["r1"]
    found = census(monkeypatch, shown)
    assert found.errors == {"r1": "nobody answers"}
    assert [path.hops for path in paths_of(found, "alice")] == [("r1", "r2"), ("r3", "r1")]


def test_a_process_that_ended_is_not_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    found = census(monkeypatch, seen=observed(exit_code=-9))
    assert found.errors == {"r1": "lokinet ended with -9"}


def test_mermaid_and_dot_draw_both_layers_or_one(monkeypatch: pytest.MonkeyPatch) -> None:
    graph = graph_of(census(monkeypatch))
    both = mermaid(graph)
    assert both.startswith('flowchart LR\n  n0(["r1<br/>10.77.0.1"])\n')
    assert "  n4 --- n0\n" in both
    assert "  n0 -.- n2\n" in both
    assert "  n4 ==>|2| n0\n" in both
    arrows = len(re.findall("==>", both))
    links = len(re.findall("---|-\\.-", both))
    assert re.findall(r"linkStyle (\d+)", both) == [str(links + i) for i in range(arrows)]
    assert "==>" not in mermaid(graph, overlay=False)
    assert "---" not in mermaid(graph, underlay=False)
    assert 'n4 -> n0 [dir=none, color="#bbbbbb", style=solid];' in dot(graph)
    assert "dir=none" not in dot(graph, underlay=False)
    assert "penwidth" not in dot(graph, overlay=False)


def hostile() -> Graph:
    """Texts that would break out of a picture, had they a way."""
    vertices = (Vertex(HOSTILE, "router", HOSTILE, True), Vertex("b", "client", "1", False))
    link = Link("b", HOSTILE, HOSTILE, None)
    return Graph(vertices, (link,), (WayThrough("b", HOSTILE, (HOSTILE,), 0, False),))


def test_no_text_becomes_syntax() -> None:
    page = webpage(HOSTILE, hostile())
    assert "<script" not in page
    assert "&lt;script&gt;" in page
    assert '\\">' in dot(hostile())
    assert re.search(r'n0\(\["#quot;><script', mermaid(hostile())) is not None


def test_the_page_is_whole_and_loads_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    graph = graph_of(census(monkeypatch))
    page = webpage("net", graph)
    assert re.search(r"https?:|src=|@import|url\(|<link|<script", page) is None
    body = page[page.index("<svg") : page.index("</svg>") + 6]
    drawing = ElementTree.fromstring(body)
    assert len(drawing.findall("line")) == len(graph.links)
    assert len(drawing.findall("path")) == len(graph.ways)
    assert [group.findtext("text") for group in drawing.findall("g")] == [
        "r1", "r2", "r3", "web", "alice",
    ]  # fmt: skip
    assert "r1 → r2 (pivot) → r3" in page
    assert "<h2>Ways" not in webpage("net", graph, overlay=False)
    assert "<h2>Links" not in webpage("net", graph, underlay=False)


def test_a_link_without_a_router_behind_it_is_whose_address_it_has(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A client's link is shown with null for a router: that is nobody's name."""
    shown = statuses()
    shown["r1"]["links"] = [{**link("alice"), "router": None}]
    shown["r3"]["links"] = [{**link("web"), "router": None}]
    found = census(monkeypatch, shown)
    assert "None" not in found.names
    pairs = [(each.left, each.right) for each in graph_of(found).links]
    assert ("alice", "r1") in pairs
    assert ("r3", "web") in pairs
    assert ("alice", "r3") not in pairs
    assert ("r1", "web") not in pairs
