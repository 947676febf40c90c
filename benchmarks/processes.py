"""What the kernel says of a process: CPU time, start and memory (proc(5))."""

from __future__ import annotations

import os
import time
from collections.abc import Iterable
from pathlib import Path

from benchmarks.figures import BenchmarkFailed

TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")


def cpu_seconds(pids: Iterable[int]) -> float:
    """User and system time of some processes so far, with the kernel's work on their behalf."""
    return sum(_cpu_seconds(pid) for pid in pids)


def _cpu_seconds(pid: int) -> float:
    # schedstat counts nanoseconds, stat only ticks of 10 ms; not every kernel has the former.
    threads = list(Path(f"/proc/{pid}/task").glob("*/schedstat"))
    if threads:
        return sum(int(_read(thread).split()[0]) for thread in threads) / 1e9
    user, system = _stat(pid)[11:13]
    return (int(user) + int(system)) / TICKS_PER_SECOND


def started_at(pid: int) -> float:
    """When a process was made, in seconds on CLOCK_BOOTTIME; 10 ms exact."""
    return int(_stat(pid)[19]) / TICKS_PER_SECOND


def since_boot() -> float:
    """Now, on the clock of `started_at`."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


def pss_mib(pid: int) -> float:
    """Proportional set size: its own pages, and its share of those that several processes map."""
    for line in _read(Path(f"/proc/{pid}/smaps_rollup")).splitlines():
        name, _, value = line.partition(":")
        if name == "Pss":
            return int(value.split()[0]) / 1024
    raise BenchmarkFailed(f"/proc/{pid}/smaps_rollup names no Pss")


def _stat(pid: int) -> list[str]:
    """Fields from the third on: the second is a name with anything in it."""
    return _read(Path(f"/proc/{pid}/stat")).rpartition(")")[2].split()


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="ascii", errors="replace")
    except (FileNotFoundError, ProcessLookupError):
        raise BenchmarkFailed(f"{path}: the process has ended") from None
    except PermissionError:
        raise BenchmarkFailed(f"{path}: not permitted: run as root or as who owns it") from None
