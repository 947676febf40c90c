"""When something arrived, written down by a thread while it runs: a download, a stream."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO

from benchmarks.figures import longest_gap

GRAIN_S = 0.005
"""Arrivals of a download nearer to each other than this are one."""


class Arrivals:
    """Instants on CLOCK_MONOTONIC, ascending; may be read while they are being added to."""

    def __init__(self) -> None:
        """Nothing yet."""
        self.times: list[float] = []
        self.bytes = 0

    def add(self, at: float) -> None:
        """Something arrived."""
        self.times.append(at)

    def latest(self) -> float:
        """The last one; 0 before the first."""
        return self.times[-1] if self.times else 0.0

    def gap(self, begin: float, end: float) -> float:
        """The longest time without one in between."""
        return longest_gap(list(self.times), begin, end)


def read_bytes(stream: IO[bytes], arrivals: Arrivals) -> None:
    """Note whenever bytes come, until there are no more."""
    while data := os.read(stream.fileno(), 1 << 20):
        arrivals.bytes += len(data)
        now = time.monotonic()
        if now - arrivals.latest() >= GRAIN_S:
            arrivals.add(now)


def read_lines(stream: IO[bytes], arrivals: Arrivals) -> None:
    """Note the instants that `programs/stream.py send` prints; other lines are passed over."""
    for line in stream:
        _, _, instant = line.partition(b" ")
        try:
            arrivals.add(float(instant))
        except ValueError:
            continue


@contextmanager
def watched(stream: IO[bytes], *, is_lines: bool) -> Iterator[Arrivals]:
    """Arrivals on a stream; what feeds it is to end before the block's surroundings do."""
    arrivals = Arrivals()
    read = read_lines if is_lines else read_bytes
    thread = threading.Thread(target=read, args=(stream, arrivals), daemon=True)
    thread.start()
    yield arrivals
