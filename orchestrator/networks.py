"""Every network of this user: running, stopped, being changed, or left over; and what is not ours.

A network is what has a journal. Directories, links and files in our folders that no journal and no
label claim are strangers: shown, never touched.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from orchestrator.definition import is_promised
from orchestrator.directories import (
    CREATED_FILE,
    Places,
    is_abandoned_draft,
    is_ours,
    run_root,
    state_root,
)
from orchestrator.engine.belongings import is_running, own_labels
from orchestrator.engine.client import Engine
from orchestrator.errors import OperatorError
from orchestrator.journal import Owner, read_entries, read_owner
from orchestrator.locks import is_lock, is_locked
from orchestrator.ops import CreateNetwork
from orchestrator.worlds import World, find_world

__all__ = [
    "Condition",
    "Network",
    "abandoned_drafts",
    "abandoned_locks",
    "look",
    "networks",
    "places_of",
    "strangers",
    "was_begun",
    "world_of",
]


WORLD_BEGUN = f"{CreateNetwork.__name__} "


class Condition(StrEnum):
    """How a network is."""

    RUNNING = "running"
    STOPPED = "stopped"
    """Its world ended, by `stop` or by itself; `start` brings it back."""
    BUSY = "being changed"
    """A command that brings it up or removes it is at work."""
    LEFT_OVER = "left over"
    """Begun and never finished, or half removed: `gc` removes the rest."""


@dataclass(frozen=True, slots=True)
class Network:
    """One network as it is."""

    owner: Owner
    condition: Condition
    world: World | None
    """Alive."""

    @property
    def places(self) -> Places:
        """Where it is, by its journal."""
        return self.owner.places()


def networks() -> list[Network]:
    """All of them, by name."""
    owners = (read_owner(path) for path in sorted(_entries(state_root())) if _is_journal(path))
    return [look(owner) for owner in owners if owner is not None]


def look(owner: Owner) -> Network:
    """How one network is now."""
    places = owner.places()
    world = world_of(owner)
    alive = world if world is not None and world.is_alive() else None
    if is_promised(places):
        runs = alive is not None or _has_containers(owner)
        condition = Condition.RUNNING if runs else Condition.STOPPED
    else:
        condition = Condition.BUSY if is_locked(places) else Condition.LEFT_OVER
    return Network(owner, condition, alive)


def world_of(owner: Owner) -> World | None:
    """The network's world, which may have ended; none where none was ever begun."""
    if owner.home.backend != "netns" or not was_begun(owner):
        return None
    return find_world(owner.places(), owner.network_id)


def was_begun(owner: Owner) -> bool:
    """Whether the place its nodes live in was ever begun."""
    try:
        return any(
            str(entry.get("begin", "")).startswith(WORLD_BEGUN)
            for entry in read_entries(owner.places().journal)
        )
    except OSError:
        return False


def _has_containers(owner: Owner) -> bool:
    """Whether any of its containers runs; no engine, no containers that run."""
    if owner.home.backend != "docker" or not was_begun(owner):
        return False
    try:
        engine = Engine()
        try:
            return is_running(engine, own_labels(owner.network_id))
        finally:
            engine.close()
    except OperatorError:
        return False


def places_of(name: str) -> Places:
    """Where the network of that name is, or would be."""
    places = Places.of(name)
    owner = read_owner(places.journal)
    return owner.places() if owner else places


def abandoned_locks() -> list[Places]:
    """Networks of which only a lock is left: somebody was killed before anything was begun."""
    names = [path.stem for path in _entries(run_root()) if path.suffix == ".lock" and is_lock(path)]
    found = [Places(name, state_root() / name, run_root() / name) for name in sorted(names)]
    return [places for places in found if not os.path.lexists(places.journal)]


def abandoned_drafts() -> list[Path]:
    """Files that killed commands had not put in their places yet."""
    found = {*_entries(state_root()), *_entries(run_root())}
    return sorted(path for path in found if is_abandoned_draft(path))


def strangers() -> list[Path]:
    """What lies in our folders and belongs to no network."""
    claimed = {path for network in networks() for path in _claimed(network)}
    claimed |= {places.lock for places in abandoned_locks()}
    claimed |= {state_root() / CREATED_FILE, *abandoned_drafts()}
    found = {*_entries(state_root()), *_entries(run_root())}
    return sorted(found - claimed)


def _claimed(network: Network) -> list[Path]:
    places, number = network.places, network.owner.network_id
    directories = [path for path in (places.state, places.run) if is_ours(path, number)]
    return [places.journal, places.lock, *directories]


def _is_journal(path: Path) -> bool:
    return path.suffix == ".journal"


def _entries(directory: Path) -> list[Path]:
    try:
        return list(directory.iterdir())
    except OSError:
        return []
