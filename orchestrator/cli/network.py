"""Which network a command is about."""

from __future__ import annotations

import re
from collections.abc import Mapping

from orchestrator.backends import Backend
from orchestrator.backends.opening import open_backend
from orchestrator.definition import is_promised
from orchestrator.directories import Places
from orchestrator.errors import CheckFailed, UsageError
from orchestrator.journal import read_owner
from orchestrator.networks import Condition, networks, places_of, world_of
from orchestrator.ops import Observed, ObservedNode
from orchestrator.worlds import host_pids

__all__ = ["chosen", "existing", "host_pids_of", "node_of", "observed_network", "running"]

NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,30}")


def chosen(name: str) -> Places:
    """The places of a network by its name; raises UsageError for what can be no name."""
    if not NAME.fullmatch(name):
        raise UsageError(f"{name!r} is no name: a-z, 0-9 and '-' only, at most 31 characters")
    return places_of(name)


def existing(name: str | None) -> Places | None:
    """The network meant: the named one, or the only one; None if there is none at all."""
    if name is not None:
        return chosen(name)
    found = networks()
    if len(found) > 1:
        raise UsageError(_which([network.owner.name for network in found]))
    return found[0].places if found else None


def running(name: str | None) -> Places | None:
    """The network meant: the named one, the only one that runs, or the only one there is."""
    if name is not None:
        return chosen(name)
    found = networks()
    up = [network for network in found if network.condition is Condition.RUNNING]
    if len(up) > 1 or (not up and len(found) > 1):
        raise UsageError(_which([network.owner.name for network in up or found]))
    return (up or found)[0].places if found else None


def _which(names: list[str]) -> str:
    return f"there are {len(names)} networks: say --name {' or '.join(names)}"


def observed_network(name: str | None) -> tuple[Places, Backend, Observed]:
    """The network meant, which must be up; raises CheckFailed."""
    places = running(name)
    if places is None:
        raise CheckFailed("no network is up: `testnet up` brings one up")
    backend = open_backend(places)
    observed = backend.observe()
    if not observed.exists:
        if is_promised(places):
            raise CheckFailed(
                f"network {places.name!r} is not up: it is stopped, "
                f"`testnet start --name {places.name}` brings it back"
            )
        raise CheckFailed(f"network {places.name!r} is not up")
    return places, backend, observed


def host_pids_of(places: Places, observed: Observed) -> Mapping[int, int]:
    """Pid on this machine by the pid a backend tells; containers tell this machine's."""
    owner = read_owner(places.journal)
    if owner is not None and owner.home.backend == "docker":
        processes = (state for node in observed.nodes.values() for state in node.processes.values())
        return {state.pid: state.pid for state in processes if state.exit_code is None}
    world = world_of(owner) if owner else None
    return host_pids(world) if world else {}


def node_of(observed: Observed, name: str) -> ObservedNode:
    """One node; raises UsageError naming those there are."""
    node = observed.nodes.get(name)
    if node is None:
        raise UsageError(f"no node {name!r}: there are {', '.join(observed.nodes)}")
    return node
