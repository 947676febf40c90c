"""`testnet up`."""

from __future__ import annotations

import argparse
import sys
from typing import Any

from orchestrator.backends.netns import NetnsBackend
from orchestrator.cli.changing import changing
from orchestrator.cli.network import chosen
from orchestrator.cli.output import print_json, tell
from orchestrator.directories import Places
from orchestrator.errors import EXIT_OK
from orchestrator.load import find_topology
from orchestrator.ops import Desired
from orchestrator.page import Way
from orchestrator.plan import plan
from orchestrator.preflight import check_host, check_proc
from orchestrator.render import render
from orchestrator.scaling import read_definition, topology_of
from orchestrator.units import format_seconds
from orchestrator.up import Outcome, bring_up
from orchestrator.world.maps import choose_maps

__all__ = ["up"]


def up(arguments: argparse.Namespace) -> int:
    """Bring up a network, or bring it up to date."""
    definition = read_definition(find_topology(arguments.topology))
    topology = topology_of(definition)
    places = chosen(arguments.name or topology.name)
    check_proc()
    one_id = choose_maps().one_id
    desired = render(topology, places, sys.executable, one_id)
    backend = NetnsBackend(places)
    if arguments.dry_run:
        return _dry_run(desired, backend, arguments.json)
    check_host(_programs(desired))
    if one_id:
        tell("only one user id can be mapped: applications run as root of their namespace")
    with changing(places, definition, arguments.keep_on_failure) as change:
        outcome = bring_up(desired, change.backend, change.begin, arguments.timeout, tell)
    _print_outcome(places, outcome, arguments.json)
    return EXIT_OK


def _programs(desired: Desired) -> list[str]:
    """What the nodes start besides themselves, and what fetches the page."""
    applications = [process.argv[0] for node in desired.nodes for process in node.processes[1:]]
    return sorted({*applications, "curl"})


def _dry_run(desired: Desired, backend: NetnsBackend, as_json: bool) -> int:
    todo = plan(desired, backend.observe())
    if as_json:
        steps = [str(step) for step in todo.steps]
        print_json({"changes": len(steps), "steps": steps})
    else:
        print(todo)
    return EXIT_OK


def _print_outcome(places: Places, outcome: Outcome, as_json: bool) -> None:
    if as_json:
        print_json(_as_data(places, outcome))
        return
    print(f"network  {places.name}: {outcome.plan.summary}")
    page = outcome.page
    if page is not None:
        print(f"page     {page.status} {page.url} ({page.address}), fetched by {outcome.client}")
        _print_way("hops     {} there:", outcome.client, outcome.there, outcome.service)
        _print_way("         {} back: ", outcome.service, outcome.back, outcome.client)
        curl = f"curl took {format_seconds(page.seconds)}"
        print(f"time     {format_seconds(outcome.seconds)} for all, {curl}")
        print(f"try      testnet exec {outcome.client} -- curl {page.url}")


def _print_way(head: str, sender: str, way: Way | None, receiver: str) -> None:
    if way is not None:
        ours, theirs = way.sender_hops, way.receiver_hops
        hops = " → ".join([*ours[:-1], f"{ours[-1]} (pivot)", *theirs[1:]])
        count = head.format(f"{len(ours)}+{len(theirs)}")
        print(f"{count} {sender} → {hops} → {receiver}")


def _as_data(places: Places, outcome: Outcome) -> dict[str, Any]:
    page = outcome.page
    return {
        "name": places.name,
        "changes": len(outcome.plan.steps),
        "addresses": dict(outcome.ready.addresses),
        "page": page
        and {
            "client": outcome.client,
            "service": outcome.service,
            "url": page.url,
            "status": page.status,
            "bytes": page.size,
            "address": page.address,
            "seconds": page.seconds,
        },
        "hops": {"there": _way_data(outcome.there), "back": _way_data(outcome.back)},
        "seconds": round(outcome.seconds, 3),
        "seconds_from_first_node": round(outcome.seconds_from_first_node, 3),
    }


def _way_data(way: Way | None) -> dict[str, list[str]] | None:
    """Both halves from the sender to the receiver; the pivot is in both."""
    if way is None:
        return None
    return {"sender_hops": list(way.sender_hops), "receiver_hops": list(way.receiver_hops)}
