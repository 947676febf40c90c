"""Why an exit passes a packet not on: a number on the wire, a sentence for people."""

from __future__ import annotations

from enum import IntEnum
from typing import Final


class Refusal(IntEnum):
    """Reasons; the numbers are those of the session message REFUSED (docs/wire.md, section 8)."""

    LOCAL = 1
    RANGE = 2
    DENIED_RANGE = 3
    COUNTRY = 4
    PROTOCOL = 5
    DENIED_PORT = 6
    FRAGMENT = 7
    NOT_ALLOWED = 8

    @property
    def word(self) -> str:
        """As status and logs name it."""
        return self.name.lower().replace("_", "-")


SENTENCES: Final = {
    Refusal.LOCAL: "an address of the exit itself or of a network next to it",
    Refusal.RANGE: "not in the ranges this exit serves",
    Refusal.DENIED_RANGE: "in a range this exit denies",
    Refusal.COUNTRY: "in a country this exit does not serve",
    Refusal.PROTOCOL: "a protocol or port this exit does not serve",
    Refusal.DENIED_PORT: "a protocol or port this exit denies",
    Refusal.FRAGMENT: "a later fragment, whose port cannot be seen",
    Refusal.NOT_ALLOWED: "not from somebody this exit serves",
}


def reason_word(number: int) -> str:
    """The word for a number of the wire, which may be of a later version."""
    try:
        return Refusal(number).word
    except ValueError:
        return f"reason-{number}"


def reason_sentence(number: int) -> str:
    """The sentence for a number of the wire."""
    try:
        return SENTENCES[Refusal(number)]
    except ValueError:
        return f"reason {number}, which this version does not know"
