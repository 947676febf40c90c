"""`testnet up` and `testnet plan`."""

from __future__ import annotations

import argparse
from dataclasses import dataclass

from orchestrator.backends.chain import look
from orchestrator.backends.opening import open_backend
from orchestrator.cli.changing import changing
from orchestrator.cli.homes import check_home, choose_home, desired_in
from orchestrator.cli.network import chosen
from orchestrator.cli.outcome import print_outcome, print_plan
from orchestrator.cli.output import tell
from orchestrator.cli.reporting import reported_as, reporting
from orchestrator.definition import Definition, is_promised, kept
from orchestrator.directories import Places
from orchestrator.errors import EXIT_OK
from orchestrator.load import find_topology
from orchestrator.plan import plan as make_plan
from orchestrator.preflight import check_proc
from orchestrator.scaling import read_definition, topology_of
from orchestrator.up import Outcome, bring_up

__all__ = ["DEFAULT", "Wanted", "brought_up", "plan", "up"]

DEFAULT = "default"
"""The network everybody begins with."""
LOOK_AFTER_S = 3.0
"""A network that is up by then was not slowed down by looks at it."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """How a network shall be brought up."""

    backend: str | None
    """What was asked for; None: TESTNET_BACKEND or the topology say."""
    keep_on_failure: bool
    """Leave what a first `up` could not finish."""
    timeout_s: float
    """How long it may take to be ready."""
    wait_for: str = "all"
    """One of `readiness.layers.GOALS`."""
    reported_as: str | None = None
    """The command that a report of a failure names; None: none is written."""


def up(arguments: argparse.Namespace) -> int:
    """Bring up a network, or bring it up to date."""
    if arguments.dry_run:
        return plan(arguments)
    places, definition = _meant(arguments)
    wanted = Wanted(
        arguments.backend,
        arguments.keep_on_failure,
        arguments.timeout,
        arguments.wait_for,
        reported_as(arguments),
    )
    outcome = brought_up(places, definition, wanted)
    print_outcome(places, outcome, arguments.json)
    return EXIT_OK


def brought_up(places: Places, definition: Definition, wanted: Wanted) -> Outcome:
    """Choose where, check the machine, lock, bring up; raises OperatorError.

    What a failure or Ctrl-C leaves is `changing`'s business: nothing, unless it is wanted.
    """
    check_proc()
    home = choose_home(wanted.backend, places, definition)
    desired = desired_in(definition, places, home)
    check_home(home, desired)
    with changing(places, definition, wanted.keep_on_failure, home) as change:
        what = wanted.reported_as
        with reporting(what, places, change.backend, definition, desired, LOOK_AFTER_S):
            return bring_up(
                desired, change.backend, change.begin, wanted.timeout_s, tell, wanted.wait_for
            )


def plan(arguments: argparse.Namespace) -> int:
    """Print what `up` would change and why; nothing is made."""
    places, definition = _meant(arguments)
    check_proc()
    desired = desired_in(definition, places, choose_home(arguments.backend, places, definition))
    print_plan(make_plan(desired, look(open_backend(places), desired)), arguments.json)
    return EXIT_OK


def _meant(arguments: argparse.Namespace) -> tuple[Places, Definition]:
    """The topology given; else what the named network was brought up with; else the default."""
    if arguments.topology is None and arguments.name is not None:
        places = chosen(arguments.name)
        if is_promised(places):
            return places, kept(places)
    definition = read_definition(find_topology(arguments.topology or DEFAULT))
    return chosen(arguments.name or topology_of(definition).name), definition
