"""One direction pair of link keys, with its indices, counters, window and age.

The index in a datagram is the receiver's name for the keypair. A counter is reserved before it is
used and never given back. Limits are docs/wire.md's, section 2.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from lokinet_node.base.units import SECOND, Micros
from lokinet_node.crypto.kdf import expand
from lokinet_node.crypto.seal import KEY_SIZE, Seal
from lokinet_node.flow.replay import ReplayWindow
from lokinet_node.wire.link import CELL_WORD

if TYPE_CHECKING:
    from lokinet_node.base.addresses import Endpoint
    from lokinet_node.base.ids import LinkKey
    from lokinet_node.link.link import Link

# What the specification says.

REKEY_CELLS: Final = 1 << 27
"""Cells, in either direction, after which the initiator starts a new handshake."""
CELLS_LIMIT: Final = 1 << 28
"""Cells after which AES-GCM's margin is spent (RFC 8446, 5.5): no counter from here is used."""
_LABEL: Final = "lokinet-testnet link cell"

# What we chose.

AT_ONCE: Final[Micros] = 5 * SECOND
"""Two handshakes, one from each end, this close together were started at once."""


@dataclass(frozen=True, slots=True)
class HandshakeKeys:
    """What Noise's Split gave: 32 bytes for each direction."""

    send: bytes = field(repr=False)
    receive: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Ends:
    """Who a keypair is between, and how each end names its side of it."""

    peer: LinkKey
    address: Endpoint | tuple[str, int]
    local_index: int
    remote_index: int
    local_boot: bytes
    peer_boot: bytes
    initiated: bool
    """Whether this end started the handshake."""
    claims_router: bool
    born: Micros
    """When its initiation left or arrived here."""


class Keypair:
    """Keys of one handshake; `link` is None until the first valid cell, if the peer started it."""

    __slots__ = (
        "ends",
        "expires",
        "link",
        "local_index",
        "opens",
        "remote_word",
        "seals",
        "sent",
        "window",
    )

    def __init__(self, ends: Ends, keys: HandshakeKeys, expires: Micros) -> None:
        self.ends = ends
        self.local_index = ends.local_index
        self.remote_word = CELL_WORD | ends.remote_index
        """First eight bytes of every datagram sealed with it."""
        self.seals = Seal(expand(keys.send, _LABEL, KEY_SIZE))
        self.opens = Seal(expand(keys.receive, _LABEL, KEY_SIZE))
        self.window = ReplayWindow()
        self.sent = 0
        """The next counter to seal with."""
        self.expires = expires
        self.link: Link | None = None

    def reserve(self, count: int, now: Micros) -> int | None:
        """The first of `count` counters that nobody else gets; None: not with these keys."""
        counter = self.sent
        end = counter + count
        if end > CELLS_LIMIT or now >= self.expires:
            return None
        self.sent = end
        return counter

    @property
    def is_worn(self) -> bool:
        """Whether a direction carried so much that a new handshake is due."""
        return self.sent >= REKEY_CELLS or self.window.next_counter >= REKEY_CELLS

    def yields_to(self, newer: Keypair, own_key: bytes) -> bool:
        """Whether cells are sent on `newer` from now on.

        When both ends started at once, the handshake of the lower static key counts.
        """
        if self.ends.initiated == newer.ends.initiated:
            return True
        if abs(newer.ends.born - self.ends.born) >= AT_ONCE:
            return True
        return newer.ends.initiated == (own_key < newer.ends.peer)
