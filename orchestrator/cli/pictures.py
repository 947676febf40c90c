"""`testnet graph`, `testnet inspect --paths`: who is linked to whom, who talks through whom."""

from __future__ import annotations

import argparse
import os
import sys
import time
from dataclasses import asdict
from typing import Any

from orchestrator.census import Census, OwnedPath, paths_of, service_of, take_census
from orchestrator.cli.network import node_of, observed_network
from orchestrator.cli.output import print_json, print_table, tell
from orchestrator.errors import EXIT_OK, UsageError
from orchestrator.graph import Graph, graph_of
from orchestrator.pictures import dot, mermaid
from orchestrator.units import format_seconds
from orchestrator.webpage import webpage

__all__ = ["graph", "show_paths"]


def graph(arguments: argparse.Namespace) -> int:
    """Print the picture, or write it to a file."""
    places, backend, observed = observed_network(arguments.name)
    found = graph_of(take_census(backend, observed))
    if arguments.json:
        print_json({"name": places.name, **asdict(found)})
        return EXIT_OK
    text = _drawn(places.name, found, arguments.format, arguments.layer)
    if arguments.output is None:
        sys.stdout.write(text)
        return EXIT_OK
    try:
        with open(arguments.output, "w", encoding="utf-8") as file:
            file.write(text)
    except OSError as error:
        raise UsageError(f"cannot write {arguments.output}: {error.strerror}") from error
    tell(f"wrote {os.path.abspath(arguments.output)}")
    return EXIT_OK


def _drawn(name: str, found: Graph, form: str, layer: str) -> str:
    underlay, overlay = layer != "overlay", layer != "underlay"
    if form == "html":
        return webpage(name, found, underlay, overlay)
    draw = dot if form == "dot" else mermaid
    return draw(found, underlay, overlay)


def show_paths(arguments: argparse.Namespace) -> int:
    """The paths of one node or of all that own some, and where their sessions go."""
    _, backend, observed = observed_network(arguments.name)
    if arguments.node is not None:
        node_of(observed, arguments.node)
    census = take_census(backend, observed)
    owners = [arguments.node] if arguments.node is not None else list(census.statuses)
    rows = {owner: paths_of(census, owner) for owner in owners}
    if arguments.json:
        print_json([_as_data(census, owner, paths) for owner, paths in rows.items() if paths])
        return EXIT_OK
    head = ("NODE", "STATE", "ENDS IN", "RTT", "CELLS IN", "CELLS OUT", "HOPS")
    print_table(head, [_row(owner, path) for owner, paths in rows.items() for path in paths])
    for way in graph_of(census).ways:
        if way.sender in owners:
            print(f"{way.sender} → {way.receiver}: {way.through}")
    return EXIT_OK


def _row(owner: str, path: OwnedPath) -> tuple[str, ...]:
    left_s = path.expires_ms / 1000 - time.time()
    return (
        owner,
        path.status or ("ready" if path.is_ready else "-"),
        format_seconds(left_s) if path.expires_ms and left_s > 0 else "-",
        "-" if path.rtt_ms is None else f"{path.rtt_ms:.1f} ms",
        str(path.cells_in),
        str(path.cells_out),
        " → ".join(path.hops),
    )


def _as_data(census: Census, owner: str, paths: list[OwnedPath]) -> dict[str, Any]:
    sessions = service_of(census.statuses[owner]).get("remoteSessions") or []
    return {
        "node": owner,
        "paths": [asdict(path) for path in paths],
        "sessions": [
            {
                "remote": str(session.get("remote")),
                "node": census.names.get(str(session.get("remote"))),
                "ready": bool(session.get("ready")),
                "route": [census.called(str(hop)) for hop in session.get("route") or []],
            }
            for session in sessions
        ],
    }
