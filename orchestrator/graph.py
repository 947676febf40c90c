"""A network as a graph: nodes, links of the underlay, ways of the overlay. Pure.

A way is what both ends together know of the hops their packets take; nobody else knows them. Where
only one end is at hand, it is that end's half.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from orchestrator.census import Census, service_of
from orchestrator.page import way_between

__all__ = ["Graph", "Link", "Vertex", "WayThrough", "graph_of"]


CLEARNET = "clearnet"
"""State of a link that is none of Lokinet's."""


@dataclass(frozen=True, slots=True)
class Vertex:
    """A node."""

    name: str
    role: str
    underlay: str
    is_well: bool
    """It answers."""


@dataclass(frozen=True, slots=True)
class Link:
    """Two nodes that are linked, in alphabetical order."""

    left: str
    right: str
    state: str
    rtt_ms: float | None


@dataclass(frozen=True, slots=True)
class WayThrough:
    """How packets of one end come to another."""

    sender: str
    receiver: str
    hops: tuple[str, ...]
    pivot: int
    """Which hop both halves share, counted from 0."""
    is_whole: bool
    """The receiver's half is known too."""

    @property
    def through(self) -> str:
        """All hops in one line."""
        names = [f"{hop} (pivot)" if i == self.pivot else hop for i, hop in enumerate(self.hops)]
        return " → ".join(names if self.is_whole else [*names, "…"])


@dataclass(frozen=True, slots=True)
class Graph:
    """Both layers."""

    vertices: tuple[Vertex, ...]
    links: tuple[Link, ...]
    ways: tuple[WayThrough, ...]


def graph_of(census: Census) -> Graph:
    """What the nodes show now."""
    vertices = tuple(
        Vertex(name, census.role(name), node.address, name in census.statuses)
        for name, node in census.observed.nodes.items()
    )
    links = [*_links(census), *_clearnet(census)]
    return Graph(vertices, tuple(links), tuple(_ways(census)))


def _clearnet(census: Census) -> Iterator[Link]:
    """Each exit with each server: they are in one network."""
    roles = {name: census.role(name) for name in census.observed.nodes}
    exits = [name for name, role in roles.items() if role == "exit"]
    for server in (name for name, role in roles.items() if role == "server"):
        for exit_node in exits:
            yield Link(exit_node, server, CLEARNET, None)


def _links(census: Census) -> tuple[Link, ...]:
    """Each link once, though both its ends show it; up if one of them says so."""
    found: dict[tuple[str, str], Link] = {}
    for name, status in census.statuses.items():
        for shown in status.get("links") or []:
            other = _peer(census, shown)
            if other is None or other == name:
                continue
            left, right = sorted((name, other))
            link = Link(left, right, str(shown.get("state", "")), shown.get("rtt_ms"))
            known = found.get((left, right))
            if known is None or (known.state != "up" and link.state == "up"):
                found[left, right] = link
    return tuple(found[pair] for pair in sorted(found))


def _peer(census: Census, shown: dict[str, Any]) -> str | None:
    """By the router's address, or by where it is: clients' links bear no lasting name."""
    by_name = census.names.get(str(shown.get("router")))
    return by_name or census.underlay.get(str(shown.get("address", "")).partition(":")[0])


def _ways(census: Census) -> Iterator[WayThrough]:
    for sender, status in census.statuses.items():
        for session in service_of(status).get("remoteSessions") or []:
            ours = tuple(census.called(str(hop)) for hop in session.get("route") or [])
            if not ours:
                continue
            address = str(session.get("remote"))
            receiver = census.called(address)
            theirs = census.statuses.get(receiver)
            way = way_between(status, theirs, census.names) if theirs else None
            if way is None:
                yield WayThrough(sender, receiver, ours, len(ours) - 1, False)
            else:
                hops = (*way.sender_hops, *way.receiver_hops[1:])
                yield WayThrough(sender, receiver, hops, len(way.sender_hops) - 1, True)
