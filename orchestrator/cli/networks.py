"""`testnet ls` and `testnet gc`: all networks of this user, and what killed commands left."""

from __future__ import annotations

import argparse
from typing import Any

from orchestrator.backends.opening import open_backend
from orchestrator.cli.output import print_json, print_table
from orchestrator.errors import EXIT_OK, Leftovers, OperatorError
from orchestrator.lifecycle import collect, garbage
from orchestrator.networks import Condition, Network, networks, strangers

__all__ = ["gc", "ls"]


def ls(arguments: argparse.Namespace) -> int:
    """One line a network; only those that run unless all are wanted."""
    found = [
        _data(network)
        for network in networks()
        if arguments.all or network.condition is Condition.RUNNING
    ]
    if arguments.json:
        print_json(found)
        return EXIT_OK
    head = ("NAME", "STATE", "NODES", "SINCE", "DIRECTORY")
    print_table(head, [[str(row[key.lower()]) for key in head] for row in found])
    return EXIT_OK


def _data(network: Network) -> dict[str, Any]:
    places = network.places
    return {
        "name": network.owner.name,
        "state": str(network.condition),
        "nodes": _node_count(network),
        "since": network.owner.since,
        "directory": str(places.state),
        "run_directory": str(places.run),
        "backend": network.owner.home.backend,
        "world_pid": network.world.pid if network.world else None,
        "id": network.owner.network_id,
    }


def _node_count(network: Network) -> int:
    """Of a network that does not run: how many have a directory."""
    if network.condition is Condition.RUNNING:
        try:
            return len(open_backend(network.places).observe().nodes)
        except OperatorError:
            return 0  # it answers nobody; that is for `status` to tell
    try:
        return sum(1 for entry in (network.places.state / "nodes").iterdir() if entry.is_dir())
    except OSError:
        return 0


def gc(arguments: argparse.Namespace) -> int:
    """Finish what killed commands left; networks that run or are stopped stay."""
    if arguments.dry_run:
        names = garbage()
        if arguments.json:
            print_json({"would_remove": names, "strangers": [str(path) for path in strangers()]})
        else:
            print("\n".join(f"would remove {name}" for name in names) or "nothing is left over")
        return EXIT_OK
    done = collect()
    alien = strangers()
    code = Leftovers.exit_code if any(one.failed for one in done) else EXIT_OK
    if arguments.json:
        rows = [{"name": one.name, "removed": one.removed, "detail": one.detail} for one in done]
        print_json({"networks": rows, "strangers": [str(path) for path in alien]})
        return code
    for one in done:
        print(f"{'removed' if one.removed else 'left'} {one.name}: {one.detail}")
    for path in alien:
        print(f"left {path}: not ours, no journal names it")
    if not done and not alien:
        print("nothing is left over")
    return code
