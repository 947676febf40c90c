"""Which way to a remote: a route is an own path and an introduction of the remote at its pivot.

Rules: one route carries the data and is kept while it is good; it is left at once when its path
is lost or its handle gone, and ahead of time when path or introduction has less than a tenth of a
path's life left. Of several the one with the shortest round trip is taken. A route that did not
answer comes last for a while, and before it one over a path that is doubtful; a handle reported
gone is not used for a while, unless it is gone from the remote's own list first. Paths are wanted
to two of the remote's pivots.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Protocol

from lokinet_node.base.units import SECOND, Micros
from lokinet_node.wire.introset import Introduction

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lokinet_node.base.ids import Handle, RouterID
    from lokinet_node.session.epochs import RouteKey

AVOIDED: Final[Micros] = 10 * SECOND
"""How long a gone handle stays unused and a silent route comes last."""
PIVOTS_WANTED: Final = 2
UNMEASURED: Final[Micros] = SECOND
"""Stands for the round trip of a path that was not measured yet."""
_LIFE_PARTS: Final = 10


class OwnPath(Protocol):
    """A path of ours as sessions see it; compared by identity."""

    @property
    def pivot(self) -> RouterID:
        """The last hop."""

    @property
    def is_ready(self) -> bool:
        """Whether cells can leave now."""

    @property
    def is_doubtful(self) -> bool:
        """Whether a router on it may be dead: to be used only if there is nothing better."""

    @property
    def handle(self) -> Handle:
        """What we registered at the pivot: how others reach us over this path."""

    @property
    def expires_s(self) -> int:
        """Seconds since the epoch."""

    @property
    def rtt(self) -> Micros | None:
        """Round trip to the pivot."""


@dataclass(frozen=True, slots=True, eq=False)
class Route:
    """An own path and an introduction of the remote at the same pivot."""

    path: OwnPath
    introduction: Introduction

    @property
    def key(self) -> RouteKey:
        """Names the route among all routes of the session."""
        return self.path.handle, self.introduction.handle

    @property
    def expires(self) -> Micros:
        """When the first of its two halves ends."""
        return min(self.path.expires_s, self.introduction.expires_s) * SECOND

    @property
    def rtt(self) -> Micros:
        """Of the half we know."""
        return UNMEASURED if self.path.rtt is None else self.path.rtt


class RouteBook:
    """What is known of the ways to one remote."""

    __slots__ = ("_gone", "_newest", "_reserve", "_silent", "remote", "way_in")

    def __init__(self, path_lifetime: Micros) -> None:
        self.remote: tuple[Introduction, ...] = ()
        """Where the remote says it can be reached."""
        self.way_in: RouterID | None = None
        """Pivot the remote, who dialled us, comes by; None: we choose as we like."""
        self._reserve = path_lifetime // _LIFE_PARTS
        self._newest: frozenset[Handle] | None = None
        self._gone: dict[Handle, Micros] = {}
        self._silent: dict[RouteKey, Micros] = {}

    def learn(self, introductions: Sequence[Introduction]) -> None:
        """The remote's whole list, newer than the one before."""
        self.remote = tuple(introductions)
        self._newest = None
        listed = {one.handle for one in introductions}
        self._gone = {handle: until for handle, until in self._gone.items() if handle in listed}

    def add(self, introductions: Sequence[Introduction]) -> None:
        """More places to try, from a source that may be older than what is known."""
        listed = {one.handle for one in introductions}
        rest = tuple(one for one in self.remote if one.handle not in listed)
        self.remote = tuple(introductions) + rest

    def found(self, introductions: Sequence[Introduction]) -> None:
        """What was looked up because the remote is lost: these before all others."""
        self.add(introductions)
        self._newest = frozenset(one.handle for one in introductions)

    def gone(self, handle: Handle, now: Micros) -> bool:
        """A pivot does not know the handle any more; True if it was one of the remote's."""
        if all(one.handle != handle for one in self.remote):
            return False
        self._gone[handle] = now + AVOIDED
        return True

    def silent(self, route: Route, now: Micros) -> None:
        """Pings over this route stayed unanswered."""
        self._silent[route.key] = now + AVOIDED

    def has_alive(self, now: Micros) -> bool:
        """Whether any place to reach the remote at is still believed in."""
        return any(self._is_alive(one, now) for one in self.remote)

    def routes(self, paths: Sequence[OwnPath], now: Micros) -> list[Route]:
        """All usable routes, the best first."""
        alive = [one for one in self.remote if self._is_alive(one, now)]
        found = [
            Route(path, one)
            for path in paths
            if path.is_ready and path.expires_s * SECOND > now
            for one in alive
            if one.router == path.pivot
        ]
        found.sort(key=lambda route: (*self._order(route, now), route.rtt))
        return found

    def choose(self, paths: Sequence[OwnPath], now: Micros, current: Route | None) -> Route | None:
        """The route to send on: the current one as long as it is good."""
        found = self.routes(paths, now)
        if not found:
            return None
        if current is not None:
            kept = next((route for route in found if route.key == current.key), None)
            if kept is not None and self._order(kept, now) <= self._order(found[0], now):
                # the same object while nothing changed: what is cached for it stays good
                return current if kept.introduction == current.introduction else kept
        return found[0]

    def best(self, paths: Sequence[OwnPath], now: Micros) -> list[Route]:
        """Of the usable routes those that nothing speaks against, or else those with least."""
        found = self.routes(paths, now)
        return [one for one in found if self._rank(one, now) == self._rank(found[0], now)]

    def wanted(
        self, paths: Sequence[OwnPath], now: Micros, pivots: int
    ) -> tuple[tuple[RouterID, ...], int]:
        """Pivots of the remote to build paths to, longest-lived first, and how many of them."""
        covered = {
            route.introduction.router
            for route in self.routes(paths, now)
            if self._rank(route, now) == _GOOD
        }
        open_ = [
            one
            for one in self.remote
            if one.router not in covered and self._is_alive(one, now) and self._lasts(one, now)
        ]
        open_.sort(key=lambda one: one.expires_s, reverse=True)
        routers = tuple(dict.fromkeys(one.router for one in open_))
        count = min(max(0, pivots - len(covered)), len(routers))
        return (routers, count) if count else ((), 0)

    def review_at(self, route: Route, now: Micros) -> Micros:
        """When the time comes to look for a successor of a route."""
        early = route.expires - self._reserve
        return early if early > now else route.expires

    def _order(self, route: Route, now: Micros) -> tuple[bool, ...]:
        """By rank; of equal ones the way the remote comes by, so that both ways share a pivot."""
        is_astray = self.way_in is not None and route.introduction.router != self.way_in
        return *self._rank(route, now), is_astray

    def _rank(self, route: Route, now: Micros) -> tuple[bool, bool, bool, bool]:
        is_silent, is_short = self._is_silent(route, now), self._is_short(route, now)
        is_old = self._newest is not None and route.introduction.handle not in self._newest
        return is_silent, route.path.is_doubtful, is_old, is_short

    def _is_alive(self, one: Introduction, now: Micros) -> bool:
        return one.expires_s * SECOND > now and self._gone.get(one.handle, 0) <= now

    def _lasts(self, one: Introduction, now: Micros) -> bool:
        return one.expires_s * SECOND - self._reserve > now

    def _is_short(self, route: Route, now: Micros) -> bool:
        return route.expires - self._reserve <= now

    def _is_silent(self, route: Route, now: Micros) -> bool:
        return self._silent.get(route.key, 0) > now


_GOOD: Final = (False, False, False, False)


def own_introductions(
    paths: Sequence[OwnPath], remote: Sequence[Introduction], now: Micros, most: int
) -> tuple[Introduction, ...]:
    """How the remote can reach us: first where it has paths itself, then what lasts longest.

    Nothing doubtful, unless there is nothing else.
    """
    theirs = {one.router for one in remote}
    ready = [path for path in paths if path.is_ready and path.expires_s * SECOND > now]
    ready = [path for path in ready if not path.is_doubtful] or ready
    ready.sort(key=lambda path: (path.pivot not in theirs, -path.expires_s))
    return tuple(Introduction(path.pivot, path.handle, path.expires_s) for path in ready[:most])
