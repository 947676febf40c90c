"""From a definition to the network it asks for, where it lives."""

from __future__ import annotations

from orchestrator.backends.opening import home_of
from orchestrator.cli.homes import desired_in
from orchestrator.cli.network import existing, running
from orchestrator.definition import Definition, kept
from orchestrator.directories import Places
from orchestrator.errors import CheckFailed
from orchestrator.homes import Home
from orchestrator.ops import Desired

__all__ = ["defined", "desired_of"]


def desired_of(definition: Definition, places: Places) -> Desired:
    """As it is made where it lives; raises UsageError."""
    return desired_in(definition, places, home_of(places) or Home())


def defined(name: str | None, may_be_stopped: bool = False) -> tuple[Places, Definition, Desired]:
    """The network meant as it was brought up and scaled; raises CheckFailed where none was."""
    places = existing(name) if may_be_stopped else running(name)
    if places is None:
        raise CheckFailed("there is no network: `testnet up` brings one up")
    if not places.journal.exists():
        raise CheckFailed(f"there is no network {places.name!r}")
    definition = kept(places)
    return places, definition, desired_of(definition, places)
