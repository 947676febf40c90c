"""Finding the world of a network among the machine's processes, and ending it.

Rules: the kernel gives numbers of processes and namespaces to others once they are free, so a
process is a network's world only if it started when it was noted to have, in this boot, or if it
bears the network's label and is process 1 of a pid namespace; a process is inside a world only if
its pid namespace has the noted number and no other process 1. Signals go through a pidfd.
"""

from __future__ import annotations

import json
import os
import select
import signal
from dataclasses import dataclass
from pathlib import Path

from orchestrator.directories import Places

__all__ = ["LABEL_OPTION", "World", "end_world", "find_world", "host_pids", "processes_inside"]

LABEL_OPTION = "--network-id"
"""In the world's command line, before the network's number."""
WORLD_MODULE = "orchestrator.world"
POLITE_S = 1.0
END_TIMEOUT_S = 10.0
BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


@dataclass(frozen=True, slots=True)
class World:
    """The world as its launcher noted it; it may be long gone."""

    pid: int
    started_ticks: int
    pid_namespace: int
    """Inode."""
    boot: str
    """The machine's boot: ticks count from it."""

    def is_alive(self) -> bool:
        """Whether that pid is still that world, and not a stranger who got its number."""
        found = _stat(self.pid)
        return (
            found is not None
            and found.started_ticks == self.started_ticks
            and self.boot == _this_boot()
        )


def find_world(places: Places, network_id: str) -> World | None:
    """The network's world by its note; where the note is lost, by its label."""
    try:
        raw = json.loads(places.world_file.read_text())
        noted = World(
            int(raw["pid"]), int(raw["started_ticks"]), int(raw["pid_namespace"]), str(raw["boot"])
        )
        if raw["network_id"] == network_id:
            return noted
    except (OSError, ValueError, KeyError, TypeError):
        pass  # none, or half of one: then the world never began, or somebody took the note away
    return _labelled(network_id)


def end_world(world: World) -> None:
    """Ask, then kill; returns when the kernel has ended everything inside."""
    try:
        handle = os.pidfd_open(world.pid)
    except ProcessLookupError:
        return
    try:
        if not world.is_alive():
            return  # it ended before the handle was taken: the number may be a stranger's by now
        poll = select.poll()
        poll.register(handle, select.POLLIN)
        for number, wait_s in ((signal.SIGTERM, POLITE_S), (signal.SIGKILL, END_TIMEOUT_S)):
            signal.pidfd_send_signal(handle, number)
            if poll.poll(wait_s * 1000):
                return
    except ProcessLookupError:
        return  # it has just ended by itself
    finally:
        os.close(handle)


def processes_inside(world: World) -> dict[int, str]:
    """Processes (not zombies) of the world's pid namespace, by host pid, with their names."""
    if world.boot != _this_boot():
        return {}
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


def _labelled(network_id: str) -> World | None:
    """Process 1 of a pid namespace, of this user, with the label in its command line."""
    ours = _pid_namespace(os.getpid())
    for entry in os.listdir("/proc"):
        if not entry.isdigit():
            continue
        pid = int(entry)
        namespace, status = _pid_namespace(pid), _stat(pid)
        if status is None or namespace is None or namespace == ours:
            continue
        if _has_label(pid, network_id) and _pid_inside(pid) == 1 and _user(pid) == os.geteuid():
            return World(pid, status.started_ticks, namespace, _this_boot())
    return None


def _has_label(pid: int, network_id: str) -> bool:
    try:
        words = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
    except OSError:
        return False
    label = [LABEL_OPTION.encode(), network_id.encode()]
    at = words.index(label[0]) if label[0] in words else len(words)
    return WORLD_MODULE.encode() in words and words[at : at + 2] == label


def _this_boot() -> str:
    return BOOT_ID.read_text(encoding="ascii").strip()


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
    field = _status_field(pid, "NSpid")
    return int(field[-1]) if field else None


def _user(pid: int) -> int | None:
    """Its real user."""
    field = _status_field(pid, "Uid")
    return int(field[0]) if field else None


def _status_field(pid: int, name: str) -> list[str]:
    try:
        text = Path(f"/proc/{pid}/status").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return []
    return next((line.split()[1:] for line in text.splitlines() if line.startswith(f"{name}:")), [])
