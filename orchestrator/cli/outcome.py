"""What was changed and what came of it, for people and for programs."""

from __future__ import annotations

from typing import Any

from orchestrator.cli.output import print_json
from orchestrator.directories import Places
from orchestrator.ops import subject
from orchestrator.page import Way
from orchestrator.plan import Plan
from orchestrator.units import format_seconds
from orchestrator.up import Outcome

__all__ = ["print_changes", "print_outcome", "print_plan"]


def print_plan(todo: Plan, as_json: bool) -> None:
    """Every step with what it waits for and its reason."""
    if as_json:
        print_json({"changes": len(todo.steps), "steps": _steps(todo)})
    else:
        print(todo)


def print_changes(places: Places, todo: Plan, as_json: bool) -> None:
    """What was done to some nodes."""
    if as_json:
        data = {"name": places.name, "changes": len(todo.steps), "steps": _steps(todo)}
        print_json(data)
        return
    for step in todo.steps:
        print(f"{subject(step.op)}: {type(step.op).__name__}, {step.reason}")
    print(f"network  {places.name}: {todo.summary}")


def _steps(todo: Plan) -> list[dict[str, Any]]:
    return [
        {
            "number": step.number,
            "after": list(step.after),
            "subject": subject(step.op),
            "act": type(step.op).__name__,
            "reason": step.reason,
        }
        for step in todo.steps
    ]


def print_outcome(places: Places, outcome: Outcome, as_json: bool) -> None:
    """A network that is up, and the page that proves it."""
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
