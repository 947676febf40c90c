"""`up` without its words: from a topology to a network that is ready, and the page that proves it.

What a failure leaves behind is the caller's business.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from orchestrator.apply import apply
from orchestrator.backends import Backend
from orchestrator.backends.chain import look
from orchestrator.control import full_status
from orchestrator.errors import CheckFailed
from orchestrator.ops import Desired, NodeSpec, Observed
from orchestrator.page import Page, Way, fetch, way_between
from orchestrator.plan import Plan, Step, plan
from orchestrator.readiness.layers import GOALS
from orchestrator.readiness.wait import Pair, Ready, wait_until_ready

__all__ = ["Outcome", "bring_up", "first_start_us"]


@dataclass(frozen=True, slots=True)
class Outcome:
    """A network that is up."""

    plan: Plan
    ready: Ready
    page: Page | None
    """None where the topology has no client or no service with a page."""
    client: str
    service: str
    there: Way | None
    """From the client to the service."""
    back: Way | None
    seconds: float
    """From the call to the page."""
    seconds_from_first_node: float
    """From the first node's start to the page; of a network that was up before: its age."""


def bring_up(
    desired: Desired,
    backend: Backend,
    begin: Callable[[Step], None],
    timeout_s: float,
    tell: Callable[[str], None],
    goal: str = "all",
) -> Outcome:
    """Plan, apply, wait, fetch; raises OperatorError and leaves what it made.

    Args:
        desired: the network.
        backend: where it is.
        begin: hears of each step before anything of it is done.
        timeout_s: how long it may take to be ready.
        tell: gets lines for whoever waits.
        goal: what to wait for, one of `readiness.layers.GOALS`; a page is fetched after `all`.
    """
    began = time.monotonic()
    todo = plan(desired, look(backend, desired))
    apply(todo, backend, begin)
    if todo.steps:
        tell(f"{todo.summary} made in {time.monotonic() - began:.2f} s")
    ready = wait_until_ready(desired, backend, timeout_s, tell, GOALS[goal])
    page, pair = _fetch_page(desired, backend, ready) if goal == "all" else (None, None)
    now = time.monotonic()
    started_us = first_start_us(backend.observe())
    there, back = _ways(desired, backend, ready, pair) if pair else (None, None)
    return Outcome(
        plan=todo,
        ready=ready,
        page=page,
        client=pair.client if pair else "",
        service=pair.service if pair else "",
        there=there,
        back=back,
        seconds=now - began,
        seconds_from_first_node=now - started_us / 1e6,
    )


def first_start_us(observed: Observed) -> int:
    """When the first program of the network was started, on the monotonic clock; 0 if none was."""
    starts = [
        process.started_us
        for node in observed.nodes.values()
        for process in node.processes.values()
    ]
    return min(starts, default=0)


def _fetch_page(
    desired: Desired, backend: Backend, ready: Ready
) -> tuple[Page | None, Pair | None]:
    nodes = {node.name: node for node in desired.nodes}
    for pair in ready.pairs:
        for process in nodes[pair.service].processes:
            if process.fetch is None:
                continue
            port = "" if process.port == 80 else f":{process.port}"
            page = fetch(backend, pair.client, f"http://{pair.name}{port}{process.fetch}")
            if page.status != 200:
                raise CheckFailed(f"{page.url} answered {page.status}")
            return page, pair
    return None, None


def _ways(
    desired: Desired, backend: Backend, ready: Ready, pair: Pair
) -> tuple[Way | None, Way | None]:
    nodes: dict[str, NodeSpec] = {node.name: node for node in desired.nodes}
    names = {address: name for name, address in ready.addresses.items()}
    client, service = (
        full_status(backend, end, nodes[end].control) for end in (pair.client, pair.service)
    )
    return way_between(client, service, names), way_between(service, client, names)
