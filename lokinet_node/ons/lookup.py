"""Looking names up: several routers are asked at once, verdict.py says what they prove.

1. `look_up` asks the last hops of the paths that are ready, up to seven different ones, each once.
   Which paths count is the caller's choice: a remote must have no say in it.
2. A pivot whose path becomes ready while the lookup runs is asked too, until seven were. With
   fewer than two nothing can be said: `is_short` tells the caller that paths are needed.
3. Each answer is a vote: an address, "not registered", or bytes that do not open. A router that
   cannot tell, or whose path is lost, is one that stays silent.
4. The verdict falls as soon as neither outstanding answers nor paths that are being built can
   change it, at the latest two seconds after the second question.

Several lookups of one name at once are one. What was found is remembered for a while (cache.py).
The caller tells which paths there are, passes on answers, and calls `tick` when `deadline` says
so. Every method returns effects.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Generic, TypeAlias

from lokinet_node.base.ids import LokiAddress
from lokinet_node.crypto.errors import CryptoError
from lokinet_node.crypto.ons import ADDRESS_SIZE, decrypt_value, name_hash
from lokinet_node.ons.inquiry import MOST_ASKED, Inquiry, PathT, Question
from lokinet_node.ons.verdict import UNREADABLE, Failed, Found, NameAnswer, NotRegistered, Vote
from lokinet_node.path.meter import Bucket
from lokinet_node.wire.kinds import Status
from lokinet_node.wire.names import FindName

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from lokinet_node.base.ids import RouterID
    from lokinet_node.base.units import Micros
    from lokinet_node.netdb.chance import Chooser
    from lokinet_node.ons.cache import NameCache
    from lokinet_node.wire.names import NameTold

# What we chose.

MOST_LOOKUPS: Final = 64
LOOKUP_RATE: Final = 8
LOOKUP_BURST: Final = 64
"""Lookups this node starts: a page full of names at once, then eight a second."""

_NOBODY: Final = bytes(ADDRESS_SIZE)
"""An address of zeros is Lokinet's other way to say that there is none."""


@dataclass(frozen=True, slots=True)
class AskName(Generic[PathT]):
    """Send this question to the last hop of a path."""

    path: PathT
    message: FindName


@dataclass(frozen=True, slots=True)
class Decided:
    """What a lookup came to."""

    name: str
    answer: NameAnswer


Effect: TypeAlias = AskName[PathT] | Decided


@dataclass(slots=True)
class Tally:
    """What lookups came to since the start, for status."""

    asked: int = 0
    """Questions to routers."""
    cached: int = 0
    """Names answered from the cache."""
    found: int = 0
    not_registered: int = 0
    failed: int = 0
    last_asked: int = 0
    """Different routers the last lookup that ended had asked."""


class NameLookups(Generic[PathT]):
    """All lookups of names of one node."""

    def __init__(self, *, chooser: Chooser, cache: NameCache, patience: Micros) -> None:
        """A lookup that finds no two pivots within `patience` fails."""
        self.tally = Tally()
        self._chooser = chooser
        self._cache = cache
        self._patience = patience
        self._meter = Bucket(LOOKUP_RATE, LOOKUP_BURST)
        self._paths: dict[PathT, RouterID] = {}
        self._coming: frozenset[RouterID] = frozenset()
        self._running: dict[str, Inquiry[PathT]] = {}

    def __len__(self) -> int:
        """Number of lookups that run."""
        return len(self._running)

    @property
    def is_short(self) -> bool:
        """Whether a lookup waits for paths to different routers."""
        return any(inquiry.is_short for inquiry in self._running.values())

    def known(self, name: str, now: Micros) -> NameAnswer | None:
        """What the cache has."""
        address = self._cache.get(name, now)
        if address is None:
            return None
        self.tally.cached += 1
        return Found(address)

    def look_up(self, name: str, now: Micros) -> list[Effect[PathT]]:
        """Start a lookup of a valid name in lower case; nothing happens if one runs already."""
        if name in self._running:
            return []
        if len(self._running) >= MOST_LOOKUPS or not self._meter.take(now):
            self.tally.failed += 1
            return [Decided(name, Failed("too many names are being looked up"))]
        self._running[name] = Inquiry(name, name_hash(name), now + self._patience)
        return self.tick(now)

    def use_paths(
        self, ready: Mapping[PathT, RouterID], coming: Iterable[RouterID], now: Micros
    ) -> list[Effect[PathT]]:
        """These paths are ready, with their last hops, and no others; those are being built."""
        self._paths = dict(ready)
        self._coming = frozenset(coming)
        for inquiry in self._running.values():
            for request, question in list(inquiry.awaited.items()):
                if question.path not in self._paths:
                    del inquiry.awaited[request]
        return self.tick(now)

    def answered(self, path: PathT, told: NameTold, now: Micros) -> list[Effect[PathT]]:
        """An answer came over a path; one that nobody waits for is ignored."""
        for inquiry in self._running.values():
            question = inquiry.awaited.get(told.request)
            if question is not None and question.path == path:
                del inquiry.awaited[told.request]
                if told.status in (Status.OK, Status.NOT_FOUND):
                    inquiry.votes.append(_vote(inquiry.name, told))
                return self.tick(now)
        return []

    def tick(self, now: Micros) -> list[Effect[PathT]]:
        """Ask whom to ask, end what has a verdict."""
        effects: list[Effect[PathT]] = []
        for inquiry in list(self._running.values()):
            effects += self._asks(inquiry, now)
            answer = inquiry.verdict(self._coming, now)
            if answer is not None:
                effects.append(self._end(inquiry, answer, now))
        return effects

    def deadline(self) -> Micros | None:
        """When `tick` has something to do; None if no lookup runs."""
        return min((inquiry.deadline() for inquiry in self._running.values()), default=None)

    def _asks(self, inquiry: Inquiry[PathT], now: Micros) -> list[AskName[PathT]]:
        new: dict[RouterID, PathT] = {}
        for path, pivot in self._paths.items():
            if pivot not in inquiry.asked:
                new.setdefault(pivot, path)
        room = MOST_ASKED - len(inquiry.asked)
        asks = []
        for pivot in self._chooser.sample(list(new), room):
            request = self._chooser.below(1 << 64)
            inquiry.ask(Question(pivot, new[pivot], request), now)
            self.tally.asked += 1
            asks.append(AskName(new[pivot], FindName(request, inquiry.name_hash)))
        return asks

    def _end(self, inquiry: Inquiry[PathT], answer: NameAnswer, now: Micros) -> Decided:
        del self._running[inquiry.name]
        tally = self.tally
        tally.last_asked = len(inquiry.asked)
        match answer:
            case Found(address):
                tally.found += 1
                self._cache.keep(inquiry.name, address, now)
            case NotRegistered():
                tally.not_registered += 1
            case Failed():
                tally.failed += 1
        return Decided(inquiry.name, answer)


def _vote(name: str, told: NameTold) -> Vote:
    if told.status is Status.NOT_FOUND:
        return None
    try:
        address = decrypt_value(name, told.value)
    except CryptoError:
        return UNREADABLE
    return None if address == _NOBODY else LokiAddress(address)
