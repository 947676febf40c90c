"""The backend of a network, by the first line of its journal."""

from __future__ import annotations

from orchestrator.backends import Backend
from orchestrator.backends.netns import NetnsBackend
from orchestrator.directories import Places
from orchestrator.homes import Home
from orchestrator.journal import read_owner

__all__ = ["home_of", "open_backend"]


def home_of(places: Places) -> Home | None:
    """Where a network lives; None before it was begun."""
    owner = read_owner(places.journal)
    return owner.home if owner else None


def open_backend(places: Places, lock: int | None = None) -> Backend:
    """To ask, or with the lock's descriptor to change; before a network was begun: to ask."""
    owner = read_owner(places.journal)
    if owner is None or owner.home.backend == "netns":
        return NetnsBackend(places, owner.network_id if owner else "", lock)
    from orchestrator.backends.docker import DockerBackend

    return DockerBackend(places, owner.network_id, owner.home.underlay, lock)
