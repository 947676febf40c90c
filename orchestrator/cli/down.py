"""`testnet down`."""

from __future__ import annotations

import argparse

from orchestrator.cli.network import existing
from orchestrator.cli.output import print_json
from orchestrator.directories import Places
from orchestrator.errors import EXIT_OK
from orchestrator.lifecycle import Removal, bring_down
from orchestrator.locks import locked

__all__ = ["brought_down", "down"]


def down(arguments: argparse.Namespace) -> int:
    """Remove a network; having nothing to remove is fine."""
    places = existing(arguments.name)
    if places is None or not places.leftovers():
        name, removal = arguments.name, Removal(False, False, 0)
    else:
        name, removal = places.name, brought_down(places)
    if arguments.json:
        print_json(
            {
                "name": name,
                "removed": removal.found,
                "world_was_alive": removal.world_was_alive,
                "processes_ended": removal.processes_ended,
            }
        )
    elif not removal.found:
        print("nothing to remove")
    elif removal.world_was_alive:
        print(f"network {name} removed: {removal.processes_ended} processes ended, nothing is left")
    else:
        print(f"network {name} removed: its world had ended before, only files were left")
    return EXIT_OK


def brought_down(places: Places) -> Removal:
    """Lock and remove; raises OperatorError."""
    with locked(places):
        return bring_down(places)
