"""Taking a network down so that nothing is left, and proving it.

Rules: everything is ended by ending the world, process 1 of its own pid namespace; what survives is
reported, never ignored. The kernel gives numbers of processes and namespaces to others once they
are free, so a process is ours only if its pid namespace has the noted number and no other process
1.
"""

from __future__ import annotations

import json
import os
import select
import signal
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
    started_ticks: int
    pid_namespace: int
    """Inode."""

    def is_alive(self) -> bool:
        """Whether that pid is still that world, and not a stranger who got its number."""
        found = _stat(self.pid)
        return found is not None and found.started_ticks == self.started_ticks


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
        return World(int(raw["pid"]), int(raw["started_ticks"]), int(raw["pid_namespace"]))
    except (OSError, ValueError, KeyError, TypeError):
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
    """Processes (not zombies) of the world's pid namespace, by host pid, with their names."""
    found: dict[int, str] = {}
    first: int | None = None
    for entry in os.listdir("/proc"):
        if not entry.isdigit() or _pid_namespace(int(entry)) != world.pid_namespace:
            continue
        pid = int(entry)
        status = _stat(pid)
        if status is not None:
            found[pid] = status.name
            if _pid_inside(pid) == 1:
                first = pid
    is_reused = first is not None and first != world.pid
    return {} if is_reused else found


def host_pids(world: World) -> dict[int, int]:
    """Host pid by the pid a process has inside the world."""
    inside = {pid: _pid_inside(pid) for pid in processes_inside(world)}
    return {number: pid for pid, number in inside.items() if number is not None}


@dataclass(frozen=True, slots=True)
class _Stat:
    name: str
    started_ticks: int


def _stat(pid: int) -> _Stat | None:
    """What proc_pid_stat(5) says of a process; None for one that is gone, zombies included."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
    name, _, rest = text.partition("(")[2].rpartition(")")
    fields = rest.split()
    return None if fields[0] in ("Z", "X") else _Stat(name, int(fields[19]))


def _pid_namespace(pid: int) -> int | None:
    try:
        return os.stat(f"/proc/{pid}/ns/pid").st_ino
    except OSError:
        return None


def _pid_inside(pid: int) -> int | None:
    """The pid in its innermost namespace."""
    try:
        text = Path(f"/proc/{pid}/status").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
    line = next(line for line in text.splitlines() if line.startswith("NSpid:"))
    return int(line.split()[-1])
