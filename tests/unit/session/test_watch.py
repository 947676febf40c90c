"""Liveness, announcements and judgement of a session, each alone."""

from __future__ import annotations

from dataclasses import replace

import pytest

from lokinet_node.base.ids import Handle, RouterID
from lokinet_node.base.timing import Timing
from lokinet_node.base.units import MILLISECOND, MINUTE, SECOND
from lokinet_node.session.announce import LONGEST_WAIT, Announcer
from lokinet_node.session.messages import Introductions
from lokinet_node.session.streams import MOST_RECORDS
from lokinet_node.session.verdict import Condition, Verdict, judge
from lokinet_node.session.watch import Step, Watch
from lokinet_node.wire.introset import Introduction

RTT = 20 * MILLISECOND


def watch() -> Watch:
    tokens = iter(bytes([n]) * 8 for n in range(1, 100))
    return Watch(lambda size: next(tokens)[:size], 0)


# --- watch


def test_unanswered_data_leads_to_a_ping_after_a_second() -> None:
    one = watch()
    one.poll(5, 0, RTT, 250 * MILLISECOND)
    assert one.is_waiting
    one.poll(5, 0, RTT, 999 * MILLISECOND)
    assert one.due(999 * MILLISECOND) is Step.NOTHING
    one.poll(5, 0, RTT, SECOND)
    assert one.due(SECOND) is Step.PING


def test_a_long_round_trip_is_given_longer() -> None:
    one = watch()
    one.poll(5, 0, 600 * MILLISECOND, 250 * MILLISECOND)
    one.poll(5, 0, 600 * MILLISECOND, 1700 * MILLISECOND)
    assert one.due(1700 * MILLISECOND) is Step.NOTHING
    one.poll(5, 0, 600 * MILLISECOND, 1800 * MILLISECOND)
    assert one.due(1800 * MILLISECOND) is Step.PING


def test_answered_data_leads_to_nothing() -> None:
    one = watch()
    for quarter in range(40):
        now = quarter * 250 * MILLISECOND
        one.poll(quarter, now - 1, RTT, now)
        assert one.due(now) is Step.NOTHING
    assert not one.is_waiting


def test_hearing_without_sending_or_silence_without_sending_is_no_reason() -> None:
    one = watch()
    one.poll(0, 5, RTT, 10 * SECOND)
    one.poll(0, 5, RTT, 20 * SECOND)
    assert one.due(20 * SECOND) is Step.NOTHING


def test_a_ping_is_repeated_once_with_the_same_token_then_the_route_is_silent() -> None:
    one = watch()
    one.start(0)
    first = one.token
    assert one.due(0) is Step.PING
    one.pinged(3, RTT, 0)
    assert one.due(199 * MILLISECOND) is Step.NOTHING
    assert one.deadline == 200 * MILLISECOND
    assert one.due(200 * MILLISECOND) is Step.PING
    one.pinged(3, RTT, 200 * MILLISECOND)
    assert one.token == first
    assert one.due(399 * MILLISECOND) is Step.NOTHING
    assert one.due(400 * MILLISECOND) is Step.SILENT
    one.next_route(600 * MILLISECOND)
    assert one.token != first
    assert one.due(600 * MILLISECOND) is Step.PING
    assert one.silent_since == 0, "silent since the first ping of all"


def test_a_pong_ends_it_measures_and_proves_the_first_stream() -> None:
    one = watch()
    one.start(0)
    token = one.token or b""
    assert one.pong(token, 5) is None, "no ping was sent yet"
    one.pinged(3, RTT, 0)
    one.pinged(4, RTT, 200 * MILLISECOND)
    assert one.pong(b"unknown!", 310 * MILLISECOND) is None
    assert one.pong(token, 310 * MILLISECOND) == 3
    assert one.rtt == 310 * MILLISECOND, "too long after a repetition, never too short"
    assert (one.token, one.deadline, one.silent_since) == (None, None, None)
    assert one.pong(token, 311 * MILLISECOND) is None


def test_pings_without_a_way_are_not_counted_and_do_not_spin() -> None:
    one = watch()
    one.start(0)
    for tried in range(5):
        now = one.deadline
        assert now is not None
        assert one.due(now) is Step.PING
        one.pinged(None, RTT, now)
        assert one.deadline is not None
        assert one.deadline >= now + 200 * MILLISECOND, tried
    assert one.silent_since is None


def test_rounds_without_an_answer_slow_down() -> None:
    one = watch()
    one.start(0)
    now, pauses = 0, []
    for _ in range(10):
        one.pinged(1, RTT, now)
        one.pinged(1, RTT, now)
        pauses.append((one.deadline or 0) - now)
        now = one.deadline or 0
        assert one.due(now) is Step.SILENT
        one.next_route(now)
    assert pauses[0] == 200 * MILLISECOND
    assert pauses == sorted(pauses)
    assert pauses[-1] == 200 * MILLISECOND << 4


# --- announcer


def introductions(*numbers: int) -> tuple[Introduction, ...]:
    return tuple(Introduction(RouterID(bytes([n]) * 32), Handle(n + 10), 99) for n in numbers)


def test_introductions_are_offered_once_and_repeated_until_received() -> None:
    one = Announcer()
    assert (one.due(0), one.deadline) == (None, None)
    one.offer(introductions(1, 2), 0)
    assert one.due(0) == Introductions(1, introductions(1, 2))
    one.sent(4, 300 * MILLISECOND, 0)
    assert one.due(299 * MILLISECOND) is None
    assert one.due(300 * MILLISECOND) == Introductions(1, introductions(1, 2))
    one.sent(5, 300 * MILLISECOND, 300 * MILLISECOND)
    assert one.deadline == 900 * MILLISECOND
    assert one.received(2) is None
    assert one.received(1) == 4, "the earliest stream is what an answer proves"
    assert one.received(1) is None
    assert one.due(MINUTE) is None


def test_only_a_real_change_takes_a_new_number() -> None:
    one = Announcer()
    one.offer(introductions(1, 2), 0)
    one.offer(introductions(2, 1), 0)
    one.offer((), 0)
    assert one.number == 1
    one.sent(0, 1, 0)
    one.offer(introductions(3), 10)
    assert one.due(10) == Introductions(2, introductions(3))
    assert one.received(1) is None, "the older list does not matter any more"
    one.renew(20)
    assert one.due(20) == Introductions(3, introductions(3))


def test_repetitions_slow_down_and_wait_for_a_way() -> None:
    one = Announcer()
    one.renew(0)
    assert one.number == 0, "there is nothing to say yet"
    one.offer(introductions(1), 0)
    one.sent(None, 300 * MILLISECOND, 0)
    assert (one.tries, one.deadline) == (0, 300 * MILLISECOND)
    for _ in range(12):
        one.sent(1, 300 * MILLISECOND, 0)
    assert one.deadline == LONGEST_WAIT


# --- verdict


FINE = Condition(
    epoch=None,
    is_own_epoch=True,
    sealed=0,
    is_exhausted=False,
    last_used=0,
    stranded_since=None,
    silent_since=None,
    is_silent=False,
    has_introductions=True,
)


@pytest.mark.parametrize(
    ("condition", "now", "expected"),
    [
        (FINE, 39 * MINUTE, Verdict.FINE),
        (FINE, 40 * MINUTE, Verdict.IDLE),
        (replace(FINE, stranded_since=0), 2 * SECOND - 1, Verdict.FINE),
        (replace(FINE, stranded_since=0), 2 * SECOND, Verdict.RESCUE),
        (replace(FINE, stranded_since=0, has_introductions=False), 0, Verdict.RESCUE),
        (replace(FINE, silent_since=0), SECOND, Verdict.FINE),
        (replace(FINE, silent_since=0, is_silent=True), SECOND, Verdict.RESCUE),
        (replace(FINE, silent_since=0), MINUTE, Verdict.UNREACHABLE),
        (replace(FINE, stranded_since=0), MINUTE, Verdict.UNREACHABLE),
        (replace(FINE, sealed=MOST_RECORDS), 0, Verdict.USED_UP),
        (replace(FINE, sealed=MOST_RECORDS - 1), 0, Verdict.FINE),
        (replace(FINE, is_exhausted=True, stranded_since=0), SECOND, Verdict.RENEW),
    ],
)
def test_the_worst_that_applies_is_the_verdict(
    condition: Condition, now: int, expected: Verdict
) -> None:
    assert judge(condition, Timing(), now) is expected
