"""What sessions ask of the node, and what they drop: plain values, collected with take_effects.

Nothing here is a callback: the node carries the effects out in order, whenever it likes, but before
it waits.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import IntEnum, auto
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from lokinet_node.base.ids import LokiAddress, RouterID
    from lokinet_node.session.auth_messages import AuthCode
    from lokinet_node.session.routes import OwnPath


@dataclass(frozen=True, slots=True)
class SendCell:
    """Send one body of 1328 bytes over this path."""

    path: OwnPath
    body: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class NeedIntroset:
    """Look the remote's introset up and call `introset_found`, with None when there is none."""

    remote: LokiAddress


@dataclass(frozen=True, slots=True)
class NeedPaths:
    """Keep trying to build `count` paths to different ones of these pivots, the first ones first.

    Replaces the wish for the same remote before it; none and 0 withdraw it.
    """

    remote: LokiAddress
    pivots: tuple[RouterID, ...]
    count: int


@dataclass(frozen=True, slots=True)
class SessionReady:
    """Data can flow, whoever started the session."""

    remote: LokiAddress


@dataclass(frozen=True, slots=True)
class SessionFailed:
    """A session we asked for did not come about and is forgotten."""

    remote: LokiAddress
    reason: str


@dataclass(frozen=True, slots=True)
class SessionEnded:
    """A session that was ready is forgotten."""

    remote: LokiAddress
    reason: str


@dataclass(frozen=True, slots=True)
class RouteSuspect:
    """Nothing came back over a route through this path: ping the path."""

    path: OwnPath


@dataclass(frozen=True, slots=True)
class AdmissionAsked:
    """A caller wants to be let in: decide, and call `Sessions.decided`. An empty token is none."""

    remote: LokiAddress
    token: str = field(repr=False)
    number: int


@dataclass(frozen=True, slots=True)
class Authorised:
    """Whether a remote takes our packets now, and why not; also when it changed its mind."""

    remote: LokiAddress
    code: AuthCode
    reason: str = ""


Effect: TypeAlias = (
    SendCell
    | NeedIntroset
    | NeedPaths
    | SessionReady
    | SessionFailed
    | SessionEnded
    | RouteSuspect
    | AdmissionAsked
    | Authorised
)


class Drop(IntEnum):
    """Why something that arrived was dropped; index into `Sessions.drops`."""

    UNKNOWN_INDEX = 0
    UNKNOWN_INTROSET = auto()
    GATE = auto()
    BUSY = auto()
    HANDSHAKE = auto()
    DATE = auto()
    REPEATED = auto()
    NO_WAY_BACK = auto()
    MESSAGE = auto()
