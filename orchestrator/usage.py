"""What nodes take of the machine and carry for others, between two looks.

CPU and memory are those of all processes in a node's network namespace, read from /proc on the
host; cells are counted by the node itself.
"""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from orchestrator.census import Census, paths_of

__all__ = ["Load", "Look", "loads", "look"]

TICKS_PER_S = os.sysconf("SC_CLK_TCK")
PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")


@dataclass(frozen=True, slots=True)
class Look:
    """Counters of all nodes at one instant."""

    at: float
    """Seconds of the monotonic clock."""
    cpu_s: Mapping[str, float] = field(default_factory=dict)
    """CPU-seconds of a node's living processes, by node."""
    memory: Mapping[str, int] = field(default_factory=dict)
    """Bytes; what processes share is divided among them."""
    cells_in: Mapping[str, int] = field(default_factory=dict)
    cells_out: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Load:
    """One node between two looks."""

    node: str
    role: str
    is_well: bool
    cpu_pct: float
    """Of one core."""
    memory_bytes: int
    links: int | None
    paths: int | None
    """Ready ones; None of who owns none."""
    cells_in_per_s: float
    cells_out_per_s: float


def look(census: Census, host_pids: Mapping[int, int], now: float | None = None) -> Look:
    """Read every counter.

    Args:
        census: what the nodes say.
        host_pids: pid on this machine by the pid inside the world.
        now: seconds of the monotonic clock.
    """
    cpu: dict[str, float] = {}
    memory: dict[str, int] = {}
    for name, node in census.observed.nodes.items():
        pids = [host_pids.get(process.pid) for process in node.processes.values()]
        stats = [_stat(pid) for pid in pids if pid is not None]
        cpu[name] = sum(seconds for seconds, _ in stats)
        memory[name] = sum(size for _, size in stats)
    counted = {name: _cells(status) for name, status in census.statuses.items()}
    return Look(
        time.monotonic() if now is None else now,
        cpu,
        memory,
        {name: cells[0] for name, cells in counted.items()},
        {name: cells[1] for name, cells in counted.items()},
    )


def loads(census: Census, before: Look, after: Look) -> list[Load]:
    """What happened between two looks, in the order of the nodes; counters that fell count as 0."""
    seconds = max(after.at - before.at, 1e-6)

    def rate(name: str, first: Mapping[str, float], second: Mapping[str, float]) -> float:
        grown = second.get(name, 0) - first.get(name, second.get(name, 0))
        return max(0.0, grown / seconds)

    found = []
    for name in census.observed.nodes:
        status = census.statuses.get(name, {})
        paths = paths_of(census, name)
        found.append(
            Load(
                node=name,
                role=census.role(name),
                is_well=name in census.statuses,
                cpu_pct=round(100 * rate(name, before.cpu_s, after.cpu_s), 1),
                memory_bytes=after.memory.get(name, 0),
                links=status.get("numPeersConnected"),
                paths=sum(path.is_ready for path in paths) if paths else None,
                cells_in_per_s=round(rate(name, before.cells_in, after.cells_in), 1),
                cells_out_per_s=round(rate(name, before.cells_out, after.cells_out), 1),
            )
        )
    return found


def _cells(status: Mapping[str, Any]) -> tuple[int, int]:
    """Cells of all links, in and out."""
    links = status.get("links") or []
    return (
        sum(int(link.get("cells_in") or 0) for link in links),
        sum(int(link.get("cells_out") or 0) for link in links),
    )


def _stat(pid: int) -> tuple[float, int]:
    """CPU-seconds and memory of a process: proc_pid_stat(5); zeros for one that is gone."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return 0.0, 0
    fields = text.rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS_PER_S, _proportional(pid, int(fields[21]))


def _proportional(pid: int, resident_pages: int) -> int:
    """Bytes, shared pages divided among those who share; all resident ones where that is hidden."""
    try:
        with open(f"/proc/{pid}/smaps_rollup", encoding="ascii", errors="replace") as file:
            for line in file:
                if line.startswith("Pss:"):
                    return int(line.split()[1]) << 10
    except OSError:
        pass  # not shown to this user, or just ended
    return resident_pages * PAGE_BYTES
