"""Which network a command is about."""

from __future__ import annotations

import re

from orchestrator.backends.netns import NetnsBackend
from orchestrator.directories import Places, network_names
from orchestrator.errors import CheckFailed, UsageError
from orchestrator.ops import Observed, ObservedNode

__all__ = ["chosen", "existing", "node_of", "observed_network"]

NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,30}")


def chosen(name: str) -> Places:
    """The places of a network by its name; raises UsageError for what can be no name."""
    if not NAME.fullmatch(name):
        raise UsageError(f"{name!r} is no name: a-z, 0-9 and '-' only, at most 31 characters")
    return Places.of(name)


def existing(name: str | None) -> Places | None:
    """The network meant: the named one, or the only one; None if there is none at all."""
    if name is not None:
        return chosen(name)
    names = network_names()
    if len(names) > 1:
        raise UsageError(f"there are {len(names)} networks: say --name {' or '.join(names)}")
    return Places.of(names[0]) if names else None


def observed_network(name: str | None) -> tuple[Places, NetnsBackend, Observed]:
    """The network meant, which must be up; raises CheckFailed."""
    places = existing(name)
    if places is None:
        raise CheckFailed("no network is up: `testnet up` brings one up")
    backend = NetnsBackend(places)
    observed = backend.observe()
    if not observed.exists:
        raise CheckFailed(f"network {places.name!r} is not up")
    return places, backend, observed


def node_of(observed: Observed, name: str) -> ObservedNode:
    """One node; raises UsageError naming those there are."""
    node = observed.nodes.get(name)
    if node is None:
        raise UsageError(f"no node {name!r}: there are {', '.join(observed.nodes)}")
    return node
