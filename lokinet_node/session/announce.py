"""Telling the other end where we can be reached, until it says that it knows.

The newest list is the only one that counts: a change takes the next number and replaces what was
not acknowledged. It is sent at once and again at growing intervals over whatever route is current.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from lokinet_node.base.units import SECOND, Micros
from lokinet_node.session.messages import Introductions

if TYPE_CHECKING:
    from lokinet_node.wire.introset import Introduction

LONGEST_WAIT: Final[Micros] = 8 * SECOND
DOUBTFUL_TRIES: Final = 3
"""Unacknowledged ones after which the route is in doubt."""
_MOST_DOUBLINGS: Final = 5


class Announcer:
    """The own introductions as one remote knows them."""

    __slots__ = ("_introductions", "_is_known", "_next", "_stream", "number", "tries")

    def __init__(self) -> None:
        self.number = 0
        self.tries = 0
        self._introductions: tuple[Introduction, ...] = ()
        self._is_known = True
        self._next = 0
        self._stream: int | None = None

    def offer(self, introductions: tuple[Introduction, ...], now: Micros) -> None:
        """What is true now; an empty list is kept to ourselves, it could not be answered."""
        if introductions and set(introductions) != set(self._introductions):
            self._introductions = introductions
            self.renew(now)

    def renew(self, now: Micros) -> None:
        """Send the list as a new one: it changed, or the other end may have lost it."""
        if self._introductions:
            self.number += 1
            self.tries = 0
            self._is_known = False
            self._next = now
            self._stream = None

    def due(self, now: Micros) -> Introductions | None:
        """What to send; followed by `sent`."""
        if self._is_known or now < self._next:
            return None
        return Introductions(self.number, self._introductions)

    def sent(self, stream: int | None, wait: Micros, now: Micros) -> None:
        """It left on the stream of that number; None: there was no way to send it."""
        if stream is not None:
            self._stream = stream if self._stream is None else min(stream, self._stream)
            self.tries += 1
        doublings = min(max(0, self.tries - 1), _MOST_DOUBLINGS)
        self._next = now + min(LONGEST_WAIT, wait << doublings)

    def received(self, number: int) -> int | None:
        """An acknowledgement: the stream number it proves, if it is the newest list's first."""
        if number != self.number or self._is_known:
            return None
        self._is_known = True
        return self._stream

    @property
    def deadline(self) -> Micros | None:
        """When `due` will have something."""
        return None if self._is_known else self._next
