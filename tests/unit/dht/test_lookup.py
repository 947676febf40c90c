"""A lookup asks two holders over two paths, takes the newest, never goes back, and always ends."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lokinet_node.base.ids import LokiAddress
from lokinet_node.base.timing import Timing
from lokinet_node.base.units import MINUTE, SECOND, Micros
from lokinet_node.dht.ask import Ask
from lokinet_node.dht.inquiry import ASK_AGAIN, HEDGE, MOST_QUESTIONS, SECOND_PATH_WAIT, SETTLE
from lokinet_node.dht.lookup import MOST_LOOKUPS, Effect, Lookups, Reason, Resolved, Unresolved
from lokinet_node.wire.control import FindAnswer, Lookup, Status
from lokinet_node.wire.introset import Introset
from tests.unit.dht.introsets import PERIOD, address, blinded, opened, sealed
from tests.unit.netdb.routers import NOW, identity, seeded

if TYPE_CHECKING:
    from collections.abc import Sequence

TIMING = Timing()
WHO = address(1)
END = NOW + TIMING.lookup_timeout

Effects = list[Effect[str, Introset]]


@dataclass
class Client:
    seed: int = 1

    def __post_init__(self) -> None:
        self.lookups: Lookups[str, Introset] = Lookups(
            timing=TIMING, period_length=PERIOD, open_introset=opened, chooser=seeded(self.seed)
        )

    def start(self, *paths: str, who: LokiAddress = WHO) -> list[Ask[str]]:
        assert self.lookups.use_paths(paths, NOW) == []
        return asked(self.lookups.look_up(who, NOW))

    def found(self, ask: Ask[str], raw: bytes, now: Micros = NOW) -> Effects:
        return self.answer(ask, FindAnswer(ask.message.request, Status.OK, raw), now)

    def says(self, ask: Ask[str], status: Status, now: Micros = NOW) -> Effects:
        return self.answer(ask, FindAnswer(ask.message.request, status), now)

    def answer(self, ask: Ask[str], answer: FindAnswer, now: Micros) -> Effects:
        return self.lookups.answered(ask.path, answer, now)


def asked(effects: Sequence[Effect[str, Introset]]) -> list[Ask[str]]:
    asks = [effect for effect in effects if isinstance(effect, Ask)]
    assert len(asks) == len(effects), effects
    return asks


def only(effects: Effects) -> Resolved[Introset] | Unresolved:
    (effect,) = effects
    assert not isinstance(effect, Ask)
    return effect


def orders(asks: list[Ask[str]]) -> set[int]:
    return {ask.message.order for ask in asks}


def test_two_different_orders_are_asked_over_two_paths_under_the_key_of_the_period() -> None:
    asks = Client().start("a", "b", "c")
    assert len(asks) == len(orders(asks)) == len({ask.path for ask in asks}) == 2
    for ask in asks:
        assert isinstance(ask.message, Lookup)
        assert ask.message.key == blinded(1, NOW // PERIOD)


def test_orders_differ_from_lookup_to_lookup() -> None:
    assert set().union(*(orders(Client(seed).start("a", "b")) for seed in range(20))) == {
        0,
        1,
        2,
        3,
    }


def test_newest_of_two_answers_is_taken() -> None:
    for first, second in ((NOW - SECOND, NOW), (NOW, NOW - SECOND)):
        client = Client()
        one, other = client.start("a", "b")
        assert client.found(one, sealed(1, signed=first)) == []
        result = only(client.found(other, sealed(1, signed=second), NOW + 1))
        assert isinstance(result, Resolved)
        assert result.sequence == NOW
        assert (result.address, result.introset.address) == (WHO, WHO)


def test_one_valid_answer_is_enough_after_a_moment() -> None:
    client = Client()
    one, _ = client.start("a", "b")
    assert client.found(one, sealed(1, signed=NOW)) == []
    assert client.lookups.deadline() == NOW + SETTLE
    assert isinstance(only(client.lookups.tick(NOW + SETTLE)), Resolved)
    assert client.lookups.deadline() is None
    assert len(client.lookups) == 0


def test_one_valid_answer_beats_a_denial() -> None:
    client = Client()
    one, other = client.start("a", "b")
    assert client.found(one, sealed(1, signed=NOW)) == []
    assert isinstance(only(client.says(other, Status.NOT_FOUND)), Resolved)


def test_client_never_goes_back_behind_what_it_has_seen() -> None:
    client = Client()
    one, other = client.start("a", "b")
    client.found(one, sealed(1, signed=NOW))
    client.found(other, sealed(1, signed=NOW))
    assert client.lookups.newest(WHO) == NOW
    pending = asked(client.lookups.look_up(WHO, NOW))
    result: Effects = []
    for _ in range(2):
        again, pending = pending, []
        for ask in again:
            result = client.found(ask, sealed(1, signed=NOW - SECOND))
            pending += [effect for effect in result if isinstance(effect, Ask)]
    assert only(result) == Unresolved(WHO, Reason.NOT_FOUND)
    assert client.lookups.newest(WHO) == NOW
    # The same again is as good as newer.
    one, other = asked(client.lookups.look_up(WHO, NOW))
    client.found(one, sealed(1, signed=NOW - SECOND))
    client.found(other, sealed(1, signed=NOW))
    assert isinstance(only(client.lookups.tick(NOW + SETTLE)), Resolved)


@pytest.mark.parametrize(
    "raw",
    [
        b"junk",
        sealed(2, signed=NOW),
        sealed(1, signed=NOW)[:-64] + bytes(64),
        sealed(1, signed=NOW - 30 * MINUTE),
        sealed(1, signed=NOW, period=NOW // PERIOD + 1),
    ],
    ids=["junk", "another address", "bad signature", "expired", "another period"],
)
def test_answer_that_is_not_valid_is_as_good_as_none(raw: bytes) -> None:
    client = Client()
    one, other = client.start("a", "b")
    (third,) = asked(client.found(one, raw))
    assert third.message.order not in {one.message.order, other.message.order}
    client.found(third, sealed(1, signed=NOW))
    assert client.lookups.newest(WHO) == NOW


def test_denials_lead_through_all_four_orders_to_not_found() -> None:
    client = Client()
    one, other = client.start("a", "b")
    (third,) = asked(client.says(one, Status.NOT_FOUND))
    (fourth,) = asked(client.says(other, Status.NOT_FOUND))
    assert orders([one, other, third, fourth]) == {0, 1, 2, 3}
    assert client.says(third, Status.NOT_FOUND) == []
    assert only(client.says(fourth, Status.NOT_FOUND)) == Unresolved(WHO, Reason.NOT_FOUND)


def test_single_path_asks_two_orders_and_a_second_path_is_asked_as_soon_as_it_is_there() -> None:
    client = Client()
    first = client.start("a")
    assert len(orders(first)) == 2
    (third,) = asked(client.lookups.use_paths(["a", "b"], NOW + 1))
    assert third.path == "b"
    assert third.message.order not in orders(first)


def test_denials_of_a_single_path_are_believed_only_when_no_second_one_comes() -> None:
    client = Client()
    pending = client.start("a")
    while pending:
        pending += asked(client.says(pending.pop(), Status.NOT_FOUND))
    assert len(client.lookups) == 1
    assert client.lookups.deadline() == NOW + SECOND_PATH_WAIT
    late = NOW + SECOND_PATH_WAIT
    assert only(client.lookups.tick(late)) == Unresolved(WHO, Reason.NOT_FOUND)


def test_second_path_may_contradict_the_denials_of_the_first() -> None:
    client = Client()
    pending = client.start("liar")
    while pending:
        pending += asked(client.says(pending.pop(), Status.NOT_FOUND))
    (ask,) = asked(client.lookups.use_paths(["liar", "honest"], NOW + SECOND))
    assert ask.path == "honest"
    assert client.lookups.tick(NOW + SECOND_PATH_WAIT - 1) == []
    result = only(client.found(ask, sealed(1, signed=NOW), NOW + SECOND))
    assert isinstance(result, Resolved)


def test_silent_questions_are_joined_by_others_after_a_second() -> None:
    client = Client()
    first = client.start("a", "b")
    assert client.lookups.deadline() == NOW + HEDGE
    more = asked(client.lookups.tick(NOW + HEDGE))
    assert orders(first) | orders(more) == {0, 1, 2, 3}
    # The first two may still answer.
    client.found(first[0], sealed(1, signed=NOW), NOW + HEDGE + 1)
    assert isinstance(only(client.lookups.tick(NOW + HEDGE + 1 + SETTLE)), Resolved)


def test_question_on_a_lost_path_is_replaced_at_once() -> None:
    client = Client()
    first = client.start("a", "b")
    (again,) = asked(client.lookups.use_paths(["b", "c"], NOW + 1))
    assert again.path == "c"
    lost = next(ask for ask in first if ask.path == "a")
    assert client.found(lost, sealed(1, signed=NOW), NOW + 1) == []
    assert client.lookups.newest(WHO) is None


def test_undeliverable_question_is_replaced_at_once() -> None:
    client = Client()
    one, _ = client.start("a", "b")
    (again,) = asked(client.lookups.failed(one.path, one.message.request, NOW))
    assert again.message.order != one.message.order
    assert client.lookups.failed(one.path, one.message.request, NOW) == []


def test_failed_orders_are_asked_again_over_another_path_when_all_were_asked() -> None:
    client = Client()
    pending, seen = client.start("a", "b"), {}
    while pending:
        ask = pending.pop()
        seen[ask.message.order] = ask.path
        pending += asked(client.says(ask, Status.UNREACHABLE))
    assert set(seen) == {0, 1, 2, 3}
    assert client.lookups.deadline() == NOW + ASK_AGAIN
    again = asked(client.lookups.tick(NOW + ASK_AGAIN))
    assert len(again) == 2
    assert all(seen[ask.message.order] != ask.path for ask in again)


def test_reasons_tell_not_found_from_unreachable_from_no_path() -> None:
    client = Client()
    assert client.start() == []
    assert client.lookups.deadline() is not None
    assert only(client.lookups.tick(END)) == Unresolved(WHO, Reason.NO_PATH)
    silent = Client()
    silent.start("a", "b")
    effects: Effects = []
    while (due := silent.lookups.deadline()) is not None:
        effects = silent.lookups.tick(due)
    assert only(effects) == Unresolved(WHO, Reason.UNREACHABLE)
    refused = Client()
    now, asks = NOW, refused.start("a", "b")
    count, effects = 0, []
    while len(refused.lookups):
        for ask in asks:
            count += 1
            effects = refused.says(ask, Status.UNREACHABLE, now)
            asks = [*asks[1:], *(one for one in effects if isinstance(one, Ask))]
        if not asks and (due := refused.lookups.deadline()) is not None:
            now = due
            asks = asked(refused.lookups.tick(now))
    assert only(effects) == Unresolved(WHO, Reason.UNREACHABLE)
    assert count == MOST_QUESTIONS
    assert now < END


def test_lookups_of_one_address_are_one() -> None:
    client = Client()
    assert len(client.start("a", "b")) == 2
    assert client.lookups.look_up(WHO, NOW) == []
    assert len(client.lookups) == 1
    assert len(asked(client.lookups.look_up(address(2), NOW))) == 2


def test_number_of_lookups_is_bounded() -> None:
    client = Client()
    for index in range(MOST_LOOKUPS):
        assert client.lookups.look_up(LokiAddress(identity(index + 1).public), NOW) == []
    assert only(client.lookups.look_up(WHO, NOW)) == Unresolved(WHO, Reason.BUSY)


def test_address_that_is_no_key_is_not_found() -> None:
    nobody = LokiAddress(bytes(32))
    assert only(Client().lookups.look_up(nobody, NOW)) == Unresolved(nobody, Reason.NOT_FOUND)


def test_answers_nobody_waits_for_are_ignored() -> None:
    client = Client()
    one, other = client.start("a", "b")
    swapped = FindAnswer(one.message.request, Status.OK, sealed(1, signed=NOW))
    assert client.lookups.answered(other.path, swapped, NOW) == []
    assert client.lookups.answered("a", FindAnswer(1, Status.NOT_FOUND), NOW) == []
    assert client.lookups.newest(WHO) is None


STATUSES = st.sampled_from([*Status, None])


@given(st.integers(0, 1000), st.lists(st.tuples(STATUSES, st.integers(0, 5)), max_size=40))
@settings(max_examples=150, deadline=None)
def test_every_lookup_ends_once_and_in_time_whatever_happens(
    seed: int, fates: list[tuple[Status | None, int]]
) -> None:
    client, chance, now = Client(seed), seeded(seed), NOW
    effects: Effects = [*client.start("a", "b")]
    questions, results, lost = [], [], 0
    fate = iter(fates)
    while True:
        waiting = [effect for effect in effects if isinstance(effect, Ask)]
        questions += waiting
        results += [effect for effect in effects if not isinstance(effect, Ask)]
        effects = []
        for ask in waiting:
            status, paths = next(fate, (None, 9))
            if status is Status.OK:
                effects += client.found(ask, sealed(1, signed=NOW - chance.below(3) * SECOND), now)
            elif status is not None:
                effects += client.says(ask, status, now)
            if paths < 5:
                ready = chance.sample("abcd", paths)
                awaited = [question for _, question in client.lookups._awaited.values()]
                lost += sum(question.path not in ready for question in awaited)
                effects += client.lookups.use_paths(ready, now)
        if effects:
            continue
        due = client.lookups.deadline()
        if due is None:
            break
        assert due > now, "tick left something undone"
        now = due
        effects = client.lookups.tick(now)
    assert len(results) == 1
    assert now <= END
    assert len(questions) - lost <= MOST_QUESTIONS
    assert client.lookups._awaited == {}
    if any(status is Status.OK for status, _ in fates[: len(questions)]):
        return
    assert isinstance(results[0], Unresolved)
