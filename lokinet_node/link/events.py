"""What a link tells its owner, and the names under which datagrams are dropped."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum, StrEnum
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from lokinet_node.link.link import Link


class Drop(IntEnum):
    """Why a datagram, cell or handshake went no further; the index of its counter."""

    UNKNOWN_TYPE = 0
    VERSION = 1
    """A handshake of another version of the wire."""
    UNKNOWN_INDEX = 2
    WRONG_ADDRESS = 3
    """Authentic or not, it did not come from where the link is: nobody roams."""
    KEY_EXPIRED = 4
    REPLAYED = 5
    BAD_TAG = 6
    BAD_FRAME = 7
    """A control frame that does not decode or contradicts its channel."""
    BAD_MAC1 = 8
    COOKIE_ASKED = 9
    """An initiation that was answered with a cookie and may come again with it."""
    RATE = 10
    """Too many handshakes from one address that proved to be there."""
    QUEUE_FULL = 11
    BAD_HANDSHAKE = 12
    """A Noise message that does not authenticate: another network, a wrong key, junk."""
    BAD_PAYLOAD = 13
    """An authentic handshake with an unknown suite or role."""
    CLOCK = 14
    """An initiation dated more than two minutes from our clock."""
    STALE_HANDSHAKE = 15
    """An initiation not newer than the last of its sender: a replay."""
    UNEXPECTED_RESPONSE = 16
    BAD_COOKIE = 17
    TOO_MANY_LINKS = 18
    NOT_UP = 19
    """Cells of our own for a link that cannot carry them now."""
    NOT_A_RESPONDER = 20
    """An initiation at a client: nobody links to one, and it answers no stranger."""


class Reason(StrEnum):
    """Why a link is down."""

    NO_ANSWER = "no answer to the handshake"
    OTHER_VERSION = "the peer speaks another version of the wire: run the same release on both"
    DEAD = "probes were not answered"
    RESTARTED = "the peer started anew"
    EXPIRED = "its key grew too old"
    CLOSED = "closed here"


@dataclass(frozen=True, slots=True)
class LinkUp:
    """Both ends hold keys; cells may flow."""

    link: Link


@dataclass(frozen=True, slots=True)
class LinkDown:
    """Keys, channel and paths of this link are gone; a new link to the same peer is another one."""

    link: Link
    reason: Reason


@dataclass(frozen=True, slots=True)
class LinkMessage:
    """A control message of the peer."""

    link: Link
    kind: int
    payload: bytes


@dataclass(frozen=True, slots=True)
class MessageFailed:
    """Not acknowledged for 5 s, or its link went down; it may have arrived nevertheless."""

    link: Link
    kind: int
    payload: bytes


LinkEvent: TypeAlias = LinkUp | LinkDown | LinkMessage | MessageFailed
