"""Around a boundary two periods are published for, and never three."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from lokinet_node.base.units import HOUR, MINUTE, SECOND
from lokinet_node.dht.periods import CLOCK_TOLERANCE, next_change, period_at, periods_around

DAY = 24 * HOUR
AHEAD = 150 * SECOND
BOUNDARY = 20_000 * DAY


def test_period_is_counted_from_the_epoch() -> None:
    assert period_at(BOUNDARY, DAY) == 20_000
    assert period_at(BOUNDARY - 1, DAY) == 19_999


def test_two_periods_are_served_around_their_boundary() -> None:
    before = BOUNDARY - AHEAD - CLOCK_TOLERANCE
    assert periods_around(before - 1, DAY, AHEAD) == (19_999,)
    assert periods_around(before, DAY, AHEAD) == (19_999, 20_000)
    assert periods_around(BOUNDARY, DAY, AHEAD) == (20_000, 19_999)
    assert periods_around(BOUNDARY + CLOCK_TOLERANCE - 1, DAY, AHEAD) == (20_000, 19_999)
    assert periods_around(BOUNDARY + CLOCK_TOLERANCE, DAY, AHEAD) == (20_000,)


@given(
    st.integers(0, 1000 * DAY),
    st.integers(4 * SECOND, 2 * DAY),
    st.integers(0, HOUR),
)
def test_current_period_comes_first_and_there_are_never_three(
    now: int, length: int, ahead: int
) -> None:
    periods = periods_around(now, length, ahead)
    assert periods[0] == now // length
    assert len(periods) == len(set(periods)) <= 2


@given(st.integers(0, 1000 * DAY), st.integers(4 * SECOND, 2 * DAY), st.integers(0, 10 * MINUTE))
def test_answer_stays_the_same_until_the_next_change(now: int, length: int, ahead: int) -> None:
    change = next_change(now, length, ahead)
    assert change > now
    assert periods_around(change - 1, length, ahead) == periods_around(now, length, ahead)
    assert periods_around(change, length, ahead) != periods_around(now, length, ahead)
