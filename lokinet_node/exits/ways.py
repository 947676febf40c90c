"""What exits in use and the client they belong to say to each other: questions, facts, effects."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, auto
from typing import TYPE_CHECKING, Final, NamedTuple, Protocol

if TYPE_CHECKING:
    from lokinet_node.base.units import Micros
    from lokinet_node.exits.exit_range import ExitRange
    from lokinet_node.exits.mapping import Exit
    from lokinet_node.ons.verdict import NameAnswer
    from lokinet_node.session.addresses import Remote


class Way(Enum):
    """How an exit can be reached; the values are what the status shows."""

    BARRED = "waiting for paths"
    """There is nothing to reach anybody with."""
    NONE = "connecting"
    """No session, or one without a route."""
    SILENT = "silent"
    """There is a route, and nothing has come back for a while."""
    ASKING = "asking"
    """The exit has not said yet whether it lets us in."""
    UNSURE = "looking up"
    """Whether it is an exit stands in its introset, which nobody has read yet."""
    REFUSED = "refused"
    """It does not."""
    OPEN = "up"


class Look(NamedTuple):
    """How one exit is now."""

    way: Way
    reason: str = ""
    """Why it refuses."""
    since: Micros | None = None
    """Of a silent one: when it was asked for the first time without an answer."""


UNKNOWN: Final = Look(Way.NONE)


class Ways(Protocol):
    """What exits ask of the client they belong to."""

    def look(self, remote: Remote, now: Micros) -> Look:
        """How a remote is."""

    def connect(self, remote: Remote, now: Micros) -> None:
        """Dial, ask again to be let in, or ask whether it is still there; harmless to repeat."""

    def use_token(self, remote: Remote, token: str) -> None:
        """Ask this remote with this token from now on."""

    def authorise(self, remote: Remote, now: Micros) -> None:
        """Dial and ask to be let in, whatever was said before; `authorised` or `failed` follows."""

    def resolve_name(self, name: str, now: Micros) -> NameAnswer | None:
        """Whose a name is; None: `named` follows."""

    def unreachable(self, remote: Remote) -> None:
        """Packets that wait for this remote are to be refused."""


class Failure(Enum):
    """Why an exit could not be used."""

    NOT_FOUND = auto()
    """Nobody publishes that address."""
    NO_PATH = auto()
    NO_FLOW = auto()
    """It is published and does not answer."""
    REFUSED = auto()
    """It said why."""


@dataclass(frozen=True, slots=True)
class ExitTried:
    """What came of an attempt; no failure: the exit lets us in."""

    exit: Remote
    failure: Failure | None = None
    reason: str = ""


@dataclass(frozen=True, slots=True)
class ExitsChanged:
    """What is led through exits now; none: the last one was unmapped."""

    ranges: tuple[ExitRange, ...]


@dataclass(frozen=True, slots=True)
class ExitUp:
    """A mapped exit can be used."""

    exit: Exit


@dataclass(frozen=True, slots=True)
class ExitDown:
    """A mapped exit cannot be used for the moment."""

    exit: Exit
    reason: str
