"""What the other end of a session tells us, message by message, and what follows at once.

Rules:
- a list of introductions counts if its number is higher than all before it, and is always
  acknowledged, over the route that is best after it;
- a ping is answered; one that comes twice says that our first answer got lost.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from lokinet_node.base.errors import WireError
from lokinet_node.session.auth_messages import Auth, AuthResult
from lokinet_node.session.effects import Drop
from lokinet_node.session.messages import (
    Close,
    Introductions,
    Ping,
    Pong,
    Received,
    decode_message,
)
from lokinet_node.session.refused import Refused

if TYPE_CHECKING:
    from collections.abc import Callable

    from lokinet_node.base.units import Micros
    from lokinet_node.session.home import Home
    from lokinet_node.session.messages import SessionMessage
    from lokinet_node.session.outlet import Outlet
    from lokinet_node.session.session import Session


class Inbox:
    """One session's; hands each message to the part of the session that it concerns."""

    __slots__ = ("_home", "_number", "_outlet", "_review", "_session", "_token", "taken")

    def __init__(
        self, session: Session, home: Home, outlet: Outlet, review: Callable[[Micros], None]
    ) -> None:
        """`review` chooses the way out again."""
        self.taken = 0
        """Records received that are session messages, good ones and bad ones."""
        self._session = session
        self._home = home
        self._outlet = outlet
        self._review = review
        self._number = 0
        self._token = b""

    def renew(self) -> None:
        """New keys: a remote that has restarted counts from 1 again."""
        self._number = 0

    def take(self, content: bytes | memoryview, now: Micros) -> SessionMessage | None:
        """The message, after what it says was noted and answered; None for junk.

        To end the session after a Close is left to the caller.
        """
        self.taken += 1
        try:
            message = decode_message(content)
        except WireError:
            self._home.drops[Drop.MESSAGE] += 1
            return None
        match message:
            case Introductions():
                self._learn(message, now)
            case Received(number):
                self._outlet.prove(self._session.announcer.received(number))
            case Ping(token):
                self._answer(token, now)
            case Pong(token):
                self._outlet.prove(self._session.watch.pong(token, now))
            case Auth():
                self._session.admission.asked(message, now)
            case AuthResult():
                self._session.admission.answered(message, now)
            case Refused():
                self._session.refusals.note(message, now)
            case Close():
                pass
        return message

    def _learn(self, message: Introductions, now: Micros) -> None:
        if message.number > self._number:
            self._number = message.number
            self._session.book.learn(message.introductions)
            self._review(now)
        self._outlet.tell(Received(message.number))

    def _answer(self, token: bytes, now: Micros) -> None:
        if token == self._token and len(self._session.book.routes(self._home.paths, now)) > 1:
            # The other end asks again: our first answer did not reach it over the current route.
            self._outlet.avoid(now)
            self._review(now)
        self._token = token
        self._outlet.tell(Pong(token))
