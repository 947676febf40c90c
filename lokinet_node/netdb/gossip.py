"""Which contacts to tell to which link peers: every issue once, to at most twenty, and not often.

News waits until the next round, so that what arrives together leaves together; rounds are at
least a pause apart. A router that signs new contacts all the time has its newest told at a
limited rate, because each one costs every router of the network a signature check. Who told us
is not told. Peers that link later ask for the whole list instead.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from lokinet_node.base.units import MILLISECOND, MINUTE, Micros

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from lokinet_node.base.ids import LinkKey, RouterID
    from lokinet_node.netdb.chance import Chooser
    from lokinet_node.wire.contact import Contact

MOST_PEERS: Final = 20
"""Lokinet gossips a contact to at most 20 random peers."""

# What we chose.

ROUND_PAUSE: Final[Micros] = 20 * MILLISECOND
ISSUES_AT_ONCE: Final = 4
ISSUE_PAUSE: Final[Micros] = MINUTE
"""A router may have four issues told at once, then one a minute."""


@dataclass(frozen=True, slots=True)
class Tell:
    """Send these raw contacts to a link peer, in as many messages as they need."""

    peer: LinkKey
    records: tuple[bytes, ...]


@dataclass(slots=True)
class _News:
    contact: Contact
    informed: set[LinkKey] = field(default_factory=set)


class Gossip:
    """Contacts that are still to be told."""

    __slots__ = ("_chooser", "_issue_pause", "_next_round", "_pending", "_quota")

    def __init__(self, chooser: Chooser, *, issue_pause: Micros = ISSUE_PAUSE) -> None:
        """Nothing to tell; networks that renew contacts every minute give a shorter pause."""
        self._chooser = chooser
        self._issue_pause = issue_pause
        self._pending: dict[RouterID, _News] = {}
        # Router -> the instant at which its whole quota is back.
        self._quota: dict[RouterID, Micros] = {}
        self._next_round: Micros = 0

    def news(self, contact: Contact, source: LinkKey | None) -> None:
        """A contact the book did not have: from a peer, or (None) our own."""
        news = self._pending.get(contact.router)
        if news is None or news.contact.issued < contact.issued:
            news = self._pending[contact.router] = _News(contact)
        if source is not None:
            news.informed.add(source)

    def known(self, contact: Contact, source: LinkKey) -> None:
        """A peer told what we knew: no need to tell it."""
        news = self._pending.get(contact.router)
        if news is not None and news.contact.issued <= contact.issued:
            news.informed.add(source)

    def due(self, peers: Sequence[LinkKey], now: Micros) -> list[Tell]:
        """What to send now; `peers` are the routers that are linked."""
        if now < self._next_round or not peers:
            return []
        told: dict[LinkKey, list[bytes]] = {}
        for router in [router for router in self._pending if self._may_tell(router, now)]:
            news = self._pending.pop(router)
            self._quota[router] = max(self._quota.get(router, now), now) + self._issue_pause
            others = [peer for peer in peers if peer not in news.informed]
            for peer in self._chooser.sample(others, MOST_PEERS):
                told.setdefault(peer, []).append(news.contact.raw)
        if told:
            self._next_round = now + ROUND_PAUSE
        return [Tell(peer, tuple(records)) for peer, records in told.items()]

    def deadline(self) -> Micros | None:
        """When `due` has something for peers that are there; None if nothing is to be told."""
        waits: Iterable[Micros] = (self._earliest(router) for router in self._pending)
        first = min(waits, default=None)
        return None if first is None else max(first, self._next_round)

    def expire(self, now: Micros) -> None:
        """Forget routers whose whole quota is back."""
        self._quota = {router: full for router, full in self._quota.items() if full > now}

    def _earliest(self, router: RouterID) -> Micros:
        return self._quota.get(router, 0) - (ISSUES_AT_ONCE - 1) * self._issue_pause

    def _may_tell(self, router: RouterID, now: Micros) -> bool:
        return now >= self._earliest(router)
