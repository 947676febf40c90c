"""A client's dealings with the DHT: its own introset kept published, those of others looked up.

Questions go over the client's paths to their last hops, never to a link peer, and come back the
same way. Request numbers are random, so one answer finds its question whoever asked.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from lokinet_node.base.units import SECOND
from lokinet_node.dht.ask import Ask
from lokinet_node.dht.lookup import Lookups, Reason, Resolved, Unresolved
from lokinet_node.dht.publish import Publisher
from lokinet_node.netdb.chance import Chooser
from lokinet_node.session.introset import open_introset
from lokinet_node.wire import control as wire
from lokinet_node.wire.control import PathKind, Publish

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from lokinet_node.base.ground import Ground
    from lokinet_node.base.ids import LokiAddress
    from lokinet_node.base.units import Micros
    from lokinet_node.path.owned import OwnPaths, Path
    from lokinet_node.wire.introset import Introset, SealedIntroset

FIRST_PUBLICATION: Final = 2
"""Introductions before the first introset leaves: one alone would hang its readers on one pivot."""


class Directory:
    """Publisher and lookups over one set of paths."""

    def __init__(
        self,
        ground: Ground,
        own: OwnPaths,
        seal: Callable[[int, Micros], bytes | None] | None,
        found: Callable[[LokiAddress, Introset | Reason, Micros], None],
    ) -> None:
        """`seal` makes the own introset, None if not reachable.

        `found` takes an introset and the instant it was signed, or why there is none.
        """
        chooser = Chooser(ground.entropy)
        self.lookups: Lookups[Path, Introset] = Lookups(
            timing=ground.timing,
            period_length=ground.timing.blinding_period,
            open_introset=self._open,
            chooser=chooser,
        )
        self.publisher: Publisher[Path] | None = None
        if seal is not None:
            self.publisher = Publisher(
                timing=ground.timing,
                period_length=ground.timing.blinding_period,
                seal=seal,
                chooser=chooser,
            )
        self._period_length_s = ground.timing.blinding_period // SECOND
        self._own = own
        self._found = found

    def _open(
        self, sealed: SealedIntroset, address: LokiAddress, period: int, now: Micros
    ) -> Introset:
        return open_introset(sealed, address, period, self._period_length_s, now)

    def look_up(self, address: LokiAddress, now: Micros) -> None:
        """Ask for the introset of an address; `found` will be told."""
        self._do(self.lookups.look_up(address, now), now)

    def introductions_changed(self, now: Micros) -> None:
        """Paths came or went: publish anew."""
        if self.publisher is not None:
            self._do(self.publisher.changed(now), now)

    def use_paths(self, paths: Iterable[Path], now: Micros) -> None:
        """These paths are ready, and no others."""
        ready = tuple(paths)
        if self.publisher is not None:
            self._do(self.publisher.use_paths(ready, now), now)
        self._do(self.lookups.use_paths(ready, now), now)

    def message(self, path: Path, kind: int, payload: bytes, now: Micros) -> bool:
        """An answer that came over a path; False when it is about something else."""
        if kind == PathKind.PUBLISHED:
            stored = wire.decode_store_answer(payload)
            if self.publisher is not None:
                self._do(self.publisher.answered(path, stored, now), now)
        elif kind == PathKind.RESULT:
            self._do(self.lookups.answered(path, wire.decode_find_answer(payload), now), now)
        else:
            return False
        return True

    def tick(self, now: Micros) -> None:
        """What is due."""
        if self.publisher is not None:
            self._do(self.publisher.tick(now), now)
        self._do(self.lookups.tick(now), now)

    def deadline(self) -> Micros | None:
        """When `tick` has something to do."""
        times = [self.lookups.deadline()]
        if self.publisher is not None:
            times.append(self.publisher.deadline())
        return min((due for due in times if due is not None), default=None)

    def _do(
        self, effects: Iterable[Ask[Path] | Resolved[Introset] | Unresolved], now: Micros
    ) -> None:
        for effect in effects:
            if isinstance(effect, Ask):
                self._ask(effect, now)
            elif isinstance(effect, Resolved):
                self._found(effect.address, effect.introset, effect.sequence)
            else:
                self._found(effect.address, effect.reason, 0)

    def _ask(self, ask: Ask[Path], now: Micros) -> None:
        if isinstance(ask.message, Publish):
            payload = wire.encode_publish(ask.message)
            self._own.send(ask.path, PathKind.PUBLISH, payload, now)
        else:
            self._own.send(ask.path, PathKind.LOOKUP, wire.encode_lookup(ask.message), now)
