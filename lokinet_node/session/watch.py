"""Does the other end still answer: pings over the current route, and what their silence means.

Rules:
- something was sent and nothing came back for max(3 RTT, 1 s), or the route is new: ping;
- the ping is repeated once, with the same token, so that the other end sees its pong got lost;
- two unanswered: the route is silent, the next one is tried with a new token, and so on;
- only a pong shows that our way out works.
"""

from __future__ import annotations

from enum import Enum, auto
from typing import TYPE_CHECKING, Final

from lokinet_node.base.units import MILLISECOND, SECOND, Micros
from lokinet_node.flow.roundtrip import RoundTrip
from lokinet_node.session.messages import TOKEN_SIZE

if TYPE_CHECKING:
    from lokinet_node.base.entropy import Entropy

PINGS: Final = 2
QUIET: Final[Micros] = SECOND
LONGEST_QUIET: Final[Micros] = 3 * SECOND
PING_WAIT: Final[Micros] = 200 * MILLISECOND
LONGEST_WAIT: Final[Micros] = 4 * SECOND
_MOST_DOUBLINGS: Final = 4


class Step(Enum):
    """What is due now."""

    NOTHING = auto()
    PING = auto()
    SILENT = auto()


class Watch:
    """One session's watch."""

    __slots__ = (
        "_entropy",
        "_first_ping",
        "_next",
        "_number",
        "_pings",
        "_polled",
        "_round_trip",
        "_rounds",
        "_sent",
        "_waiting",
        "silent_since",
        "token",
    )

    def __init__(self, entropy: Entropy, now: Micros) -> None:
        self._entropy = entropy
        self._polled = now
        self._round_trip = RoundTrip()
        self.token: bytes | None = None
        """Of the ping that is out; None: nothing is in doubt."""
        self.silent_since: Micros | None = None
        """The first ping of the first route that did not answer; None: all is well."""
        self._pings = self._rounds = 0
        self._first_ping = self._next = 0
        self._number: int | None = None
        self._sent = 0
        self._waiting: Micros | None = None

    @property
    def rtt(self) -> Micros | None:
        """Round trip of the session, once measured."""
        return self._round_trip.smoothed

    def wait(self, estimate: Micros) -> Micros:
        """How long an answer may take; `estimate` is the round trip as long as none is known."""
        return min(LONGEST_WAIT, max(PING_WAIT, 3 * (self.rtt or estimate)))

    def poll(self, sent: int, last_heard: Micros, estimate: Micros, now: Micros) -> None:
        """`sent`: records sent so far that call for some answer.

        Nobody tells when they were sent, only that it was after the poll before: what was heard
        since then counts as their answer.
        """
        before, self._polled = self._polled, now
        if sent != self._sent:
            self._sent = sent
            if self._waiting is None:
                self._waiting = before
        if self._waiting is not None and last_heard > self._waiting:
            self._waiting = None
        quiet = min(LONGEST_QUIET, max(QUIET, 3 * (self.rtt or estimate)))
        if self._waiting is not None and now - self._waiting >= quiet:
            self.start(now)

    @property
    def is_waiting(self) -> bool:
        """Whether something was sent that nothing has come back for yet."""
        return self._waiting is not None

    @property
    def is_repeating(self) -> bool:
        """Whether the first ping over the present route was not answered in time."""
        return self.token is not None and self._pings > 1

    @property
    def is_silent(self) -> bool:
        """Whether a route did not answer at all, and nothing has since."""
        return self._rounds > 0

    def moved(self, now: Micros) -> None:
        """Data goes another way: ask there, whatever was asked before."""
        self._renew(now)

    def start(self, now: Micros) -> None:
        """Ping now, unless one is out."""
        if self.token is None:
            self._renew(now)

    def due(self, now: Micros) -> Step:
        """What to do; followed by `pinged` or `next_route`."""
        if self.token is None or now < self._next:
            return Step.NOTHING
        return Step.PING if self._pings < PINGS else Step.SILENT

    def pinged(self, number: int | None, estimate: Micros, now: Micros) -> None:
        """A ping left on the stream of that number; None: there was no way to send it."""
        if number is not None:
            if self._pings == 0:
                self._first_ping = now
                self._number = number
            self._pings += 1
            if self.silent_since is None:
                self.silent_since = now
        doublings = min(self._rounds, _MOST_DOUBLINGS)
        self._next = now + min(LONGEST_WAIT, self.wait(estimate) << doublings)

    def next_route(self, now: Micros) -> None:
        """The route is silent and another is tried, or the same one again."""
        self._rounds += 1
        self._renew(now)

    def pong(self, token: bytes, now: Micros) -> int | None:
        """The number of the stream a pong proves; None for a token we do not wait for."""
        if token != self.token or not self._pings:
            return None
        # After a repetition this is too long rather than too short, which is the safe side.
        self._round_trip.sample(now - self._first_ping)
        number = self._number
        self.reset()
        return number

    def reset(self) -> None:
        """All is well, or everything is new."""
        self.token = self.silent_since = self._waiting = None
        self._pings = self._rounds = 0

    @property
    def deadline(self) -> Micros | None:
        """When `due` will have something."""
        return None if self.token is None else self._next

    def _renew(self, now: Micros) -> None:
        self.token = self._entropy(TOKEN_SIZE)
        self._pings = 0
        self._next = now
