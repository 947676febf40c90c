"""Lookups of names against routers played by the test: whom they ask, when they end."""

from __future__ import annotations

from random import Random

import pytest

from lokinet_node.base.ids import LokiAddress, RouterID
from lokinet_node.base.units import HOUR, MILLISECOND, SECOND
from lokinet_node.crypto.ons import encrypt_value, name_hash
from lokinet_node.netdb.chance import Chooser
from lokinet_node.ons.cache import NameCache
from lokinet_node.ons.lookup import (
    LOOKUP_BURST,
    MOST_LOOKUPS,
    AskName,
    Decided,
    Effect,
    NameLookups,
)
from lokinet_node.ons.verdict import Failed, Found, NameAnswer, NotRegistered
from lokinet_node.wire.kinds import Status
from lokinet_node.wire.names import NameTold

NAME = "web.loki"
A, B = LokiAddress(b"a" * 32), LokiAddress(b"b" * 32)
PATIENCE = 30 * SECOND


def pivot(number: int) -> RouterID:
    return RouterID(bytes([number]) * 32)


class Asker:
    """A client with numbered paths; path n ends at pivot n % 100."""

    def __init__(self, seed: int = 1, lifetime: int = HOUR) -> None:
        random = Random(seed)
        self.entropy = random.randbytes
        self.lookups: NameLookups[int] = NameLookups(
            chooser=Chooser(random.randbytes), cache=NameCache(lifetime), patience=PATIENCE
        )
        self.now = SECOND
        self.asks: dict[int, AskName[int]] = {}
        """By path: questions nobody answered yet."""
        self.answers: list[Decided] = []

    def take(self, effects: list[Effect[int]]) -> None:
        for effect in effects:
            if isinstance(effect, AskName):
                assert effect.message.name_hash == name_hash(NAME)
                self.asks[effect.path] = effect
            else:
                self.answers.append(effect)

    def paths(self, *paths: int, coming: tuple[int, ...] = ()) -> None:
        ready = {path: pivot(path % 100) for path in paths}
        self.take(self.lookups.use_paths(ready, map(pivot, coming), self.now))

    def look_up(self, name: str = NAME) -> None:
        self.take(self.lookups.look_up(name, self.now))

    def tell(self, path: int, says: LokiAddress | Status | bytes) -> None:
        request = self.asks.pop(path).message.request
        if isinstance(says, Status):
            told = NameTold(request, says)
        else:
            value = says if len(says) == 72 else encrypt_value(NAME, says, self.entropy)
            told = NameTold(request, Status.OK, 5, value)
        self.take(self.lookups.answered(path, told, self.now))

    def wait(self, time: int) -> None:
        self.now += time
        self.take(self.lookups.tick(self.now))

    @property
    def answer(self) -> NameAnswer:
        (decided,) = self.answers
        assert decided.name == NAME
        assert len(self.lookups) == 0
        assert self.lookups.deadline() is None
        return decided.answer


def asking(count: int) -> Asker:
    asker = Asker()
    asker.paths(*range(1, count + 1))
    asker.look_up()
    return asker


# --- whom it asks


def test_every_pivot_that_is_ready_is_asked_once_and_seven_at_most() -> None:
    assert sorted(asking(6).asks) == [1, 2, 3, 4, 5, 6]
    chosen = {tuple(sorted(asker.asks)) for asker in (many(seed) for seed in range(20))}
    assert all(len(set(paths)) == 7 for paths in chosen)
    assert len(chosen) > 5, "which seven of nine is chance"


def many(seed: int) -> Asker:
    asker = Asker(seed)
    asker.paths(*range(1, 10))
    asker.look_up()
    return asker


def test_two_paths_to_one_pivot_are_one_pivot() -> None:
    asker = Asker()
    asker.paths(1, 101, 201)
    asker.look_up()
    assert len(asker.asks) == 1
    assert asker.lookups.is_short
    asker.tell(next(iter(asker.asks)), A)
    assert not asker.answers
    asker.paths(1, 101, 201, 2)
    assert not asker.lookups.is_short
    asker.tell(2, A)
    assert asker.answer == Found(A)


def test_a_path_that_becomes_ready_is_asked_while_it_can_matter() -> None:
    asker = asking(2)
    asker.paths(1, 2, coming=(3, 4))
    asker.tell(1, A)
    asker.tell(2, A)
    assert not asker.answers, "two more may disagree"
    asker.paths(1, 2, 3, coming=(4,))
    asker.tell(3, A)
    assert asker.answer == Found(A)


def test_a_path_that_is_built_to_a_pivot_asked_already_is_not_waited_for() -> None:
    asker = asking(2)
    asker.paths(1, 2, coming=(1, 2))
    asker.tell(1, A)
    asker.tell(2, A)
    assert asker.answer == Found(A)


def test_a_build_that_hangs_holds_nothing_up_longer_than_two_seconds() -> None:
    asker = asking(2)
    asker.paths(1, 2, coming=(3, 4))
    asker.tell(1, A)
    asker.tell(2, A)
    assert asker.lookups.deadline() == asker.now + 2 * SECOND
    asker.wait(2 * SECOND - 1)
    assert not asker.answers
    asker.wait(1)
    assert asker.answer == Found(A)


# --- when it ends


@pytest.mark.parametrize("asked", [5, 6, 7])
@pytest.mark.parametrize("truth", [A, Status.NOT_FOUND])
def test_one_lying_and_one_silent_router_change_nothing(
    asked: int, truth: LokiAddress | Status
) -> None:
    for lie in (B, Status.NOT_FOUND if truth == A else A, bytes(72)):
        asker = asking(asked)
        asker.tell(1, lie)
        for path in range(3, asked + 1):
            asker.tell(path, truth)
        if not asker.answers:
            asker.wait(2 * SECOND)
        assert asker.answer == (Found(A) if truth == A else NotRegistered())


def test_two_equal_lies_against_two_honest_answers_fail() -> None:
    asker = asking(4)
    for path, says in ((1, A), (2, A), (3, B), (4, B)):
        asker.tell(path, says)
    assert isinstance(asker.answer, Failed)


def test_the_majority_is_enough_before_the_last_answer() -> None:
    asker = asking(6)
    for path in (1, 2, 3):
        asker.tell(path, A)
        assert not asker.answers
    asker.tell(4, A)
    assert asker.answer == Found(A)


def test_a_late_answer_is_ignored() -> None:
    asker = asking(3)
    asker.tell(1, A)
    asker.tell(2, A)
    assert asker.answer == Found(A)
    asker.tell(3, B)
    assert len(asker.answers) == 1


def test_an_answer_counts_only_on_the_path_that_was_asked() -> None:
    asker = asking(3)
    question = asker.asks[1].message
    asker.take(asker.lookups.answered(2, NameTold(question.request, Status.NOT_FOUND), asker.now))
    asker.take(asker.lookups.answered(1, NameTold(question.request ^ 1, Status.OK), asker.now))
    asker.tell(1, A)
    asker.tell(2, A)
    assert asker.answer == Found(A)


def test_nobody_counts_twice() -> None:
    asker = asking(3)
    told = NameTold(asker.asks[1].message.request, Status.NOT_FOUND)
    for _ in range(5):
        asker.take(asker.lookups.answered(1, told, asker.now))
    assert not asker.answers


def test_routers_that_cannot_tell_are_not_waited_for_and_prove_nothing() -> None:
    asker = asking(5)
    for path, says in ((1, Status.REFUSED), (2, Status.UNREACHABLE), (3, Status.BUSY)):
        asker.tell(path, says)
    asker.tell(4, Status.NOT_FOUND)
    assert not asker.answers
    asker.tell(5, Status.NOT_FOUND)
    assert asker.answer == NotRegistered()


def test_a_network_without_a_chain_fails_at_once() -> None:
    asker = asking(6)
    for path in range(1, 7):
        asker.tell(path, Status.REFUSED)
        if asker.answers:
            break
    assert isinstance(asker.answer, Failed)


def test_silence_ends_after_two_seconds() -> None:
    asker = asking(6)
    asker.wait(2 * SECOND - 1)
    assert not asker.answers
    asker.wait(1)
    assert isinstance(asker.answer, Failed)


def test_a_lost_path_is_silence() -> None:
    asker = asking(3)
    asker.tell(1, A)
    asker.paths(1, 2)
    asker.tell(2, A)
    assert asker.answer == Found(A)


def test_zeros_are_the_other_way_to_say_not_registered() -> None:
    asker = asking(2)
    asker.tell(1, LokiAddress(bytes(32)))
    asker.tell(2, Status.NOT_FOUND)
    assert asker.answer == NotRegistered()


def test_a_value_of_another_name_never_wins() -> None:
    asker = asking(2)
    other = encrypt_value("other.loki", A, asker.entropy)
    asker.tell(1, other)
    asker.tell(2, other)
    assert isinstance(asker.answer, Failed)


def test_without_two_pivots_it_waits_and_fails_when_patience_is_over() -> None:
    asker = Asker()
    asker.look_up()
    assert asker.lookups.is_short
    asker.paths(1)
    asker.wait(PATIENCE - 1)
    assert not asker.answers
    asker.wait(1)
    assert isinstance(asker.answer, Failed)
    assert "two different routers" in str(asker.answer)
    assert not asker.lookups.is_short


def test_a_question_before_there_are_paths_is_answered_as_soon_as_there_are() -> None:
    asker = Asker()
    asker.look_up()
    asker.wait(20 * SECOND)
    asker.paths(1, 2)
    asker.wait(50 * MILLISECOND)
    asker.tell(1, A)
    asker.tell(2, A)
    assert asker.answer == Found(A)


# --- bounds


def test_several_questions_about_one_name_are_one_lookup() -> None:
    asker = asking(3)
    before = dict(asker.asks)
    asker.look_up()
    assert asker.asks == before
    assert asker.lookups.tally.asked == 3


def test_what_was_found_is_known_for_its_time_and_nothing_else_is() -> None:
    asker = asking(2)
    assert asker.lookups.known(NAME, asker.now) is None
    asker.tell(1, A)
    asker.tell(2, A)
    assert asker.answer == Found(A)
    assert asker.lookups.known(NAME, asker.now + HOUR - 1) == Found(A)
    assert asker.lookups.known(NAME, asker.now + HOUR) is None
    denied = asking(2)
    denied.tell(1, Status.NOT_FOUND)
    denied.tell(2, Status.NOT_FOUND)
    assert denied.answer == NotRegistered()
    assert denied.lookups.known(NAME, denied.now) is None


def test_too_many_lookups_at_once_or_one_after_the_other_fail() -> None:
    lookups: NameLookups[int] = NameLookups(
        chooser=Chooser(Random(1).randbytes), cache=NameCache(HOUR), patience=PATIENCE
    )
    for number in range(MOST_LOOKUPS):
        assert lookups.look_up(f"{number}.loki", SECOND) == []
    (refused,) = lookups.look_up("one-more.loki", SECOND)
    assert isinstance(refused, Decided)
    assert isinstance(refused.answer, Failed)
    asker = Asker()
    started = 0
    for number in range(2 * LOOKUP_BURST):
        name = f"{number}.loki"
        if not asker.lookups.look_up(name, SECOND):
            started += 1
            asker.lookups._running.clear()
    assert started == LOOKUP_BURST


def test_what_came_of_lookups_is_counted() -> None:
    asker = asking(3)
    for path in (1, 2):
        asker.tell(path, A)
    asker.lookups.known(NAME, asker.now)
    tally = asker.lookups.tally
    assert (tally.asked, tally.found, tally.cached, tally.last_asked) == (3, 1, 1, 3)
    asker.look_up()
    asker.wait(2 * SECOND)
    assert (tally.failed, tally.not_registered) == (1, 0)
