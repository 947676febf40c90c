"""What a benchmark says: figures, one reading of each per run, and what several runs come to.

A reading that never came (a stream that did not go on) is infinite: it counts as the worst of all,
so that a median over such runs is still one.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

NEVER = math.inf


class BenchmarkFailed(Exception):
    """A benchmark could not measure; the text says what was missing or went wrong."""


@dataclass(frozen=True, slots=True)
class Figure:
    """One line of the table."""

    key: str
    """Unique within its benchmark; names the figure in the JSON file."""
    title: str
    unit: str
    goal: str = ""
    reference: str = ""
    """What the C++ Lokinet 0.9.11 came to on a machine with two cores like this."""


@dataclass(frozen=True, slots=True)
class Reading:
    """One figure of one run."""

    value: float
    cpu_s: float | None = None
    """CPU-seconds that what was measured used meanwhile; None where that says nothing."""


Readings: TypeAlias = Mapping[str, Reading]
"""By the figures' keys."""


@dataclass(frozen=True, slots=True)
class Benchmark:
    """One thing to measure, once per run."""

    name: str
    summary: str
    figures: tuple[Figure, ...]
    measure: Callable[[], Readings]
    """One run; raises BenchmarkFailed."""
    programs: tuple[str, ...] = ()
    """Commands it needs on this machine."""


@dataclass(frozen=True, slots=True)
class Summary:
    """A figure over all its runs."""

    median: float
    lowest: float
    highest: float
    cpu_s: float | None
    """Median; None if any run has none."""
    values: tuple[float, ...]


def summarise(readings: Sequence[Reading]) -> Summary:
    """Median and spread of at least one reading."""
    values = tuple(reading.value for reading in readings)
    costs = [reading.cpu_s for reading in readings if reading.cpu_s is not None]
    return Summary(
        median=_median(values),
        lowest=min(values),
        highest=max(values),
        cpu_s=statistics.median(costs) if len(costs) == len(readings) else None,
        values=values,
    )


def _median(values: Sequence[float]) -> float:
    # Of an even number the upper middle where one of the two is infinite, which has no mean.
    middle = statistics.median_low(values), statistics.median_high(values)
    return sum(middle) / 2 if math.isfinite(sum(middle)) else middle[1]


def percentile(values: Iterable[float], share: float) -> float:
    """The smallest value with at least `share` (above 0, at most 1) of all at or below it."""
    ordered = sorted(values)
    if not ordered:
        raise BenchmarkFailed("no values to take a percentile of")
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)]


def longest_gap(arrivals: Sequence[float], begin: float, end: float) -> float:
    """The longest time without an arrival within [begin, end]; times ascend.

    A gap counts from the arrival before `begin` where there is one, and up to `end` after the last
    arrival.
    """
    before = [at for at in arrivals if at <= begin]
    last = before[-1] if before else begin
    longest = 0.0
    for at in arrivals:
        if begin < at <= end:
            longest = max(longest, at - last)
            last = at
    return max(longest, end - last)
