"""A router's answers about names: what paths that end here ask is passed on to the router's chain.

1. Without a chain the answer is REFUSED, when it does not answer UNREACHABLE, and BUSY beyond
   what one path, or all together, may ask: all three mean "I cannot tell", never "nobody owns it".
2. Questions about one name that come while the chain is being asked wait for the same answer; a
   second later it still serves, so a crowd costs the chain one question a second for each name.
3. The chain is asked through a port that returns at once; `answered` is its way back.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Protocol

from lokinet_node.base.units import MILLISECOND, SECOND, Micros
from lokinet_node.path.meter import Bucket
from lokinet_node.wire.control import PathKind, Status
from lokinet_node.wire.names import FindName, NameTold, encode_name_told

if TYPE_CHECKING:
    from lokinet_node.path.transit import Hop, Transit

# What we chose.

PATIENCE: Final[Micros] = 1500 * MILLISECOND
"""How long the chain has: whoever asked waits two seconds at most."""
KEPT: Final[Micros] = SECOND
"""How long an answer of the chain serves others."""
MOST_KEPT: Final = 1024
MOST_WAITING: Final = 1024
"""Questions that wait for the chain."""
PATH_RATE: Final = 8
PATH_BURST: Final = 64
"""Questions one path may ask: what a client itself allows its lookups."""


class Chain(Protocol):
    """Where a router looks names up."""

    @property
    def is_reachable(self) -> bool:
        """Whether it answered the last question."""

    def ask(self, name_hash: bytes) -> None:
        """Ask, without waiting; the answer goes to `NameDesk.answered`, even if it is none."""


@dataclass(frozen=True, slots=True)
class ChainSays:
    """What the chain has for a name: OK with 72 bytes, NOT_FOUND, or UNREACHABLE without word."""

    status: Status
    height: int = 0
    value: bytes = b""


NO_WORD: Final = ChainSays(Status.UNREACHABLE)


@dataclass(slots=True)
class DeskTally:
    """What was asked and answered since the start, for status."""

    asked: int = 0
    found: int = 0
    not_found: int = 0
    unable: int = 0


@dataclass(slots=True)
class _Question:
    until: Micros
    askers: list[tuple[Hop, int]]
    """Paths and their request numbers."""


class NameDesk:
    """Names at the last hop."""

    def __init__(self, transit: Transit) -> None:
        """There is no chain until one is set."""
        self.chain: Chain | None = None
        self.tally = DeskTally()
        self._transit = transit
        self._waiting: dict[bytes, _Question] = {}
        self._askers = 0
        self._kept: dict[bytes, tuple[ChainSays, Micros]] = {}
        self._meters: dict[Hop, Bucket] = {}

    def ask(self, hop: Hop, find: FindName, now: Micros) -> None:
        """A path asks about a name; the caller flushes the path."""
        self.tally.asked += 1
        refusal = self._refusal(hop, now)
        if refusal is not None:
            self._tell(hop, find.request, ChainSays(refusal), now)
            return
        said, until = self._kept.get(find.name_hash, (NO_WORD, now))
        if now < until:
            self._tell(hop, find.request, said, now)
            return
        question = self._waiting.get(find.name_hash)
        self._askers += 1
        if question is not None:
            question.askers.append((hop, find.request))
            return
        self._waiting[find.name_hash] = _Question(now + PATIENCE, [(hop, find.request)])
        if self.chain is not None:
            self.chain.ask(find.name_hash)

    def _refusal(self, hop: Hop, now: Micros) -> Status | None:
        if self.chain is None:
            return Status.REFUSED
        meter = self._meters.get(hop)
        if meter is None:
            meter = self._meters[hop] = Bucket(PATH_RATE, PATH_BURST)
        if not meter.take(now) or self._askers >= MOST_WAITING:
            return Status.BUSY
        return None

    def answered(self, name_hash: bytes, said: ChainSays, now: Micros) -> None:
        """The chain's word, or that there is none; nobody may be waiting for it any more."""
        if said.status in (Status.OK, Status.NOT_FOUND):
            self._kept.pop(name_hash, None)
            self._kept[name_hash] = (said, now + KEPT)
            if len(self._kept) > MOST_KEPT:
                del self._kept[next(iter(self._kept))]
        question = self._waiting.pop(name_hash, None)
        if question is None:
            return
        self._askers -= len(question.askers)
        for hop, request in question.askers:
            self._tell(hop, request, said, now)
            self._transit.flush(hop, now)

    def _tell(self, hop: Hop, request: int, said: ChainSays, now: Micros) -> None:
        tally = self.tally
        if said.status is Status.OK:
            tally.found += 1
        elif said.status is Status.NOT_FOUND:
            tally.not_found += 1
        else:
            tally.unable += 1
        payload = encode_name_told(NameTold(request, said.status, said.height, said.value))
        self._transit.send(hop, PathKind.NAME, payload, now)

    def tick(self, now: Micros) -> None:
        """Give up on the chain; forget answers and paths that are gone."""
        for name_hash, question in list(self._waiting.items()):
            if question.until <= now:
                self.answered(name_hash, NO_WORD, now)
        for name_hash in [one for one, (_, until) in self._kept.items() if until <= now]:
            del self._kept[name_hash]
        for hop in [hop for hop in self._meters if hop not in self._transit.hops]:
            del self._meters[hop]

    def deadline(self) -> Micros | None:
        """When `tick` has something to do that cannot wait for another reason to tick."""
        return min((question.until for question in self._waiting.values()), default=None)
