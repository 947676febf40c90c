"""One lookup: what has been asked, what came of it, what to ask next, and the verdict.

Decides only; who sends, verifies and remembers is lookup.py, whose page has the rules.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum, auto
from typing import TYPE_CHECKING, Final, Generic, TypeVar

from lokinet_node.base.units import MILLISECOND, SECOND, Micros
from lokinet_node.dht.ask import PathT
from lokinet_node.wire.control import ORDERS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lokinet_node.base.ids import BlindedKey, LokiAddress

IntrosetT = TypeVar("IntrosetT")

# What we chose.

AT_ONCE: Final = 2
"""Questions that are awaited together; the rules ask for two holders at least."""
MOST_QUESTIONS: Final = 8
HEDGE: Final[Micros] = SECOND
"""A question that is silent for this long no longer holds up another."""
ASK_AGAIN: Final[Micros] = 500 * MILLISECOND
"""Pause before an order that failed is asked again."""
SETTLE: Final[Micros] = 200 * MILLISECOND
"""How long a valid answer waits for a newer one."""
SECOND_PATH_WAIT: Final[Micros] = 2 * SECOND
"""How long the word of a single path is not enough to believe that there is nothing."""


class Outcome(Enum):
    """What became of a question."""

    FOUND = auto()
    DENIED = auto()
    """The holder has none, or an older one than we have seen."""
    FAILED = auto()
    """No word of the holder: refused, unreachable, an answer that is not valid."""
    LOST = auto()
    """The path is gone, and the question with it; it does not count."""


_NO_WORD: Final = (Outcome.FAILED, Outcome.LOST)


class Verdict(Enum):
    """What became of a lookup."""

    FOUND = auto()
    NOT_FOUND = auto()
    UNREACHABLE = auto()
    NO_PATH = auto()


@dataclass(slots=True)
class Question(Generic[PathT]):
    """One order asked over one path; without an outcome it is still awaited."""

    order: int
    path: PathT
    request: int
    asked: Micros
    outcome: Outcome | None = None
    again_at: Micros = 0
    """When the order may be asked again, should this question have failed."""


@dataclass(frozen=True, slots=True)
class Next(Generic[PathT]):
    """What to ask next."""

    order: int
    paths: list[PathT]
    """To choose from."""
    avoid: PathT | None
    """The path that failed to bring word of this order."""


@dataclass(slots=True)
class Inquiry(Generic[PathT, IntrosetT]):
    """The state of one lookup."""

    address: LokiAddress
    period: int
    key: BlindedKey
    started: Micros
    ends: Micros
    orders: list[int]
    """The four orders in the order in which this lookup prefers them."""
    questions: list[Question[PathT]] = field(default_factory=list)
    best: tuple[Micros, IntrosetT] | None = None
    """Sequence and introset of the newest valid answer."""
    settles: Micros | None = None
    """When the best answer is taken without waiting for others."""

    def found(self, sequence: Micros, introset: IntrosetT, now: Micros) -> None:
        """A valid answer that is not older than what was seen before."""
        if self.best is None or sequence > self.best[0]:
            self.best = (sequence, introset)
        if self.settles is None:
            self.settles = now + SETTLE

    def next_question(self, paths: Sequence[PathT], now: Micros) -> Next[PathT] | None:
        """What to ask now over one of these ready paths; None: nothing."""
        if self.best is not None or not paths or self._counted() >= MOST_QUESTIONS:
            return None
        used = {question.path for question in self.questions}
        unused = [path for path in paths if path not in used]
        # The second path is asked as soon as there is one, whatever the first one says.
        is_second_path = len(used) == 1 and bool(unused)
        if not is_second_path and len(self._awaited(now)) >= AT_ONCE:
            return None
        candidates = unused if is_second_path else list(paths)
        latest = {question.order: question for question in self.questions}
        for order in self.orders:
            if order not in latest:
                return Next(order, candidates, None)
        for question in latest.values():
            if _may_repeat(question, now):
                return Next(question.order, candidates, question.path)
        return Next(self.orders[0], unused, None) if is_second_path else None

    def verdict(self, now: Micros) -> Verdict | None:
        """None as long as the lookup goes on."""
        awaited = self._awaited(now)
        if self.best is not None:
            is_settled = not awaited or self.settles is None or now >= self.settles
            return Verdict.FOUND if is_settled else None
        denials = [one for one in self.questions if one.outcome is Outcome.DENIED]
        denied = {one.order for one in denials}
        if len(denied) == ORDERS and not awaited:
            heard_enough = len({one.path for one in denials}) > 1
            if heard_enough or now >= self.started + SECOND_PATH_WAIT:
                return Verdict.NOT_FOUND
        is_exhausted = self._counted() >= MOST_QUESTIONS and all(
            one.outcome is not None for one in self.questions
        )
        if now < self.ends and not is_exhausted:
            return None
        if not self.questions:
            return Verdict.NO_PATH
        return Verdict.NOT_FOUND if len(denied) >= AT_ONCE else Verdict.UNREACHABLE

    def deadline(self, after: Micros) -> Micros:
        """The next instant after `after` at which time alone changes something."""
        instants = [self.started + SECOND_PATH_WAIT]
        if self.settles is not None:
            instants.append(self.settles)
        for question in self.questions:
            if question.outcome is None:
                instants.append(question.asked + HEDGE)
            elif question.outcome in _NO_WORD:
                instants.append(question.again_at)
        return min(
            (instant for instant in instants if after < instant < self.ends), default=self.ends
        )

    def _counted(self) -> int:
        return sum(one.outcome is not Outcome.LOST for one in self.questions)

    def _awaited(self, now: Micros) -> list[Question[PathT]]:
        return [one for one in self.questions if one.outcome is None and now < one.asked + HEDGE]


def _may_repeat(question: Question[PathT], now: Micros) -> bool:
    if question.outcome is None:
        return now >= question.asked + HEDGE
    return question.outcome in _NO_WORD and now >= question.again_at
