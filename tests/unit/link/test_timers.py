"""When links are looked at: late enough for several at once, never too late for one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lokinet_node.base.units import MILLISECOND, SECOND
from lokinet_node.link.timers import SLACK, Timers
from tests.unit.link.world import linked

if TYPE_CHECKING:
    from lokinet_node.link.link import Link


def links() -> tuple[Link, Link]:
    _, one, other = linked(seed=1)
    return next(iter(one.links.by_key.values())), next(iter(other.links.by_key.values()))


def fresh() -> tuple[Timers, Link, Link]:
    first, second = links()
    first.wakes_at = second.wakes_at = None
    return Timers(), first, second


def test_what_can_wait_is_done_with_what_cannot() -> None:
    timers, first, second = fresh()
    timers.arm(first, SECOND)
    timers.arm(second, SECOND + SLACK, SLACK)
    assert timers.deadline() == SECOND
    assert timers.take_due(SECOND) == [first, second]
    assert timers.deadline() is None


def test_what_can_wait_is_waited_for_no_longer_than_that() -> None:
    timers, first, second = fresh()
    timers.arm(first, SECOND + SLACK, SLACK)
    timers.arm(second, SECOND + 2 * SLACK)
    assert timers.deadline() == SECOND + SLACK
    assert timers.take_due(SECOND + SLACK) == [first]
    assert timers.deadline() == SECOND + 2 * SLACK


def test_nothing_is_done_before_it_is_of_use() -> None:
    timers, first, second = fresh()
    timers.arm(first, SECOND)
    timers.arm(second, SECOND + SLACK + MILLISECOND, SLACK)
    assert timers.take_due(SECOND) == [first]


def test_of_two_the_earlier_last_chance_counts() -> None:
    timers, first, _ = fresh()
    timers.arm(first, 2 * SECOND)
    timers.arm(first, SECOND + SLACK, SLACK)
    timers.arm(first, 3 * SECOND)
    assert timers.take_due(SECOND) == [first]
    assert timers.take_due(4 * SECOND) == []
