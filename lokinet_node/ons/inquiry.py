"""One lookup of a name: whom it asked, what they said, and when it ends.

Decides only; who sends, opens values and remembers is lookup.py, whose page has the rules.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Generic, TypeVar

from lokinet_node.base.units import SECOND, Micros
from lokinet_node.ons.verdict import QUORUM, Failed, NameAnswer, Vote, decide

if TYPE_CHECKING:
    from collections.abc import Collection, Hashable

    from lokinet_node.base.ids import RouterID

PathT = TypeVar("PathT", bound="Hashable")

# What the specification says.

MOST_ASKED: Final = 7
"""Pivots that one lookup asks at most."""
LONGEST: Final[Micros] = 2 * SECOND
"""From the second question to the verdict."""


@dataclass(slots=True)
class Question(Generic[PathT]):
    """One pivot asked over one path."""

    pivot: RouterID
    path: PathT
    request: int


@dataclass(slots=True)
class Inquiry(Generic[PathT]):
    """The state of one lookup."""

    name: str
    name_hash: bytes
    gives_up: Micros
    """Without two pivots by then it fails."""
    asked: set[RouterID] = field(default_factory=set)
    awaited: dict[int, Question[PathT]] = field(default_factory=dict)
    """By request number: what may still be answered."""
    votes: list[Vote] = field(default_factory=list)
    ends: Micros | None = None
    """When it ends whatever was heard; None until a second pivot was asked."""

    @property
    def is_short(self) -> bool:
        """Whether there are too few pivots for any verdict."""
        return len(self.asked) < QUORUM

    def ask(self, question: Question[PathT], now: Micros) -> None:
        """A question leaves."""
        self.asked.add(question.pivot)
        self.awaited[question.request] = question
        if self.ends is None and not self.is_short:
            self.ends = now + LONGEST

    def verdict(self, coming: Collection[RouterID], now: Micros) -> NameAnswer | None:
        """None as long as the lookup goes on; `coming` are pivots of paths that are being built."""
        if self.ends is None:
            too_late = now >= self.gives_up
            return Failed("there are no paths to two different routers") if too_late else None
        unasked = sum(pivot not in self.asked for pivot in coming)
        outstanding = len(self.awaited) + min(unasked, MOST_ASKED - len(self.asked))
        return decide(self.votes, 0 if now >= self.ends else outstanding)

    def deadline(self) -> Micros:
        """When time alone ends it."""
        return self.gives_up if self.ends is None else self.ends
