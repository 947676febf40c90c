"""What routers' answers about a name add up to, against the rule spelled out the long way."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import combinations_with_replacement, product

import pytest

from lokinet_node.base.ids import LokiAddress
from lokinet_node.ons.verdict import (
    UNREADABLE,
    Failed,
    Found,
    NameAnswer,
    NotRegistered,
    Vote,
    decide,
)

A, B, C, D = (LokiAddress(bytes([n]) * 32) for n in (1, 2, 3, 4))
SILENT = "silent"


def rule(votes: Sequence[Vote]) -> tuple[str, Vote]:
    """The rule as its sentence says it, every value weighed against every other answer."""
    for value in {vote for vote in votes if isinstance(vote, bytes)}:
        carry = sum(vote == value for vote in votes)
        others = sum(vote != value for vote in votes)
        if carry >= 2 and carry > others:
            return ("found", value)
    denials = sum(vote is None for vote in votes)
    values = sum(vote is not None for vote in votes)
    if denials >= 2 and denials > values:
        return ("not registered", None)
    return ("failed", None)


def plain(answer: NameAnswer) -> tuple[str, Vote]:
    match answer:
        case Found(address):
            return ("found", address)
        case NotRegistered():
            return ("not registered", None)
        case Failed():
            return ("failed", None)


def fates(outstanding: int) -> Iterator[list[Vote]]:
    """Every way in which the questions that are out may end; D is a value not seen so far."""
    ends: list[Vote | str] = [SILENT, None, A, B, C, D, UNREADABLE]
    for fate in combinations_with_replacement(ends, outstanding):
        yield [one for one in fate if not isinstance(one, str)]


def cases() -> Iterator[tuple[Vote, ...]]:
    for size in range(6):
        yield from combinations_with_replacement([A, B, C, None, UNREADABLE], size)


def test_the_verdict_without_anything_outstanding_is_the_rule() -> None:
    for votes in cases():
        answer = decide(votes, 0)
        assert answer is not None
        assert plain(answer) == rule(votes), votes


@pytest.mark.parametrize("outstanding", [1, 2, 3])
def test_it_is_decided_exactly_when_nothing_that_may_come_changes_it(outstanding: int) -> None:
    ways = list(fates(outstanding))
    for votes in cases():
        answer = decide(votes, outstanding)
        verdicts = {rule([*votes, *way]) for way in ways}
        assert (answer is not None) == (len(verdicts) == 1), votes
        if answer is not None:
            assert {plain(answer)} == verdicts


def test_order_does_not_matter() -> None:
    for votes in product([A, B, None], repeat=4):
        assert decide(votes, 1) == decide(sorted(votes, key=repr), 1)


@pytest.mark.parametrize("asked", [5, 6, 7])
@pytest.mark.parametrize("truth", [A, None])
@pytest.mark.parametrize("lie", [B, None, UNREADABLE])
def test_one_lying_and_one_silent_among_five_or_more_change_nothing(
    asked: int, truth: Vote, lie: Vote
) -> None:
    if lie is truth:
        lie = B
    honest = [truth] * (asked - 2)
    answer = decide([lie, *honest], 0)
    assert answer is not None
    assert plain(answer) == rule(honest)


def test_two_equal_lies_against_two_honest_answers_fail() -> None:
    for truth, lie in ((A, B), (A, None), (None, B)):
        assert isinstance(decide([truth, lie, truth, lie], 0), Failed)


def test_one_liar_does_not_register_a_name_nor_take_one_away() -> None:
    assert decide([None, None, B], 0) == NotRegistered()
    assert decide([A, A, None], 0) == Found(A)


def test_one_answer_is_never_enough() -> None:
    for vote in (A, None):
        assert isinstance(decide([vote], 0), Failed)
        assert decide([vote], 1) is None


def test_silence_alone_fails() -> None:
    assert isinstance(decide([], 0), Failed)
    assert isinstance(decide([], 1), Failed), "one answer could not be enough either"
    assert decide([], 2) is None


def test_what_agrees_on_nonsense_is_no_answer() -> None:
    assert isinstance(decide([UNREADABLE] * 7, 0), Failed)


def test_answers_have_words_for_people() -> None:
    assert str(Found(A)).endswith(".loki")
    assert "registered" in str(NotRegistered())
    assert "2" in str(decide([A], 0))
    assert "agree" in str(decide([A, B], 0))
