"""Taking networks down so that nothing is left, and proving it; stopping them so that they stay.

Rules: everything is ended by ending the world, process 1 of its own pid namespace; only what the
journal names and a label confirms is deleted; what survives is reported, never ignored. The promise
goes first and the journal last, so that whoever is interrupted halfway leaves what `gc` finishes.
"""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass
from pathlib import Path

from orchestrator.definition import forget, is_promised
from orchestrator.directories import LABEL_FILE, Places, is_ours, run_root, state_root
from orchestrator.engine.belongings import is_running, left_of, own_labels, remove_all
from orchestrator.engine.client import Engine
from orchestrator.engine.custody import has_foreign, take_back
from orchestrator.errors import Leftovers, OperatorError
from orchestrator.journal import Journal, Owner, read_owner
from orchestrator.locks import Locked, locked
from orchestrator.networks import (
    Condition,
    abandoned_drafts,
    abandoned_locks,
    networks,
    was_begun,
    world_of,
)
from orchestrator.traffic.jobs import end_all
from orchestrator.worlds import end_world, processes_inside

__all__ = ["Collected", "Removal", "bring_down", "collect", "garbage", "stop_world"]

PATIENCE_S = 5.0
"""What a killed command had started (keys, a world's launcher) holds its lock until it has ended:
milliseconds to seconds."""


@dataclass(frozen=True, slots=True)
class Removal:
    """What `down` found and did."""

    found: bool
    """There was something to remove."""
    world_was_alive: bool
    processes_ended: int


NOTHING = Removal(False, False, 0)


def bring_down(places: Places, may_be_in_flight: bool = True) -> Removal:
    """End the world, delete the files, look whether anything is left; raises Leftovers.

    The caller holds the network's lock. `may_be_in_flight`: an engine may still be making what a
    killed command asked for.
    """
    owner = read_owner(places.journal)
    if owner is None:
        _refuse_strangers(places)
        return NOTHING
    places = owner.places()
    Journal(places.journal, owner).begin(f"RemoveNetwork network:{places.name}", "asked to")
    unfinished = may_be_in_flight and not is_promised(places)
    forget(places)
    alive, processes = _end(places, owner, unfinished)
    places.remove(owner.network_id)
    _check_nothing_left(places)
    return Removal(True, alive, processes)


def stop_world(places: Places) -> int:
    """End the world and its sockets; keys, logs and the definition stay. How many processes ended.

    The caller holds the network's lock.
    """
    owner = read_owner(places.journal)
    if owner is None:
        return 0
    places = owner.places()
    Journal(places.journal, owner).begin(f"StopNetwork network:{places.name}", "asked to")
    _, processes = _end(places, owner)
    if is_ours(places.run, owner.network_id):
        shutil.rmtree(places.run, ignore_errors=True)
    return processes


@dataclass(frozen=True, slots=True)
class Collected:
    """One thing that was left over, and what became of it."""

    name: str
    removed: bool
    detail: str
    failed: bool = False
    """It should have been removed and could not be."""


def garbage() -> list[str]:
    """Names of what `collect` would remove now, without looking whether somebody works on it."""
    names = [net.owner.name for net in networks() if net.condition is Condition.LEFT_OVER]
    names += [places.name for places in abandoned_locks()]
    return sorted({*names, *(path.name for path in abandoned_drafts())})


def collect(patience_s: float = PATIENCE_S) -> list[Collected]:
    """Finish what killed commands left: networks that were begun and never promised."""
    found = [
        _collect(network.places, patience_s)
        for network in networks()
        if network.condition in (Condition.LEFT_OVER, Condition.BUSY)
    ]
    found += [_collect(places, patience_s) for places in abandoned_locks()]
    for path in abandoned_drafts():
        path.unlink(missing_ok=True)
        found.append(Collected(path.name, True, "a draft"))
    Places("", state_root() / "-", run_root() / "-").remove_empty_roots()
    return found


def _collect(places: Places, patience_s: float) -> Collected:
    try:
        with locked(places, patience_s):
            if is_promised(places):
                return Collected(places.name, False, "it was just brought up")
            removal = bring_down(places)
    except Locked:
        return Collected(places.name, False, "a command is at work on it")
    except Leftovers as error:  # the others can be removed all the same
        return Collected(places.name, False, str(error), failed=True)
    if not removal.found:
        return Collected(places.name, True, "an unused lock")
    return Collected(places.name, True, f"{removal.processes_ended} processes ended")


def _end(places: Places, owner: Owner, may_be_in_flight: bool = False) -> tuple[bool, int]:
    """Whether anything ran, and how many processes or containers ended; raises Leftovers."""
    end_all(owner.network_id)  # loads first: they keep sockets in nodes' networks
    if owner.home.backend == "docker":
        return _end_containers(places, owner, may_be_in_flight)
    return _end_world(places, owner)


def _end_containers(places: Places, owner: Owner, may_be_in_flight: bool) -> tuple[bool, int]:
    """What root in containers wrote is the caller's again, to be deleted or to be kept."""
    if not was_begun(owner):
        return False, 0
    labels = own_labels(owner.network_id)
    try:
        engine = Engine()
        try:
            alive = is_running(engine, labels)
            count = remove_all(engine, labels, may_be_in_flight)
            if os.geteuid() != 0 and has_foreign(places.state):
                take_back(engine, places.state, labels)
            left = left_of(engine, labels)
        finally:
            engine.close()
    except OperatorError as error:
        raise Leftovers(
            f"containers of network {owner.name!r} may be left: {error}; "
            "once that is mended, `testnet gc` removes them"
        ) from error
    if left:
        raise Leftovers(f"still there after down: {', '.join(left)}")
    return alive, count


def _end_world(places: Places, owner: Owner) -> tuple[bool, int]:
    """Whether the world was alive, and how many processes ended with it; raises Leftovers."""
    world = world_of(owner)
    if world is None:
        return False, 0
    alive = world.is_alive()
    processes = len(processes_inside(world))
    if alive:
        end_world(world)
    left = processes_inside(world)
    if left:
        names = ", ".join(f"{pid} ({name})" for pid, name in sorted(left.items()))
        raise Leftovers(f"processes of network {places.name!r} survive: {names}")
    return alive, processes


def _refuse_strangers(places: Places) -> None:
    left = [f"{path}{_why(path)}" for path in places.leftovers()]
    if left:
        raise Leftovers(f"no journal names it, so it is not ours: {', '.join(left)}")


def _why(path: Path) -> str:
    if path.is_symlink():
        return " (a symbolic link: not ours, remove it yourself)"
    if path.is_dir() and not (path / LABEL_FILE).exists():
        return f" (not ours: it has no {LABEL_FILE})"
    return ""


def _check_nothing_left(places: Places) -> None:
    left = [f"{path}{_why(path)}" for path in places.leftovers()]
    with open("/proc/self/mountinfo", encoding="utf-8", errors="replace") as file:
        for line in file:
            target = line.split()[4]
            if target.startswith((f"{places.state}/", f"{places.run}/")):
                left.append(f"mount {target}")
    if left:
        raise Leftovers(f"still there after down: {', '.join(left)}")
