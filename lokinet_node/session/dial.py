"""Opening a session: an introset, a route to one of its introductions, message 1 until message 2.

Rules:
- on a route the same message 1 is repeated, byte for byte; another route gets another message 1,
  so that two pivots never see the same one;
- repetitions go round the routes at growing intervals, at once when a route is lost;
- the answer to any of them ends the matter;
- three without an answer: the introset may be stale, it is looked up again; at once when all its
  introductions are gone.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from lokinet_node.base.units import MILLISECOND, SECOND, Micros
from lokinet_node.crypto.errors import CryptoError
from lokinet_node.session.effects import NeedIntroset, SendCell
from lokinet_node.session.handshake import Initiator
from lokinet_node.session.messages import FIRST_INTRODUCTIONS, Opening
from lokinet_node.wire.introset import Introduction

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lokinet_node.session.epochs import RouteKey
    from lokinet_node.session.home import Home
    from lokinet_node.session.routes import OwnPath, Route
    from lokinet_node.session.session import Session
    from lokinet_node.wire.introset import Introset

GIVE_UP: Final[Micros] = 30 * SECOND
"""Lokinet's path-alignment-timeout."""
FIRST_WAIT: Final[Micros] = 500 * MILLISECOND
LONGEST_WAIT: Final[Micros] = 4 * SECOND
ASK_AGAIN: Final[Micros] = 10 * SECOND
OUTDATED_PAUSE: Final[Micros] = SECOND
"""Least pause between look-ups while every introduction known is gone."""
TRIES_PER_INTROSET: Final = 3
MOST_ATTEMPTS: Final = 4
"""Handshakes of one dial that may still be answered; the responder keeps as many."""
_MOST_DOUBLINGS: Final = 4


class Dial:
    """One session's dialling; registers its attempts in `home.pending` and takes them out."""

    __slots__ = (
        "_ask_at",
        "_asked_at",
        "_attempts",
        "_current",
        "_home",
        "_next",
        "_sent",
        "_session",
        "_tries",
        "give_up",
        "introset",
        "is_rescue",
    )

    def __init__(
        self,
        session: Session,
        home: Home,
        introset: Introset | None,
        now: Micros,
        *,
        is_rescue: bool,
    ) -> None:
        """Without an introset it asks for one; a rescue ends keys that nobody answered to."""
        self._session = session
        self._home = home
        self.introset = introset
        self.is_rescue = is_rescue
        self.give_up = now + GIVE_UP
        self._asked_at: Micros = now - OUTDATED_PAUSE
        self._ask_at: Micros | None = now if introset is None else None
        self._attempts: list[Initiator] = []
        self._current: dict[RouteKey, Initiator] = {}
        self._sent: dict[RouteKey, int] = {}
        self._next = now
        self._tries = 0

    def go_on(self, now: Micros) -> str | None:
        """Do what is due; why the dial failed, None while it goes on."""
        if now >= self.give_up:
            return "no answer" if self.introset else "no introset"
        book, effects = self._session.book, self._home.effects
        if not book.has_alive(now):
            self.outdated(now)
        if self.asks(now):
            effects.append(NeedIntroset(self._session.remote))
        try:
            sent = self.send(book.best(self._home.paths, now), now)
        except CryptoError:
            return "bad introset"
        if sent is not None:
            effects.append(SendCell(*sent))
        return None

    def asks(self, now: Micros) -> bool:
        """Whether an introset is to be looked up now; True once per question."""
        if self._ask_at is None or now < self._ask_at:
            return False
        self._ask_at = now + ASK_AGAIN
        self._asked_at = now
        return True

    def outdated(self, now: Micros) -> None:
        """No introduction of the introset is left: whoever restarted has published another."""
        soon = max(now, self._asked_at + OUTDATED_PAUSE)
        if self.introset is not None and (self._ask_at is None or soon < self._ask_at):
            self._ask_at = soon

    def found(self, introset: Introset, now: Micros) -> None:
        """The look-up's answer; a new introset makes new attempts, the old ones may still win."""
        self._ask_at = None
        self._tries = 0
        if introset != self.introset:
            self.introset = introset
            self._current.clear()
            self._next = now

    def hurry(self, now: Micros) -> None:
        """A route was lost or found: do not wait for the interval."""
        self._next = now

    def send(self, routes: Sequence[Route], now: Micros) -> tuple[OwnPath, bytes] | None:
        """The next message 1 and its path, if it is time; CryptoError for a bad introset.

        `routes` are equally good ones, the preferred one first.
        """
        if self.introset is None or now < self._next:
            return None
        if not routes:
            self._next = now + FIRST_WAIT  # or when `hurry` says that there is one
            return None
        route = min(routes, key=lambda one: self._sent.get(one.key, 0))
        self._sent[route.key] = self._sent.get(route.key, 0) + 1
        attempt = self._current.get(route.key)
        if attempt is None:
            attempt = self._begin(self.introset, route, routes, now)
        doublings = min(self._tries, _MOST_DOUBLINGS)
        first = max(FIRST_WAIT, 4 * (route.path.rtt or 0))
        self._next = now + min(LONGEST_WAIT, first << doublings)
        self._tries += 1
        if self._tries >= TRIES_PER_INTROSET and self._ask_at is None:
            self._ask_at = self._next
        return route.path, attempt.body(route.introduction.handle)

    def close(self) -> None:
        """Answers come too late from now on."""
        for attempt in self._attempts:
            self._home.pending.pop(attempt.index, None)
        self._attempts.clear()
        self._current.clear()

    @property
    def deadline(self) -> Micros:
        """When something is due."""
        due = self.give_up
        if self.introset is not None:
            due = min(due, self._next)
        return due if self._ask_at is None else min(due, self._ask_at)

    def _begin(
        self, introset: Introset, route: Route, routes: Sequence[Route], now: Micros
    ) -> Initiator:
        home = self._home
        index = home.new_index()
        opening = Opening(now, index, _ways_back(route, routes, home.paths))
        attempt = Initiator(home.identity, introset, home.netid, opening, home.entropy)
        self._current[route.key] = attempt
        self._attempts.append(attempt)
        home.pending[index] = (self._session, attempt)
        if len(self._attempts) > MOST_ATTEMPTS:
            oldest = self._attempts.pop(0)
            home.pending.pop(oldest.index, None)
            self._current = {key: one for key, one in self._current.items() if one is not oldest}
        return attempt


def _ways_back(
    route: Route, routes: Sequence[Route], paths: Sequence[OwnPath]
) -> tuple[Introduction, ...]:
    """Introductions for message 1: the route's own path, and one the remote may have a path to."""
    others = [path for path in (*(other.path for other in routes), *paths) if path.is_ready]
    others.sort(key=lambda path: path.is_doubtful)
    # The route's own path comes first in any case: the remote can answer over its pivot.
    chosen = list(dict.fromkeys((route.path, *others)))
    return tuple(
        Introduction(path.pivot, path.handle, path.expires_s)
        for path in chosen[:FIRST_INTRODUCTIONS]
    )
