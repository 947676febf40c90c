"""From a definition to the network it asks for, on this machine, for this user."""

from __future__ import annotations

import sys

from orchestrator.cli.network import existing, running
from orchestrator.definition import Definition, kept
from orchestrator.directories import Places
from orchestrator.errors import CheckFailed
from orchestrator.ops import Desired
from orchestrator.render import render
from orchestrator.scaling import topology_of
from orchestrator.world.maps import choose_maps

__all__ = ["defined", "desired_of", "programs_of"]


def desired_of(definition: Definition, places: Places) -> Desired:
    """Rendered with this interpreter, and the ids this user may map; raises UsageError."""
    return render(topology_of(definition), places, sys.executable, choose_maps().one_id)


def programs_of(desired: Desired) -> list[str]:
    """What the nodes start besides themselves, and what fetches the page."""
    applications = [process.argv[0] for node in desired.nodes for process in node.processes[1:]]
    return sorted({*applications, "curl"})


def defined(name: str | None, may_be_stopped: bool = False) -> tuple[Places, Definition, Desired]:
    """The network meant as it was brought up and scaled; raises CheckFailed where none was."""
    places = existing(name) if may_be_stopped else running(name)
    if places is None:
        raise CheckFailed("there is no network: `testnet up` brings one up")
    if not places.journal.exists():
        raise CheckFailed(f"there is no network {places.name!r}")
    definition = kept(places)
    return places, definition, desired_of(definition, places)
