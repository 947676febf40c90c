"""CPU time of this process over many short laps, the cost of looking at the clock taken off."""

from __future__ import annotations

import statistics
import time

CALIBRATION_LAPS = 2001


class Stopwatch:
    """Adds up laps; user and system time, so what the kernel does in our calls counts."""

    __slots__ = ("_began", "_cost", "laps", "nanoseconds")

    def __init__(self, cost: int = 0) -> None:
        """`cost` in nanoseconds is what an empty lap would show."""
        self._cost = cost
        self._began = 0
        self.laps = 0
        self.nanoseconds = 0

    def reset(self) -> None:
        """Forget all laps."""
        self.laps = self.nanoseconds = 0

    def start(self) -> None:
        """Begin a lap."""
        self._began = time.process_time_ns()

    def stop(self) -> None:
        """End it."""
        self.nanoseconds += time.process_time_ns() - self._began
        self.laps += 1

    def microseconds(self) -> float:
        """All laps without what the clock itself cost; 0 at least."""
        return max(0, self.nanoseconds - self.laps * self._cost) / 1000


def clock_cost() -> int:
    """Nanoseconds that an empty lap shows: the median of many."""
    laps = []
    for _ in range(CALIBRATION_LAPS):
        watch = Stopwatch()
        watch.start()
        watch.stop()
        laps.append(watch.nanoseconds)
    return int(statistics.median(laps))
