"""The fast window against a set of counters, and what it must never forget."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from lokinet_node.flow.replay import WINDOW, ReplayWindow


class ObviousWindow:
    """The specification: remember every counter."""

    def __init__(self, size: int) -> None:
        self.size = size
        self.seen: set[int] = set()

    def is_new(self, counter: int) -> bool:
        highest = max(self.seen, default=-1)
        return counter not in self.seen and counter > highest - self.size

    def fresh(self, counter: int, count: int) -> bool:
        return all(self.is_new(number) for number in range(counter, counter + count))

    def mark(self, counter: int, count: int) -> None:
        self.seen.update(range(counter, counter + count))


STARTS = st.one_of(st.integers(0, 300), st.integers(0, 3 * WINDOW), st.integers(0, (1 << 64) - 1))


@settings(max_examples=300, deadline=None)
@given(
    size=st.sampled_from([1, 8, 64, 100]),
    start=st.integers(0, 1 << 48),
    steps=st.lists(st.tuples(st.integers(-150, 150), st.integers(1, 47)), max_size=60),
)
def test_window_agrees_with_the_obvious_one(
    size: int, start: int, steps: list[tuple[int, int]]
) -> None:
    fast, slow = ReplayWindow(size), ObviousWindow(size)
    at = start
    for step, count in steps:
        at = max(0, at + step)
        assert fast.fresh(at, count) == slow.fresh(at, count)
        for number in range(at, at + count):
            assert fast.is_new(number) == slow.is_new(number)
        if slow.fresh(at, count):
            fast.mark(at, count)
            slow.mark(at, count)


@settings(max_examples=100, deadline=None)
@given(st.lists(st.tuples(STARTS, st.integers(1, 47)), max_size=40))
def test_default_window_agrees_with_the_obvious_one(runs: list[tuple[int, int]]) -> None:
    fast, slow = ReplayWindow(), ObviousWindow(WINDOW)
    for counter, count in runs:
        assert fast.fresh(counter, count) == slow.fresh(counter, count)
        if slow.fresh(counter, count):
            fast.mark(counter, count)
            slow.mark(counter, count)


def test_asking_does_not_mark() -> None:
    window = ReplayWindow()
    assert window.fresh(7, 45)
    assert window.fresh(7, 45)


def test_a_marked_run_is_never_fresh_again_whole_or_in_part() -> None:
    window = ReplayWindow()
    window.mark(100, 45)
    assert not window.fresh(100, 45)
    assert not window.fresh(99, 2)
    assert not window.fresh(144, 2)
    assert window.fresh(99, 1)
    assert window.fresh(145, 1)


def test_a_replay_after_a_long_stream_without_gaps_costs_what_any_other_does() -> None:
    window = ReplayWindow()
    window.mark(0, 1)
    window.mark(1, 1 << 60)  # a number shifted by as much would not fit into any memory
    assert not window.fresh(1 << 60, 1)
    assert window.fresh((1 << 60) + 1, 1)


def test_counters_older_than_the_window_are_refused() -> None:
    window = ReplayWindow()
    window.mark(WINDOW, 1)
    assert not window.is_new(0)
    assert window.is_new(1)
    window.mark(1 << 63, 47)
    assert not window.is_new(WINDOW + 1)
    assert window.is_new((1 << 63) - 1)


def test_a_first_counter_far_from_zero_leaves_room_for_late_ones() -> None:
    window = ReplayWindow()
    window.mark(1 << 40, 1)
    assert window.fresh((1 << 40) - 100, 100)
