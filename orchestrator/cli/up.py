"""`testnet up`."""

from __future__ import annotations

import argparse
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from orchestrator.backends.netns import NetnsBackend
from orchestrator.cli.network import chosen
from orchestrator.cli.output import print_json, tell
from orchestrator.directories import Places, locked
from orchestrator.errors import EXIT_OK, OperatorError
from orchestrator.lifecycle import bring_down
from orchestrator.load import find_topology, load
from orchestrator.ops import Desired
from orchestrator.page import Way
from orchestrator.plan import plan
from orchestrator.preflight import check_host, check_proc
from orchestrator.render import render
from orchestrator.units import format_seconds
from orchestrator.up import Outcome, bring_up
from orchestrator.world.maps import choose_maps

__all__ = ["up"]

INTERRUPTS = (signal.SIGINT, signal.SIGTERM)


def up(arguments: argparse.Namespace) -> int:
    """Bring up a network, or bring it up to date."""
    topology = load(find_topology(arguments.topology))
    places = chosen(arguments.name or topology.name)
    check_proc()
    one_id = choose_maps().one_id
    desired = render(topology, places, sys.executable, one_id)
    backend = NetnsBackend(places)
    if arguments.dry_run:
        return _dry_run(desired, backend, arguments.json)
    check_host(_programs(desired))
    with _interrupted_once(), locked(places):
        was_up = backend.observe().exists
        try:
            places.create()
            if one_id:
                tell("only one user id can be mapped: applications run as root of their namespace")
            outcome = bring_up(desired, backend, arguments.timeout, tell)
        except BaseException as error:
            _clean_up(places, was_up, arguments.keep_on_failure, error)
            raise
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


@contextmanager
def _interrupted_once() -> Iterator[None]:
    """Ctrl-C and a supervisor's SIGTERM end `up`; a second one does not stop the cleaning up."""

    def interrupt(*_: object) -> None:
        _ignore_interrupts()
        raise KeyboardInterrupt

    before = {number: signal.signal(number, interrupt) for number in INTERRUPTS}
    try:
        yield
    except KeyboardInterrupt:
        raise  # still deaf: nothing but the end of the process comes now
    except BaseException:
        _restore(before)
        raise
    _restore(before)


def _restore(handlers: dict[signal.Signals, Any]) -> None:
    for number, handler in handlers.items():
        signal.signal(number, handler)


def _ignore_interrupts() -> None:
    for number in INTERRUPTS:
        signal.signal(number, signal.SIG_IGN)


def _clean_up(places: Places, was_up: bool, keep: bool, error: BaseException) -> None:
    """Take down what this run began; no Ctrl-C may stop that."""
    if was_up:
        return
    if keep and isinstance(error, OperatorError):
        tell(f"network {places.name!r} is left as it is: `testnet down --name {places.name}`")
        return
    _ignore_interrupts()
    bring_down(places)


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
