"""Looking introsets up: two holders at once over two paths, the newest valid answer wins.

1. `look_up` asks two of the four orders, over two ready paths if there are two. With one path
   both go over it, and a third order over the second path as soon as there is one.
2. An order that failed, or is silent for a second, is joined by another order over another path:
   first those not asked yet, then those that failed. Eight questions at most, but for those that
   were lost with their path: when routers die together, paths do one after the other.
3. A valid answer is taken a moment later, or when no other is awaited; the newest of several. One
   is enough, because it is signed. Nothing older than what was ever seen of the address counts.
4. Not found: all four orders said so, heard over two paths if a second one came up in time.
   Unreachable: nobody could say. Both at the latest when `lookup_timeout` is over.

Several lookups of one address at once are one. The caller tells which paths are ready, passes on
answers and losses, and calls `tick` when `deadline` says so. Every method returns effects.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, Final, Generic, TypeAlias

from lokinet_node.base.errors import WireError
from lokinet_node.base.ids import BlindedKey, LokiAddress
from lokinet_node.base.units import SECOND, Micros
from lokinet_node.crypto.blind import blind_public
from lokinet_node.crypto.errors import CryptoError
from lokinet_node.dht.ask import Ask, PathT, least_used
from lokinet_node.dht.inquiry import (
    ASK_AGAIN,
    Inquiry,
    IntrosetT,
    Outcome,
    Question,
    Verdict,
)
from lokinet_node.dht.periods import period_at
from lokinet_node.wire.control import ORDERS, Lookup, Status
from lokinet_node.wire.introset import decode_sealed_introset

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from lokinet_node.base.timing import Timing
    from lokinet_node.netdb.chance import Chooser
    from lokinet_node.wire.control import FindAnswer
    from lokinet_node.wire.introset import SealedIntroset

# What we chose.

MOST_LOOKUPS: Final = 256
MOST_REMEMBERED: Final = 4096
"""Addresses whose newest sequence is remembered."""


class Reason(Enum):
    """Why there is no introset; the value is the sentence for people."""

    NOT_FOUND = "no introset of this address is published"
    UNREACHABLE = "no holder of introsets could be reached"
    NO_PATH = "there was no path to ask over"
    BUSY = "too many lookups at once"


@dataclass(frozen=True, slots=True)
class Resolved(Generic[IntrosetT]):
    """The newest introset of an address; `sequence` is the instant it was signed."""

    address: LokiAddress
    introset: IntrosetT
    sequence: Micros


@dataclass(frozen=True, slots=True)
class Unresolved:
    """There is no introset to be had now."""

    address: LokiAddress
    reason: Reason


Effect: TypeAlias = Ask[PathT] | Resolved[IntrosetT] | Unresolved

_REASONS: Final = {
    Verdict.NOT_FOUND: Reason.NOT_FOUND,
    Verdict.UNREACHABLE: Reason.UNREACHABLE,
    Verdict.NO_PATH: Reason.NO_PATH,
}


class Lookups(Generic[PathT, IntrosetT]):
    """All lookups of one node that run, and the newest sequence seen of each address."""

    def __init__(
        self,
        *,
        timing: Timing,
        period_length: Micros,
        open_introset: Callable[[SealedIntroset, LokiAddress, int, Micros], IntrosetT],
        chooser: Chooser,
    ) -> None:
        """`open_introset(sealed, address, period, now)` verifies and opens, or raises WireError."""
        self._timeout = timing.lookup_timeout
        self._period_length = period_length
        self._open = open_introset
        self._chooser = chooser
        self._paths: tuple[PathT, ...] = ()
        self._running: dict[LokiAddress, Inquiry[PathT, IntrosetT]] = {}
        self._awaited: dict[int, tuple[Inquiry[PathT, IntrosetT], Question[PathT]]] = {}
        # Address -> highest sequence seen, least recently renewed first.
        self._newest: dict[LokiAddress, Micros] = {}
        self._ticked: Micros = 0

    def __len__(self) -> int:
        """Number of lookups that run."""
        return len(self._running)

    def look_up(self, address: LokiAddress, now: Micros) -> list[Effect[PathT, IntrosetT]]:
        """Start a lookup; nothing happens if one of the same address runs already."""
        if address in self._running:
            return []
        if len(self._running) >= MOST_LOOKUPS:
            return [Unresolved(address, Reason.BUSY)]
        period = period_at(now, self._period_length)
        try:
            key = blind_public(address, period, self._period_length // SECOND)
        except CryptoError:
            # 32 bytes that are no key: nobody can have published under them.
            return [Unresolved(address, Reason.NOT_FOUND)]
        self._running[address] = Inquiry(
            address=address,
            period=period,
            key=BlindedKey(key),
            started=now,
            ends=now + self._timeout,
            orders=self._chooser.shuffled(range(ORDERS)),
        )
        return self.tick(now)

    def use_paths(self, paths: Iterable[PathT], now: Micros) -> list[Effect[PathT, IntrosetT]]:
        """These paths are ready, and no others: what was asked over another is asked again."""
        self._paths = tuple(paths)
        for request, (_, question) in list(self._awaited.items()):
            if question.path not in self._paths:
                self._settle(request, Outcome.LOST, again_at=now)
        return self.tick(now)

    def answered(
        self, path: PathT, answer: FindAnswer, now: Micros
    ) -> list[Effect[PathT, IntrosetT]]:
        """An answer came over a path; one that nobody waits for is ignored."""
        inquiry, question = self._awaited.get(answer.request, (None, None))
        if inquiry is None or question is None or question.path != path:
            return []
        outcome = self._judge(inquiry, answer, now)
        self._settle(answer.request, outcome, again_at=now + ASK_AGAIN)
        return self.tick(now)

    def failed(self, path: PathT, request: int, now: Micros) -> list[Effect[PathT, IntrosetT]]:
        """The message of this request number could not be delivered."""
        _, question = self._awaited.get(request, (None, None))
        if question is None or question.path != path:
            return []
        self._settle(request, Outcome.FAILED, again_at=now)
        return self.tick(now)

    def tick(self, now: Micros) -> list[Effect[PathT, IntrosetT]]:
        """End what has a verdict and ask what is due."""
        self._ticked = now
        effects: list[Effect[PathT, IntrosetT]] = []
        for inquiry in list(self._running.values()):
            verdict = inquiry.verdict(now)
            if verdict is None:
                effects += self._asks(inquiry, now)
            else:
                effects.append(self._end(inquiry, verdict))
        return effects

    def deadline(self) -> Micros | None:
        """When `tick` has something to do; None if no lookup runs."""
        return min(
            (inquiry.deadline(self._ticked) for inquiry in self._running.values()), default=None
        )

    def newest(self, address: LokiAddress) -> Micros | None:
        """Highest sequence seen of an address: nothing older will be taken."""
        return self._newest.get(address)

    def _asks(
        self, inquiry: Inquiry[PathT, IntrosetT], now: Micros
    ) -> list[Effect[PathT, IntrosetT]]:
        asks: list[Effect[PathT, IntrosetT]] = []
        while (wanted := inquiry.next_question(self._paths, now)) is not None:
            used = [question.path for question in inquiry.questions]
            path = least_used(self._chooser, wanted.paths, used, wanted.avoid)
            request = self._chooser.below(1 << 64)
            question = Question(wanted.order, path, request, now)
            inquiry.questions.append(question)
            self._awaited[request] = (inquiry, question)
            asks.append(Ask(path, Lookup(request, wanted.order, inquiry.key)))
        return asks

    def _judge(
        self, inquiry: Inquiry[PathT, IntrosetT], answer: FindAnswer, now: Micros
    ) -> Outcome:
        if answer.status is Status.NOT_FOUND:
            return Outcome.DENIED
        if answer.status is not Status.OK:
            return Outcome.FAILED
        try:
            sealed = decode_sealed_introset(answer.introset)
            introset = self._open(sealed, inquiry.address, inquiry.period, now)
        except WireError:
            return Outcome.FAILED
        if sealed.sequence < self._newest.get(inquiry.address, 0):
            return Outcome.DENIED
        self._remember(inquiry.address, sealed.sequence)
        inquiry.found(sealed.sequence, introset, now)
        return Outcome.FOUND

    def _settle(self, request: int, outcome: Outcome, *, again_at: Micros) -> None:
        _, question = self._awaited.pop(request)
        question.outcome = outcome
        question.again_at = again_at

    def _end(
        self, inquiry: Inquiry[PathT, IntrosetT], verdict: Verdict
    ) -> Resolved[IntrosetT] | Unresolved:
        del self._running[inquiry.address]
        for question in inquiry.questions:
            self._awaited.pop(question.request, None)
        if inquiry.best is not None:
            sequence, introset = inquiry.best
            return Resolved(inquiry.address, introset, sequence)
        return Unresolved(inquiry.address, _REASONS[verdict])

    def _remember(self, address: LokiAddress, sequence: Micros) -> None:
        self._newest.pop(address, None)
        self._newest[address] = sequence
        if len(self._newest) > MOST_REMEMBERED:
            del self._newest[next(iter(self._newest))]
