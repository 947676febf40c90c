"""Statistics of readings, percentiles and gaps."""

from __future__ import annotations

import math
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.figures import (
    NEVER,
    BenchmarkFailed,
    Reading,
    longest_gap,
    percentile,
    summarise,
)
from benchmarks.stopwatch import Stopwatch, clock_cost

INSTANTS = st.lists(st.floats(0, 100), max_size=30).map(sorted)


def test_a_summary_is_median_and_spread_of_values_and_cpu_time() -> None:
    summary = summarise([Reading(3, 30), Reading(1, 10), Reading(2, 50)])
    assert (summary.median, summary.lowest, summary.highest) == (2, 1, 3)
    assert summary.cpu_s == 30
    assert summary.values == (3, 1, 2)


def test_an_even_number_of_runs_has_the_mean_of_the_middle_two() -> None:
    assert summarise([Reading(value) for value in (4, 1, 2, 9)]).median == 3


def test_cpu_time_is_left_out_when_a_run_has_none() -> None:
    assert summarise([Reading(1, 1), Reading(2)]).cpu_s is None


@pytest.mark.parametrize(
    ("values", "median"),
    [((1, 2, NEVER), 2), ((1, NEVER, NEVER), NEVER), ((1, NEVER), NEVER), ((NEVER,), NEVER)],
)
def test_what_never_came_counts_as_the_worst(values: tuple[float, ...], median: float) -> None:
    assert summarise([Reading(value) for value in values]).median == median


@pytest.mark.parametrize(
    ("share", "expected"), [(0.01, 1), (0.5, 50), (0.95, 95), (0.951, 96), (1, 100)]
)
def test_a_percentile_is_a_value_that_occurred(share: float, expected: int) -> None:
    assert percentile(range(100, 0, -1), share) == expected


def test_nothing_has_no_percentile() -> None:
    with pytest.raises(BenchmarkFailed, match="no values"):
        percentile([], 0.5)


@pytest.mark.parametrize(
    ("arrivals", "gap"),
    [
        ([], 6),
        ([4.5, 5, 6, 7, 8, 9, 10, 11], 1),
        ([1, 8, 9, 10], 7),  # it began before the watch did
        ([5, 6, 7], 4),  # and nothing came until its end
        ([5, 7, 11, 30], 4),
        ([20], 6),
    ],
)
def test_the_longest_gap_of_a_watch_from_5_to_11(arrivals: list[float], gap: float) -> None:
    assert longest_gap(arrivals, 5, 11) == gap


@given(INSTANTS, st.floats(0, 100), st.floats(0, 100))
def test_the_longest_gap_is_that_of_the_obvious_way(
    arrivals: list[float], one: float, other: float
) -> None:
    begin, end = min(one, other), max(one, other)
    start = max([at for at in arrivals if at <= begin], default=begin)
    marks = [start, *(at for at in arrivals if begin < at <= end), end]
    assert longest_gap(arrivals, begin, end) == max(
        after - before for before, after in pairwise(marks)
    )


def test_a_stopwatch_takes_the_cost_of_the_clock_off() -> None:
    watch = Stopwatch(cost=100)
    watch.nanoseconds, watch.laps = 5_000, 20
    assert watch.microseconds() == 3
    watch.laps = 1_000
    assert watch.microseconds() == 0
    watch.reset()
    assert (watch.nanoseconds, watch.laps) == (0, 0)


def test_an_empty_lap_costs_about_what_calibration_says() -> None:
    cost = clock_cost()
    assert 0 < cost < 1_000_000
    assert not math.isnan(cost)
