"""Life of single nodes and of whole networks: stop, start, restart, kill, replace, scale.

Without names `stop` and `start` mean the whole network: its world ends and is made anew from what
the state directory holds, so that it works after a reboot, too.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from orchestrator.apply import apply
from orchestrator.backends.opening import home_of
from orchestrator.cli.changing import Change, changing
from orchestrator.cli.defined import defined, desired_of
from orchestrator.cli.homes import check_home
from orchestrator.cli.network import existing, node_of, observed_network
from orchestrator.cli.outcome import print_changes, print_outcome
from orchestrator.cli.output import print_json, tell
from orchestrator.definition import is_promised
from orchestrator.errors import EXIT_OK, CheckFailed
from orchestrator.homes import Home
from orchestrator.lifecycle import stop_world
from orchestrator.ops import Desired, Observed
from orchestrator.plan import Plan
from orchestrator.readiness.layers import GOALS
from orchestrator.readiness.wait import wait_until_ready
from orchestrator.scaling import scaled
from orchestrator.up import bring_up
from orchestrator.verbs import (
    narrowed,
    plan_kill,
    plan_replace,
    plan_restart,
    plan_start,
    plan_stop,
)

__all__ = ["kill", "replace", "restart", "scale", "start", "stop"]


def stop(arguments: argparse.Namespace) -> int:
    """End programs; identities, addresses and, of single nodes, namespaces and links stay."""
    if not arguments.nodes:
        return _stop_network(arguments)
    places, _, _ = defined(arguments.name)
    with changing(places) as change:
        todo = plan_stop(_observed(change, arguments.nodes), arguments.nodes)
        apply(todo, change.backend, change.begin)
    print_changes(places, todo, arguments.json)
    return EXIT_OK


def _stop_network(arguments: argparse.Namespace) -> int:
    places = existing(arguments.name)
    if places is None or not places.journal.exists():
        raise CheckFailed("there is no network to stop")
    if not is_promised(places):
        raise CheckFailed(
            f"network {places.name!r} is left over from a killed command: "
            f"`testnet gc` or `testnet down --name {places.name}` removes it"
        )
    with changing(places) as change:
        observed = change.backend.observe()
        apply(plan_stop(observed, list(observed.nodes)), change.backend, change.begin)
        processes = stop_world(places)
    if arguments.json:
        print_json({"name": places.name, "was_up": observed.exists, "processes_ended": processes})
    elif observed.exists:
        print(f"network {places.name} stopped: `testnet start --name {places.name}` brings it back")
    else:
        print(f"network {places.name} was stopped before")
    return EXIT_OK


def start(arguments: argparse.Namespace) -> int:
    """Start what is stopped, and wait until it is ready."""
    places, _, desired = defined(arguments.name, may_be_stopped=not arguments.nodes)
    if arguments.nodes:
        with changing(places) as change:
            todo = plan_start(desired, _observed(change, arguments.nodes), arguments.nodes)
            _do(change, todo, desired, arguments)
        print_changes(places, todo, arguments.json)
        return EXIT_OK
    check_home(home_of(places) or Home(), desired)
    with changing(places) as change:
        outcome = bring_up(
            desired, change.backend, change.begin, arguments.timeout, tell, arguments.wait_for
        )
    print_outcome(places, outcome, arguments.json)
    return EXIT_OK


def restart(arguments: argparse.Namespace) -> int:
    """End and start programs in the namespaces they are in, then wait."""
    places, _, desired = defined(arguments.name)
    with changing(places) as change:
        arguments.nodes = arguments.nodes or [spec.name for spec in desired.nodes]
        todo = plan_restart(desired, _observed(change, arguments.nodes), arguments.nodes)
        _do(change, todo, desired, arguments)
    print_changes(places, todo, arguments.json)
    return EXIT_OK


def replace(arguments: argparse.Namespace) -> int:
    """Make nodes anew under the same addresses, then wait."""
    places, _, desired = defined(arguments.name)
    with changing(places) as change:
        observed = _observed(change, arguments.nodes)
        todo = plan_replace(desired, observed, arguments.nodes, arguments.new_identity)
        _do(change, todo, desired, arguments)
    print_changes(places, todo, arguments.json)
    return EXIT_OK


def kill(arguments: argparse.Namespace) -> int:
    """Send programs of nodes a signal; nothing is started again."""
    places, _, _ = defined(arguments.name)
    with changing(places) as change:
        observed = _observed(change, arguments.nodes)
        todo = plan_kill(observed, arguments.nodes, arguments.signal, arguments.program)
        apply(todo, change.backend, change.begin)
    print_changes(places, todo, arguments.json)
    return EXIT_OK


def scale(arguments: argparse.Namespace) -> int:
    """Change the sizes of groups, and bring the network up to date."""
    places, definition, _ = defined(arguments.name)
    definition = scaled(definition, dict(arguments.sizes))
    desired = desired_of(definition, places)
    observed_network(places.name)
    with changing(places, definition) as change:
        outcome = bring_up(
            desired, change.backend, change.begin, arguments.timeout, tell, arguments.wait_for
        )
    print_outcome(places, outcome, arguments.json)
    return EXIT_OK


def _observed(change: Change, names: Sequence[str]) -> Observed:
    """What is there now; raises CheckFailed without a world, UsageError for an unknown node."""
    observed = change.backend.observe()
    if not observed.exists:
        name = change.places.name
        raise CheckFailed(f"network {name!r} is not up: `testnet start --name {name}`")
    for name in names:
        node_of(observed, name)
    return observed


def _do(change: Change, todo: Plan, desired: Desired, arguments: argparse.Namespace) -> None:
    """Perform, then wait for those nodes alone: what else is down may be so on purpose."""
    apply(todo, change.backend, change.begin)
    some = narrowed(desired, arguments.nodes)
    goal = GOALS[arguments.wait_for]
    wait_until_ready(some, change.backend, arguments.timeout, tell, goal)
