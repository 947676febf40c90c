"""Which paths a client keeps: a pool with different pivots, and paths to pivots others ask for.

The pool serves introductions, publishing and lookups: at least `paths` of them that live long
enough, on different pivots where the network has enough, through at least two first hops. A
session that shares no pivot with us asks for paths to its remote's pivots; how many builds one
remote may cause is capped, for a remote chooses its pivots. After failures builds slow down.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from lokinet_node.base.units import MILLISECOND, SECOND
from lokinet_node.netdb.choose import HopChooser, NoChoice, Wish
from lokinet_node.path.meter import Bucket
from lokinet_node.path.owned import (
    OwnPaths,
    Path,
    PathEvent,
    PathFailed,
    PathLost,
    PathReady,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lokinet_node.base.ids import RouterID
    from lokinet_node.base.timing import Timing
    from lokinet_node.base.units import Micros
    from lokinet_node.netdb.profile import Profile
    from lokinet_node.node.network import Network

FIRST_PAUSE: Final = 50 * MILLISECOND
LONGEST_PAUSE: Final = 10 * SECOND
"""After a failed build the next one waits; twice as long after each further one."""
REMOTE_RATE: Final = 1
REMOTE_BURST: Final = 12
"""Builds one remote may cause: this many at once, then one a second."""
SPARE_FOR_REMOTES: Final = 32
"""Paths to pivots of others kept beside the pool."""
TRY_AGAIN: Final = 250 * MILLISECOND
"""Paths that others want and that did not come about are tried again after this."""


class PathKeeper:
    """Policy over OwnPaths."""

    def __init__(
        self,
        own: OwnPaths,
        network: Network,
        chooser: HopChooser,
        profile: Profile,
        timing: Timing,
        *,
        wanted: int,
        hops: int,
    ) -> None:
        """`wanted` paths in the pool; `profile` is the one `chooser` weighs with."""
        self.own = own
        self.wanted = wanted
        self.spare = 0
        """Paths more than wanted, for as long as somebody lacks different pivots."""
        self.hops = hops
        """For status: how many hops the chooser puts together."""
        self.problem: str | None = None
        """Why no path can be chosen now; None when nothing is wrong."""
        self._network = network
        self._chooser = chooser
        self._profile = profile
        self._timing = timing
        self._pause: Micros = 0
        self._next_build: Micros = 0
        self._wanted_by: dict[bytes, tuple[tuple[RouterID, ...], int]] = {}
        self._quotas: dict[bytes, Bucket] = {}
        self._serve_at: Micros | None = None

    # --- what there is

    def ready(self) -> list[Path]:
        """Paths that can be used now: not doubtful ones, long-lived ones first."""
        paths = [path for path in self.own.paths if path.is_ready]
        return sorted(paths, key=lambda path: (path.is_doubtful, -path.expires))

    def lasting(self, now: Micros) -> list[Path]:
        """Ready paths worth introducing: they outlive the time of rotation."""
        limit = now + self._timing.path_rotate_before
        return undoubted([path for path in self.ready() if path.expires > limit])

    def _pool(self, now: Micros) -> list[Path]:
        """The pool's paths that last, ready or being built, doubtful ones included."""
        limit = now + self._timing.path_rotate_before
        return [p for p in self.own.paths if not p.purpose and p.expires > limit]

    def _is_short(self, now: Micros) -> bool:
        """Whether a path is to be built for the pool.

        What is doubtful is replaced before it is known to be dead, but only once: whoever accuses
        others can make us build so many and no more.
        """
        pool = self._pool(now)
        good = sum(not path.is_doubtful for path in pool)
        wanted = self.wanted + self.spare
        return good < wanted and len(pool) < 2 * wanted

    def lacking_pivots(self, now: Micros) -> int:
        """How many more different pivots the pool could have than it has.

        Its first paths are built when few routers are known, and share their pivots.
        """
        pivots = {path.pivot for path in self._pool(now)}
        known = len(self._network.book.fresh(now))
        return max(0, min(self.wanted, known) - len(pivots))

    # --- building

    def tick(self, now: Micros) -> None:
        """Bring the pool and what others want to what is wanted."""
        if self._serve_at is not None and self._serve_at <= now:
            self._serve(now)
        while now >= self._next_build and self._is_short(now):
            if not self._build(None, "", now):
                return

    def want(self, remote: bytes, pivots: Sequence[RouterID], count: int, now: Micros) -> None:
        """Have paths to `count` of these pivots, the first ones first, and go on trying.

        Replaces what was wanted for this remote before; a count of 0 ends it.
        """
        if count:
            self._wanted_by[remote] = (tuple(pivots), count)
            self._serve(now)
        else:
            self._wanted_by.pop(remote, None)
            self._quotas.pop(remote, None)

    def _serve(self, now: Micros) -> None:
        """Start what is wanted by others and not on its way."""
        for remote, (pivots, count) in self._wanted_by.items():
            self._reach(remote, pivots, count, now)
        self._serve_at = now + TRY_AGAIN if self._wanted_by else None

    def _reach(self, remote: bytes, pivots: Sequence[RouterID], count: int, now: Micros) -> None:
        quota = self._quotas.get(remote)
        if quota is None:
            quota = self._quotas[remote] = Bucket(REMOTE_RATE, REMOTE_BURST)
        out = self._network.outages.out(now)
        paths = self.own.paths
        ready = {path.pivot for path in paths if path.is_ready and not path.is_doubtful}
        underway = {path.pivot for path in paths if not path.is_ready} - ready
        special = sum(1 for path in self.own.paths if path.purpose)
        for pivot in pivots:
            if count <= 0:
                return
            if pivot in ready or pivot in out:
                continue
            if pivot in underway:
                count -= 1
            elif (
                special < SPARE_FOR_REMOTES
                and quota.take(now)
                and self._build(pivot, "session", now)
            ):
                count -= 1
                special += 1

    def _build(self, pivot: RouterID | None, purpose: str, now: Micros) -> bool:
        chosen = self._chooser.choose_hops(self._wish(pivot), now)
        if isinstance(chosen, NoChoice):
            self.problem = chosen.reason
            self._network.ask_soon(now)
            self._back_off(now)
            return False
        self.problem = None
        if self.own.build(chosen, now, purpose) is None:
            self._back_off(now)
            return False
        return True

    def _wish(self, pivot: RouterID | None) -> Wish:
        paths = self.own.paths
        return Wish(
            pivot=pivot,
            avoid_pivots=frozenset(path.pivot for path in paths if not path.purpose),
            first_hops=tuple(path.routers[0] for path in paths),
            in_use=tuple(router for path in paths for router in path.routers),
        )

    def _back_off(self, now: Micros) -> None:
        """Builds that fail together are one failure."""
        if now < self._next_build:
            return
        self._pause = min(LONGEST_PAUSE, max(FIRST_PAUSE, 2 * self._pause))
        self._next_build = now + self._pause

    def event(self, event: PathEvent, now: Micros) -> None:
        """Learn from what became of a path."""
        if isinstance(event, PathReady):
            self._pause = 0
            self._next_build = min(self._next_build, now)
            self._profile.clear(event.path.routers)
        elif isinstance(event, PathFailed):
            self._profile.blame(event.suspects, now)
            self._back_off(now)
        elif isinstance(event, PathLost) and event.suspects:
            self._profile.blame(event.suspects, now)

    def deadline(self, now_pool: Micros) -> Micros | None:
        """When `tick` has something to do; `now_pool` is the instant of the last tick."""
        times = [] if self._serve_at is None else [self._serve_at]
        if self._is_short(now_pool):
            times.append(self._next_build)
        else:
            rotate = self._timing.path_rotate_before
            times += [path.expires - rotate for path in self._pool(now_pool)]
        return min(times, default=None)


def undoubted(paths: list[Path]) -> list[Path]:
    """Those that are not doubtful; all of them if there is no other."""
    return [path for path in paths if not path.is_doubtful] or paths
