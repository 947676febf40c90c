"""The contact book: every router this node knows, newest contact of each.

Rules: what is in the book was signed by its router for our network; a contact counts until it
expires, or until the network's contact lifetime after it was issued if that is earlier; a newer
one replaces an older one and nothing else does. Bootstrap contacts stay for opening links even
after they expired, but only fresh contacts are hops, holders of introsets, or told to others.
Fresh is what has not expired and belongs to an active router of the roster; contacts of others
are kept, because they may be registered later, and make room first.

A contact may claim the link key of another router, which its signature cannot prevent: both are
kept, and `by_link_key` answers with the router that claimed the key first.
"""

from __future__ import annotations

import heapq
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from lokinet_node.base.addresses import is_bogon, parse_ipv4
from lokinet_node.base.errors import WireError
from lokinet_node.netdb.roster import Roster
from lokinet_node.netdb.verify import verify_contact
from lokinet_node.wire.contact import decode_contact

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from lokinet_node.base.ids import LinkKey, RouterID
    from lokinet_node.base.units import Micros
    from lokinet_node.wire.contact import Contact

MOST_CONTACTS: Final = 4096
"""Ours: strangers can make contacts for nothing, so the book has an end. 1 MiB of records."""


@dataclass(frozen=True, slots=True)
class Learned:
    """What a message of contact records came to."""

    news: tuple[Contact, ...]
    """Contacts the book did not have, or had only an older one of."""
    known: tuple[Contact, ...]
    """Contacts the book had already, as good as these or newer."""
    refused: int
    """Records that were malformed, not believed, or for which there was no room."""


class ContactBook:
    """Contacts by router, by link key and by distance."""

    def __init__(
        self, *, netid: bytes, contact_lifetime: Micros, block_bogons: bool = False
    ) -> None:
        """An empty book of one network; with `block_bogons` only public addresses are believed."""
        self.roster = Roster()
        self._netid = netid
        self._lifetime = contact_lifetime
        self._block_bogons = block_bogons
        self._contacts: dict[RouterID, Contact] = {}
        self._bootstrap: set[RouterID] = set()
        self._claims: dict[LinkKey, list[RouterID]] = {}

    def __len__(self) -> int:
        """Number of routers in the book, expired bootstrap contacts included."""
        return len(self._contacts)

    def __contains__(self, router: RouterID) -> bool:
        """Whether there is any contact of a router."""
        return router in self._contacts

    def add(self, contact: Contact, now: Micros) -> bool:
        """Believe a decoded contact; False if it is no news; WireError if it is not to be believed.

        The signature is checked only of news, so hearing the same contact again costs little.
        """
        return self._add(contact, now, is_bootstrap=False)

    def add_bootstrap(self, contact: Contact, now: Micros) -> bool:
        """As `add`, for a contact the operator gave: it stays for links when it has expired."""
        return self._add(contact, now, is_bootstrap=True)

    def learn(self, records: Iterable[bytes], now: Micros) -> Learned:
        """Add the raw contacts of one message; a bad one spoils no other."""
        news: list[Contact] = []
        known: list[Contact] = []
        refused = 0
        for record in records:
            try:
                contact = decode_contact(record)
                (news if self.add(contact, now) else known).append(contact)
            except WireError:
                refused += 1
        return Learned(tuple(news), tuple(known), refused)

    def get(self, router: RouterID) -> Contact | None:
        """The contact of a router, expired ones of the bootstrap included."""
        return self._contacts.get(router)

    def get_fresh(self, router: RouterID, now: Micros) -> Contact | None:
        """The contact of a router if it may be a hop now."""
        contact = self._contacts.get(router)
        return contact if contact is not None and self._is_fresh(contact, now) else None

    def by_link_key(self, key: LinkKey) -> Contact | None:
        """The router whose link key this is; the first that claimed it, should there be several."""
        claims = self._claims.get(key)
        return self._contacts[claims[0]] if claims else None

    def fresh(self, now: Micros) -> list[Contact]:
        """Contacts that may be hops now."""
        return [contact for contact in self._contacts.values() if self._is_fresh(contact, now)]

    def for_links(self, now: Micros) -> list[Contact]:
        """Contacts that a link may be opened to: active routers, fresh or of the bootstrap."""
        return [
            contact
            for router, contact in self._contacts.items()
            if self.roster.is_active(router)
            and (router in self._bootstrap or self._is_current(contact, now))
        ]

    def closest(
        self, key: bytes, count: int, now: Micros, exclude: Collection[RouterID] = ()
    ) -> list[Contact]:
        """Fresh contacts nearest to a key of 32 bytes, nearest first.

        Distance is the XOR of router id and key as a big-endian integer.
        """
        target = int.from_bytes(key, "big")
        candidates = [contact for contact in self.fresh(now) if contact.router not in exclude]
        return heapq.nsmallest(
            count, candidates, key=lambda c: int.from_bytes(c.router, "big") ^ target
        )

    def records(self, now: Micros) -> list[bytes]:
        """Raw fresh contacts, the answer to a request for the whole list."""
        return [contact.raw for contact in self.fresh(now)]

    def expire(self, now: Micros) -> list[RouterID]:
        """Drop expired contacts but those of the bootstrap; the routers that are gone."""
        gone = [
            router
            for router, contact in self._contacts.items()
            if router not in self._bootstrap and not self._is_current(contact, now)
        ]
        for router in gone:
            self._unclaim(self._contacts.pop(router))
        return gone

    def deadline(self) -> Micros | None:
        """When the next contact expires; None if none will."""
        return min(
            (
                self._expires(contact)
                for router, contact in self._contacts.items()
                if router not in self._bootstrap
            ),
            default=None,
        )

    def _add(self, contact: Contact, now: Micros, *, is_bootstrap: bool) -> bool:
        held = self._contacts.get(contact.router)
        if held is not None and contact.issued <= held.issued:
            if is_bootstrap:
                self._bootstrap.add(contact.router)
            return False
        if held is None and len(self._contacts) >= MOST_CONTACTS and not is_bootstrap:
            self._check_room(contact.router)
        if self._block_bogons and is_bogon(parse_ipv4(contact.ip)):
            raise WireError("contact has an address that the public internet does not route")
        verify_contact(contact, netid=self._netid, now=now, allow_expired=is_bootstrap)
        if held is not None:
            self._unclaim(held)
        elif len(self._contacts) >= MOST_CONTACTS and not is_bootstrap:
            self._drop_stranger()
        self._contacts[contact.router] = contact
        self._claims.setdefault(contact.link_key, []).append(contact.router)
        if is_bootstrap:
            self._bootstrap.add(contact.router)
        return True

    def _stranger(self) -> RouterID | None:
        """A router that no list has and that makes room for one that is on it."""
        for router in self._contacts:
            if router not in self._bootstrap and not self.roster.is_registered(router):
                return router
        return None

    def _check_room(self, newcomer: RouterID) -> None:
        if not self.roster.is_registered(newcomer) or self._stranger() is None:
            raise WireError("the contact book is full")

    def _drop_stranger(self) -> None:
        stranger = self._stranger()
        assert stranger is not None, "there was room to be made"
        self._unclaim(self._contacts.pop(stranger))

    def _unclaim(self, contact: Contact) -> None:
        claims = self._claims[contact.link_key]
        claims.remove(contact.router)
        if not claims:
            del self._claims[contact.link_key]

    def _expires(self, contact: Contact) -> Micros:
        return min(contact.expires, contact.issued + self._lifetime)

    def _is_current(self, contact: Contact, now: Micros) -> bool:
        return now < self._expires(contact)

    def _is_fresh(self, contact: Contact, now: Micros) -> bool:
        return now < self._expires(contact) and self.roster.is_active(contact.router)
