"""All links and keypairs of a node, by key and by index; what happens when a link goes down.

A keypair the peer started waits here as *next* until the first valid cell on it: a replayed
initiation gets no further, so it replaces nothing (security finding C1). There are at most 1024 of
them and they wait 5 s; a flood pushes out the oldest.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from lokinet_node.base.units import SECOND, Micros
from lokinet_node.link.events import Drop, LinkDown, LinkEvent, MessageFailed, Reason
from lokinet_node.link.link import Link
from lokinet_node.link.liveness import Liveness
from lokinet_node.link.macs import MacKeys
from lokinet_node.wire.link import BOOT_ID_SIZE

if TYPE_CHECKING:
    from lokinet_node.base.entropy import Entropy
    from lokinet_node.base.ids import LinkKey
    from lokinet_node.link.keypair import Keypair
    from lokinet_node.link.link import Address

UNCONFIRMED: Final = 1024
CONFIRM_WITHIN: Final[Micros] = 5 * SECOND
LINKS: Final = 16_384
"""More links than this are refused to strangers."""


@dataclass(frozen=True, slots=True)
class Next:
    """A keypair we answered and nobody used yet."""

    keypair: Keypair
    dropped_at: Micros
    answered_at: Micros


class Table:
    """Who is linked, and under which indices."""

    __slots__ = ("_entropy", "by_index", "by_key", "drops", "events", "next", "waiting")

    def __init__(self, entropy: Entropy) -> None:
        self._entropy = entropy
        self.by_key: dict[LinkKey, Link] = {}
        self.by_index: dict[int, Keypair] = {}
        self.waiting: dict[int, Link] = {}
        """Index of an unanswered initiation of ours → its link."""
        self.next: dict[LinkKey, Next] = {}
        self.events: list[LinkEvent] = []
        self.drops = [0] * len(Drop)

    def new_index(self) -> int:
        """A random index that names nothing else here."""
        while True:
            index = int.from_bytes(self._entropy(4), "big")
            if index not in self.by_index and index not in self.waiting:
                return index

    def boot_for(self, key: LinkKey) -> bytes:
        """Our boot id for this peer: of the link it has, else of the keypair it may confirm."""
        link, waiting = self.by_key.get(key), self.next.get(key)
        if link is not None:
            return link.local_boot
        if waiting is not None:
            return waiting.keypair.ends.local_boot
        return self._entropy(BOOT_ID_SIZE)

    def add(self, key: LinkKey, address: Address, boot_id: bytes, now: Micros) -> Link:
        """A new link, not yet up."""
        link = Link(key, address, MacKeys.of(key), Liveness(now), boot_id)
        self.by_key[key] = link
        return link

    def offer(self, keypair: Keypair, now: Micros) -> None:
        """Let the peer confirm this keypair with its first cell; an older offer is void."""
        self.sweep(now)
        self.withdraw(keypair.ends.peer)
        if len(self.next) >= UNCONFIRMED:
            self.withdraw(next(iter(self.next)))
        self.next[keypair.ends.peer] = Next(keypair, now + CONFIRM_WITHIN, now)
        self.by_index[keypair.local_index] = keypair

    def withdraw(self, key: LinkKey) -> None:
        """The offer to this peer, if any, is void."""
        offer = self.next.pop(key, None)
        if offer is not None:
            self.by_index.pop(offer.keypair.local_index, None)

    def sweep(self, now: Micros) -> None:
        """Offers that nobody took in time are void; the oldest come first."""
        while self.next:
            key, offer = next(iter(self.next.items()))
            if offer.dropped_at > now:
                return
            self.withdraw(key)

    def end_attempt(self, link: Link) -> None:
        """No answer to our handshake is awaited any more."""
        if link.attempt is not None:
            self.waiting.pop(link.attempt.started.index, None)
            link.attempt = None

    def install(self, link: Link, keypair: Keypair, own_key: bytes) -> None:
        """Both ends hold this keypair: cells leave on it unless both ends started at once."""
        self.by_index[keypair.local_index] = keypair
        keypair.link = link
        current = link.current
        forgotten, link.previous = link.previous, keypair
        if current is None or current.yields_to(keypair, own_key):
            link.current, link.previous = keypair, current
        if forgotten is not None:
            self.by_index.pop(forgotten.local_index, None)

    def take_down(self, link: Link, reason: Reason) -> None:
        """Forget a link: its keys, its messages, its place."""
        for keypair in link.keypairs():
            self.by_index.pop(keypair.local_index, None)
        link.current = link.previous = None
        self.end_attempt(link)
        offer = self.next.get(link.key)
        # A keypair of the same life of the peer would carry on a channel that is no longer there;
        # one of a new life may still be confirmed.
        if offer is not None and offer.keypair.ends.peer_boot == link.boot_id:
            self.withdraw(link.key)
        if self.by_key.get(link.key) is link:
            del self.by_key[link.key]
        link.is_up = False
        self.events += [
            MessageFailed(link, kind, payload) for kind, payload in link.channel.abandon()
        ]
        self.events.append(LinkDown(link, reason))
