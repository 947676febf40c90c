"""What several routers' answers about one name add up to. Pure.

The rule: a value counts iff at least two answers carry it and these outnumber all other answers,
other values and denials together. A name is not registered iff at least two answers deny it and
these outnumber all values together. Anything else is a failure. Silence does not count, nor does
a router that says it cannot tell; a value that does not open under the name is some other value
that can never win. An answer counts once for each router, which the caller sees to.

`decide` is asked after each answer: it says the verdict as soon as no outcome of the questions
still out can change it, so a network without liars answers at the speed of its faster half.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, Final, TypeAlias

from lokinet_node.base.names import format_loki

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lokinet_node.base.ids import LokiAddress

# What the specification says.

QUORUM: Final = 2
"""Answers that must agree, at least."""


@dataclass(frozen=True, slots=True)
class Found:
    """The name belongs to this address."""

    address: LokiAddress

    def __str__(self) -> str:
        """The address as people write it."""
        return format_loki(self.address)


@dataclass(frozen=True, slots=True)
class NotRegistered:
    """Nobody owns the name now."""

    def __str__(self) -> str:
        """For people."""
        return "nobody has registered this name"


@dataclass(frozen=True, slots=True)
class Failed:
    """Nothing can be said about the name; another time it may be different."""

    reason: str

    def __str__(self) -> str:
        """For people."""
        return self.reason


NameAnswer: TypeAlias = Found | NotRegistered | Failed
"""What a lookup of a name comes to; resolvers say A record, NXDOMAIN, SERVFAIL."""


class Unreadable(Enum):
    """An answer with a value that is not one of this name."""

    UNREADABLE = "unreadable"


UNREADABLE: Final = Unreadable.UNREADABLE

Vote: TypeAlias = "LokiAddress | Unreadable | None"
"""One router's answer; None is "not registered"."""


def decide(votes: Sequence[Vote], outstanding: int) -> NameAnswer | None:
    """The verdict on these votes; None while the `outstanding` ones could still change it."""
    counts = Counter(vote for vote in votes if vote is not UNREADABLE)
    leader, lead = counts.most_common(1)[0] if counts else (UNREADABLE, 0)
    others = len(votes) - lead
    wins = lead >= QUORUM and lead > others
    if wins:
        # The worst that can come: all who are still out agree on something else.
        return _answer(leader) if lead > others + outstanding else None
    # The best that can come: all who are still out agree with the leader, or with one another.
    best = lead + outstanding
    if outstanding and best >= QUORUM and best > others:
        return None
    return Failed(_disagreement(len(votes)))


def _answer(vote: Vote) -> NameAnswer:
    if vote is None:
        return NotRegistered()
    assert vote is not UNREADABLE, "what cannot be read is not counted for anybody"
    return Found(vote)


def _disagreement(answers: int) -> str:
    if answers < QUORUM:
        return f"{answers} of the routers asked answered, {QUORUM} have to agree"
    return f"{answers} routers answered and too few of them agree"
