"""A client's names: ONS lookups over its own paths, one answer for each name that was asked.

Only paths of the pool count, whose last hops this node chose itself: a remote chooses the pivots
of the paths built for it, and could fill them with its friends (security rules 17 and 23). While
a lookup runs and the pool has fewer different pivots than it could have, it is given more paths.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from lokinet_node.base.errors import NameSyntaxError
from lokinet_node.base.units import SECOND, Micros
from lokinet_node.crypto.ons import validate_name
from lokinet_node.netdb.chance import Chooser
from lokinet_node.node.paths import undoubted
from lokinet_node.ons.cache import NameCache
from lokinet_node.ons.lookup import AskName, Effect, NameLookups
from lokinet_node.ons.verdict import Failed, NameAnswer, NotRegistered
from lokinet_node.wire.control import PathKind
from lokinet_node.wire.names import decode_name_told, encode_find_name

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from lokinet_node.base.ground import Ground
    from lokinet_node.node.paths import PathKeeper
    from lokinet_node.path.owned import OwnPaths, Path

# What we chose.

MOST_SPELLINGS: Final = 256
"""Names with different subdomains that wait at once."""
SPARE_PATHS: Final = 2
"""At least so many more while there are not even two pivots: builds may hang."""
PATIENCE: Final[Micros] = 30 * SECOND
"""Without two pivots by then a lookup fails: Lokinet's time for a path to come about."""


@dataclass(frozen=True, slots=True)
class NameResolved:
    """The answer about a name, spelled as it was asked for."""

    name: str
    answer: NameAnswer


class Names:
    """Lookups of names over the pool's paths."""

    def __init__(
        self,
        ground: Ground,
        own: OwnPaths,
        keeper: PathKeeper,
        note: Callable[[object], None],
    ) -> None:
        """`note` takes NameResolved."""
        self.lookups: NameLookups[Path] = NameLookups(
            chooser=Chooser(ground.entropy),
            cache=NameCache(ground.timing.name_cache),
            patience=PATIENCE,
        )
        self._own = own
        self._keeper = keeper
        self._note = note
        # Registered name -> the spellings that wait for it.
        self._waiting: dict[str, set[str]] = {}

    def resolve(self, name: str, now: Micros) -> NameAnswer | None:
        """The answer about `[labels.]NAME.loki` if it is known; else a NameResolved will follow.

        Labels before the last one do not matter, nor do case and a dot at the end. What the
        registry would not take is not registered.
        """
        registered = registered_name(name)
        if registered is None:
            return NotRegistered()
        known = self.lookups.known(registered, now)
        if known is not None:
            return known
        if sum(map(len, self._waiting.values())) >= MOST_SPELLINGS:
            return Failed("too many names are being looked up")
        self._waiting.setdefault(registered, set()).add(name)
        if len(self._waiting[registered]) == 1:
            self._want_pivots(now)
            self._offer(now)
            self._do(self.lookups.look_up(registered, now), now)
        return None

    def paths_changed(self, now: Micros) -> None:
        """A path became ready or was lost, or a build ended."""
        if len(self.lookups):
            self._offer(now)

    def message(self, path: Path, kind: int, payload: bytes, now: Micros) -> bool:
        """An answer that came over a path; False when it is about something else."""
        if kind != PathKind.NAME:
            return False
        self._do(self.lookups.answered(path, decode_name_told(payload), now), now)
        return True

    def tick(self, now: Micros) -> None:
        """What is due."""
        self._do(self.lookups.tick(now), now)

    def deadline(self) -> Micros | None:
        """When `tick` has something to do."""
        return self.lookups.deadline()

    def _offer(self, now: Micros) -> None:
        """Tell the lookups which paths there are."""
        pool = [path for path in self._keeper.ready() if not path.purpose]
        ready = {path: path.pivot for path in undoubted(pool)}
        building = (
            path.pivot for path in self._own.paths if not path.purpose and not path.is_ready
        )
        self._do(self.lookups.use_paths(ready, building, now), now)

    def _do(self, effects: Iterable[Effect[Path]], now: Micros) -> None:
        for effect in effects:
            if isinstance(effect, AskName):
                payload = encode_find_name(effect.message)
                self._own.send(effect.path, PathKind.FIND_NAME, payload, now)
                continue
            for spelling in sorted(self._waiting.pop(effect.name, ())):
                self._note(NameResolved(spelling, effect.answer))
        self._want_pivots(now)

    def _want_pivots(self, now: Micros) -> None:
        """Have the pool as many pivots as it can, while a lookup runs."""
        keeper = self._keeper
        spare = keeper.lacking_pivots(now) if self._waiting else 0
        if self.lookups.is_short:
            spare = max(spare, SPARE_PATHS)
        if spare != keeper.spare:
            keeper.spare = spare
            keeper.tick(now)


def registered_name(name: str) -> str | None:
    """The name the registry knows: last label and `.loki`, in lower case; None if none can be."""
    if not name.isascii():
        return None
    head, dot, suffix = name.lower().removesuffix(".").rpartition(".")
    registered = head.rpartition(".")[2] + dot + suffix
    try:
        validate_name(registered)
    except NameSyntaxError:
        return None
    return registered
