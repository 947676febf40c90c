"""Running a topology's `tests:`: which of them, one after the other, and what came of each."""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from orchestrator.checklist import Expectation
from orchestrator.checks.network import Network
from orchestrator.checks.trying import Held, eventually
from orchestrator.errors import UsageError

__all__ = ["Result", "chosen_tests", "rounds", "run_tests"]

WORD = re.compile(r"\(|\)|[^\s()]+")
OPERATORS = ("and", "or", "not", "(", ")")

Choice = Callable[[str], bool]


@dataclass(frozen=True, slots=True)
class Result:
    """One test and what came of it."""

    test: Expectation
    held: Held
    round: int = 1
    """Which time it was tried as a test of its own, from 1."""

    @property
    def has_failed(self) -> bool:
        """It was tried and did not hold."""
        return not self.held and not self.held.verdict.is_skipped


def rounds(
    tests: Sequence[Expectation], repeat: int = 1, seed: int | None = None
) -> list[tuple[int, Expectation]]:
    """Every test as often as it is wanted, with its round.

    Args:
        tests: in the order of the file.
        repeat: how many rounds.
        seed: shuffles each round in its own way, the same for the same seed; None: as they stand.
    """
    chance = None if seed is None else random.Random(seed)
    found: list[tuple[int, Expectation]] = []
    for number in range(1, repeat + 1):
        order = list(tests)
        if chance is not None:
            chance.shuffle(order)
        found += [(number, test) for test in order]
    return found


def run_tests(
    network: Network, tests: Sequence[tuple[int, Expectation]], fail_fast: bool = False
) -> Iterator[Result]:
    """One after the other, as they measure the same network; each is given when it is known."""
    for number, test in tests:
        result = Result(test, eventually(network, test.check, test.eventually), number)
        yield result
        if fail_fast and result.has_failed:
            return


def chosen_tests(tests: Sequence[Expectation], expression: str | None) -> list[Expectation]:
    """Those that are meant; raises UsageError if that is none.

    Args:
        tests: all there are.
        expression: words a title contains, with `and`, `or`, `not` and parentheses; None for all.
    """
    if not tests:
        raise UsageError("the topology has no tests: write some under `tests:`")
    if expression is None:
        return list(tests)
    choice = _parsed(expression)
    found = [test for test in tests if choice(f"{test.title} {test.kind}".lower())]
    if not found:
        titles = ", ".join(test.title for test in tests)
        raise UsageError(f"no test matches {expression!r}: there are {titles}")
    return found


def _parsed(expression: str) -> Choice:
    words = WORD.findall(expression.lower())
    choice, rest = _either(words, expression)
    if rest:
        raise _unreadable(expression)
    return choice


def _either(words: list[str], whole: str) -> tuple[Choice, list[str]]:
    first, rest = _both(words, whole)
    if rest[:1] != ["or"]:
        return first, rest
    second, rest = _either(rest[1:], whole)
    return (lambda title: first(title) or second(title)), rest


def _both(words: list[str], whole: str) -> tuple[Choice, list[str]]:
    first, rest = _one(words, whole)
    if rest[:1] != ["and"]:
        return first, rest
    second, rest = _both(rest[1:], whole)
    return (lambda title: first(title) and second(title)), rest


def _one(words: list[str], whole: str) -> tuple[Choice, list[str]]:
    if not words:
        raise _unreadable(whole)
    word, rest = words[0], words[1:]
    if word == "not":
        inner, rest = _one(rest, whole)
        return (lambda title: not inner(title)), rest
    if word == "(":
        inner, rest = _either(rest, whole)
        if rest[:1] != [")"]:
            raise _unreadable(whole)
        return inner, rest[1:]
    if word in OPERATORS:
        raise _unreadable(whole)
    return (lambda title: word in title), rest


def _unreadable(expression: str) -> UsageError:
    return UsageError(
        f"{expression!r} cannot be read: write words with and, or, not, ( and ) between them"
    )
