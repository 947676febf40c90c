"""When a node is asked: never in a packet's way, never too late."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lokinet_node.agenda import NEVER, PAUSE, QUIET, RECHECK, Agenda
from lokinet_node.base.units import MILLISECOND, SECOND
from lokinet_node.link.liveness import SIGN_OF_LIFE
from lokinet_node.link.timers import SLACK

START = 1_000 * SECOND


def begun(due: int = NEVER, looked: int = START) -> Agenda:
    agenda = Agenda()
    agenda.begin()
    agenda.look(looked, due)
    return agenda


def test_there_is_nothing_to_look_at_before_the_node_and_after_it() -> None:
    agenda = Agenda()
    agenda.stir(START)
    assert agenda.wakes_at == NEVER
    agenda.begin()
    assert agenda.wakes_at == 0
    agenda.look(START, START + SECOND)
    agenda.rest()
    agenda.stir(START)
    assert agenda.wakes_at == NEVER


def test_a_sign_of_life_leaves_within_what_the_specification_says() -> None:
    assert SIGN_OF_LIFE + SLACK + QUIET + PAUSE <= 70 * MILLISECOND


def test_without_packets_the_node_is_asked_when_it_said_but_not_all_the_time() -> None:
    assert begun(START + SECOND).wakes_at == START + SECOND
    assert begun(START).wakes_at == START + PAUSE


def test_after_a_lone_packet_the_node_is_asked_in_the_gap_behind_it() -> None:
    agenda = begun()
    agenda.stir(START + SECOND)
    assert agenda.wakes_at == START + SECOND + QUIET


def test_an_answer_that_is_on_its_way_puts_the_look_off() -> None:
    agenda = begun()
    agenda.stir(START + SECOND)
    agenda.stir(START + SECOND + QUIET - 1)
    assert agenda.wakes_at == START + SECOND + 2 * QUIET - 1


def test_where_packets_never_leave_a_gap_the_node_is_asked_every_recheck() -> None:
    agenda = begun()
    for now in range(START + SECOND, START + SECOND + RECHECK, MILLISECOND):
        assert agenda.wakes_at > now
        agenda.stir(now)
    assert agenda.wakes_at == START + SECOND + RECHECK


def test_gaps_are_not_all_used_when_nothing_is_due() -> None:
    agenda = begun(looked=START)
    agenda.stir(START + MILLISECOND)
    assert agenda.wakes_at == START + RECHECK


@pytest.mark.parametrize("early", [MILLISECOND, QUIET])
def test_what_is_due_waits_for_a_gap_but_no_longer_than_one(early: int) -> None:
    due = START + SECOND
    agenda = begun(due, looked=due - 2 * MILLISECOND)
    agenda.stir(due - MILLISECOND)
    assert due < agenda.wakes_at <= due + QUIET
    agenda.stir(due + early)
    assert agenda.wakes_at == due + QUIET


@given(
    due=st.integers(0, 100 * MILLISECOND),
    packets=st.lists(st.integers(1, 30 * MILLISECOND), max_size=60),
)
def test_whatever_comes_the_node_is_asked_within_bounds(due: int, packets: list[int]) -> None:
    agenda, now, first = begun(START + due), START, None
    for pause in packets:
        now += pause
        if now >= agenda.wakes_at:
            return
        first = now if first is None else first
        agenda.stir(now)
        assert agenda.wakes_at <= START + max(due, PAUSE) + QUIET
        assert agenda.wakes_at <= first + RECHECK
