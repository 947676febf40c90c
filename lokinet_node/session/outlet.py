"""The way out of a session: epoch, route and stream that are used now, chosen again on any change.

`sending` is read once per burst by the data plane and is only replaced here. Here is also what
follows from a choice: data may flow again, a path is suspect, paths to more pivots are wanted.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from lokinet_node.base.units import MILLISECOND, SECOND, Micros
from lokinet_node.session.effects import NeedPaths, RouteSuspect, SendCell, SessionReady
from lokinet_node.session.messages import SessionMessage, encode_message
from lokinet_node.session.plaintexts import PLAINTEXT, PLAINTEXT_HEAD, TYPE_MESSAGE

if TYPE_CHECKING:
    from lokinet_node.base.ids import Handle, LokiAddress, RouterID
    from lokinet_node.session.epochs import Epoch, Epochs
    from lokinet_node.session.home import Home
    from lokinet_node.session.routes import OwnPath, Route, RouteBook
    from lokinet_node.session.streams import SendStream

UNMEASURED: Final[Micros] = 300 * MILLISECOND
MOST_SPREAD: Final = 3
"""Routes over which both ends tell each other where they can be reached."""
SPARE_STREAMS: Final = 4
"""Streams left to the routes data will take: the other end listens to eight unproven ones."""
WISH_AGAIN: Final[Micros] = 5 * SECOND
"""A wish for paths that is not fulfilled is said again this often."""


class Sending(NamedTuple):
    """Seal with this stream and this handle, send over this path."""

    stream: SendStream
    path: OwnPath
    handle: Handle


class Outlet:
    """One session's way out."""

    __slots__ = (
        "_book",
        "_epochs",
        "_home",
        "_remote",
        "_wish",
        "_wished_at",
        "epoch",
        "is_exhausted",
        "messages",
        "route",
        "sending",
        "stranded_since",
    )

    def __init__(self, remote: LokiAddress, home: Home, epochs: Epochs, book: RouteBook) -> None:
        self._remote = remote
        self._home = home
        self._epochs = epochs
        self._book = book
        self._wish: tuple[tuple[RouterID, ...], int] = ((), 0)
        self._wished_at: Micros = 0
        self.epoch: Epoch | None = None
        self.route: Route | None = None
        self.sending: Sending | None = None
        self.stranded_since: Micros | None = None
        """Since when there is no way; None while there is one."""
        self.is_exhausted = False
        """There is a route, but the other end does not listen to another stream of this epoch."""
        self.messages = 0
        """Records sent that are session messages."""

    def refresh(self, now: Micros) -> bool:
        """Choose again; True if data now goes another way or under other keys."""
        before = self.sending
        self._choose(now)
        if self.sending is None:
            self.stranded_since = now if self.stranded_since is None else self.stranded_since
            return False
        self.stranded_since = None
        if before is None:
            self._home.effects.append(SessionReady(self._remote))
        return before is None or before.stream is not self.sending.stream

    def review_at(self, now: Micros) -> Micros:
        """When to choose again though nothing happened."""
        again = now + WISH_AGAIN
        return again if self.route is None else min(again, self._book.review_at(self.route, now))

    def wish(self, pivots: int, now: Micros) -> None:
        """Ask for paths until routes lead over so many pivots; none withdraws the wish."""
        wish = self._book.wanted(self._home.paths, now, pivots)
        if wish != self._wish or (wish[1] and now - self._wished_at >= WISH_AGAIN):
            self._wish, self._wished_at = wish, now
            self._home.effects.append(NeedPaths(self._remote, *wish))

    def tell(self, message: SessionMessage) -> int | None:
        """Send a session message; the number of its stream, None when there is no way."""
        return None if self.sending is None else self._send(self.sending, message)

    def spread(self, message: SessionMessage, now: Micros) -> int | None:
        """Send it over routes that share no path and no introduction with the current one, too.

        When a router dies, the current routes of both ends may go over it, and neither could tell
        the other. The lowest number of a stream used: an answer proves no more than that.
        """
        numbers = [self.tell(message)]
        if self.route is not None and self.epoch is not None:
            paths, places = {self.route.path}, {self.route.introduction.handle}
            for route in self._book.routes(self._home.paths, now):
                handle = route.introduction.handle
                if len(numbers) == MOST_SPREAD:
                    break
                if route.path in paths or handle in places:
                    continue
                stream = self.epoch.sending(route.key, keep=SPARE_STREAMS)
                if stream is not None:
                    paths.add(route.path)
                    places.add(handle)
                    numbers.append(self._send(Sending(stream, route.path, handle), message))
        return min((number for number in numbers if number is not None), default=None)

    def _send(self, sending: Sending, message: SessionMessage) -> int | None:
        content = encode_message(message)
        record = PLAINTEXT_HEAD.pack(TYPE_MESSAGE, len(content)) + content
        body = sending.stream.seal_one(record.ljust(PLAINTEXT, b"\0"), sending.handle)
        if body is None:
            return None
        self.messages += 1
        self._home.effects.append(SendCell(sending.path, body))
        return sending.stream.number

    def prove(self, number: int | None) -> None:
        """Something sent on that stream of the current epoch was answered."""
        if self.epoch is not None and number is not None:
            self.epoch.prove(number)

    def avoid(self, now: Micros) -> None:
        """Nothing came back over the current route: leave it if there is another."""
        if self.route is not None:
            self._book.silent(self.route, now)
            self._home.effects.append(RouteSuspect(self.route.path))

    def close(self, now: Micros) -> None:
        """No way any more, and none wanted."""
        self.sending = self.route = self.epoch = None
        self._book.learn(())
        self.wish(0, now)

    @property
    def estimate(self) -> Micros:
        """Round trip to expect while the session has not measured one: the remote half is alike."""
        rtt = self.route.path.rtt if self.route is not None else None
        return UNMEASURED if rtt is None else 2 * rtt

    def _choose(self, now: Micros) -> None:
        epoch = self._epochs.best()
        route = self._book.choose(self._home.paths, now, self.route)
        self.is_exhausted = False
        if epoch is None or route is None:
            self.route, self.sending = route, None
            return
        if epoch is self.epoch and route is self.route and self.sending is not None:
            return
        self.epoch, self.route = epoch, route
        stream = epoch.sending(route.key)
        if stream is None:
            self.is_exhausted, self.sending = True, None
        else:
            self.sending = Sending(stream, route.path, route.introduction.handle)
