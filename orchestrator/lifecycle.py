"""Taking a network down so that nothing is left, and proving it.

Rules: a process is ours only if it lives in the user namespace that the world's own note names;
everything is ended by ending the world; what survives is reported, never ignored.
"""

from __future__ import annotations

import json
import os
import select
import signal
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from orchestrator.backends.netns import NetnsBackend
from orchestrator.directories import Places
from orchestrator.errors import Leftovers
from orchestrator.ops import RemoveNetwork

__all__ = ["Removal", "World", "bring_down", "host_pids", "processes_inside", "read_world"]

END_TIMEOUT_S = 10.0


@dataclass(frozen=True, slots=True)
class World:
    """The world as its launcher noted it; it may be long gone."""

    pid: int
    namespaces: Mapping[str, int]
    """Inode of each kind of namespace."""

    def is_alive(self) -> bool:
        """Whether that pid is still that world, and not a stranger who got its number."""
        return _namespace(self.pid, "pid") == self.namespaces["pid"]


@dataclass(frozen=True, slots=True)
class Removal:
    """What `down` found and did."""

    found: bool
    """There was something to remove."""
    world_was_alive: bool
    processes_ended: int


def read_world(places: Places) -> World | None:
    """The note, or None where there is none (or half of one: then the world never began)."""
    try:
        raw = json.loads(places.world_file.read_text())
        return World(int(raw["pid"]), raw["namespaces"])
    except (OSError, ValueError, KeyError):
        return None


def bring_down(places: Places) -> Removal:
    """End the world, delete the files, look whether anything is left; raises Leftovers.

    The caller holds the network's lock.
    """
    found = bool(places.leftovers())
    world = read_world(places)
    alive = world is not None and world.is_alive()
    processes = 0
    if world is not None:
        processes = len(processes_inside(world))
        if alive:
            _end(places, world)
        left = processes_inside(world)
        if left:
            names = ", ".join(f"{pid} ({name})" for pid, name in sorted(left.items()))
            raise Leftovers(f"processes of network {places.name!r} survive: {names}")
    places.remove()
    _check_nothing_left(places)
    return Removal(found, alive, processes)


def _end(places: Places, world: World) -> None:
    """Ask, then kill; returns when the kernel has ended everything inside."""
    try:
        handle = os.pidfd_open(world.pid)
    except ProcessLookupError:
        return
    try:
        if not world.is_alive():
            return  # it ended before the handle was taken: the number may be a stranger's by now
        with suppress(Exception):  # a world that does not answer is killed below
            NetnsBackend(places).perform(RemoveNetwork(places.name))
        poll = select.poll()
        poll.register(handle, select.POLLIN)
        for wait_s in (1.0, END_TIMEOUT_S):
            if poll.poll(wait_s * 1000):
                return
            signal.pidfd_send_signal(handle, signal.SIGKILL)
    finally:
        os.close(handle)


def _check_nothing_left(places: Places) -> None:
    left = [str(path) for path in places.leftovers()]
    with open("/proc/self/mountinfo", encoding="utf-8", errors="replace") as file:
        for line in file:
            target = line.split()[4]
            if target.startswith((f"{places.state}/", f"{places.run}/")):
                left.append(f"mount {target}")
    if left:
        raise Leftovers(f"still there after down: {', '.join(left)}")


def processes_inside(world: World) -> dict[int, str]:
    """Processes (not zombies) in the world's user namespace, by host pid, with their names."""
    found = {}
    for entry in os.listdir("/proc"):
        if entry.isdigit() and _namespace(int(entry), "user") == world.namespaces["user"]:
            name = _running_name(int(entry))
            if name is not None:
                found[int(entry)] = name
    return found


def host_pids(world: World) -> dict[int, int]:
    """Host pid by the pid a process has inside the world."""
    found = {}
    for pid in processes_inside(world):
        with suppress(OSError):
            status = Path(f"/proc/{pid}/status").read_text(encoding="utf-8", errors="replace")
            numbers = next(line for line in status.splitlines() if line.startswith("NSpid:"))
            found[int(numbers.split()[-1])] = pid
    return found


def _namespace(pid: int, kind: str) -> int | None:
    try:
        return os.stat(f"/proc/{pid}/ns/{kind}").st_ino
    except OSError:
        return None


def _running_name(pid: int) -> str | None:
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as file:
            text = file.read()
    except OSError:
        return None
    name, _, rest = text.partition("(")[2].rpartition(")")
    return None if rest.split()[0] in ("Z", "X") else name
