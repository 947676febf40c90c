"""Where a remote is, as its introset says: the newest one found, and when to ask for another.

A dial asks by itself (dial.py). This is about a session that stands: it asks while it is in use and
lost, and not for long: what does not help soon is left to a rescue.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from lokinet_node.base.units import SECOND, Micros

if TYPE_CHECKING:
    from lokinet_node.wire.introset import Introset

ASK_PAUSE: Final[Micros] = SECOND
"""Between the first two look-ups of a remote that is lost; as often as it may publish."""
MOST_ASKED: Final = 3
INTROSET_SPARE: Final[Micros] = 30 * SECOND
"""An introset with less time left is looked up again before it is used."""


class Whereabouts:
    """Of one session's remote."""

    __slots__ = ("_ask_at", "_asked", "_expires", "introset")

    def __init__(self, now: Micros) -> None:
        """Nothing is known yet."""
        self.introset: Introset | None = None
        """The newest one; None before one was found."""
        self._expires: Micros = 0
        self._asked = 0
        self._ask_at = now

    def found(self, introset: Introset, expires: Micros) -> None:
        """The answer to a look-up."""
        self.introset, self._expires = introset, expires

    def fresh(self, now: Micros) -> Introset | None:
        """The introset if it can be used for a while."""
        return self.introset if self._expires - INTROSET_SPARE > now else None

    def asks(self, now: Micros) -> bool:
        """Whether to look the lost remote up now; True once per question, at growing intervals."""
        if self._asked >= MOST_ASKED or now < self._ask_at:
            return False
        self._ask_at = now + (ASK_PAUSE << self._asked)
        self._asked += 1
        return True

    def settled(self) -> None:
        """The remote answers: the next time that it is lost is another one."""
        self._asked = 0
