"""Links and the routers behind them: who is known, who is linked, who is dead.

It is the port through which paths reach their neighbours, and the place where contacts arrive:
from bootstrap files, from the whole list a link peer sends on request (the same for everybody),
and by gossip between routers. A router found dead on our own link leaves every choice at once and
comes back by itself (docs/wire.md, sections 4 and 9).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, cast

from lokinet_node.base.units import MILLISECOND
from lokinet_node.link.link import Link
from lokinet_node.link.links import Links
from lokinet_node.netdb.book import ContactBook
from lokinet_node.netdb.chance import Chooser
from lokinet_node.netdb.gossip import Gossip
from lokinet_node.netdb.outages import Outages
from lokinet_node.wire.control import (
    LinkKind,
    decode_contacts,
    decode_gossip,
    encode_gossip,
    split_contacts,
    split_gossip,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Container, Iterable

    from lokinet_node.base.ground import Ground
    from lokinet_node.base.ids import RouterID
    from lokinet_node.base.units import Micros
    from lokinet_node.crypto.keys import KeyPair
    from lokinet_node.link.link import Address
    from lokinet_node.path.ports import PathLink, SendCells
    from lokinet_node.wire.contact import Contact

FIRST_ASK: Final = 100 * MILLISECOND
"""Pause before the contact list is asked for again; doubles up to the gossip interval."""


class Network:
    """What this node knows of the others, and its links to them."""

    def __init__(
        self,
        *,
        static: KeyPair,
        own: RouterID | None,
        ground: Ground,
        transmit: Callable[[Address, memoryview], None],
        min_links: int,
    ) -> None:
        """`own` is None on clients, whose link key is fresh and in nobody's book."""
        self.book = ContactBook(
            netid=ground.netid,
            contact_lifetime=ground.timing.contact_lifetime,
            block_bogons=ground.block_bogons,
        )
        self.links = Links(
            static=static,
            is_router=own is not None,
            netid=ground.netid,
            timing=ground.timing,
            entropy=ground.entropy,
            transmit=transmit,
        )
        # Paths use the links they were given: what they send on is a Link.
        self.send_cells = cast("SendCells", self.links.send_cells)
        """A run of cells on a link."""
        self.outages = Outages()
        self.refused_contacts = 0
        self._gossip = Gossip(Chooser(ground.entropy))
        self._chooser = Chooser(ground.entropy)
        self.own = own
        self.own_record: bytes | None = None
        self.strict: frozenset[RouterID] = frozenset()
        """If not empty, a client links to these and to bootstrap routers only."""
        self._bootstrap: list[RouterID] = []
        self._timing = ground.timing
        self._min_links = min_links
        self._ask_at: Micros = 0
        self._ask_pause = FIRST_ASK

    # --- the port of the path room

    def connect(self, router: RouterID, now: Micros) -> Link | None:
        """The link to a router, started if need be; None if no contact of it is known.

        And for routers that the chain does not list as active.
        """
        contact = self.book.get(router)
        if contact is None:
            self.ask_soon(now)
        if contact is None or router == self.own or not self.book.roster.is_active(router):
            return None
        return self.links.connect(contact.link_key, contact.address, now)

    def send_message(self, link: PathLink, kind: int, payload: bytes, now: Micros) -> None:
        """One acknowledged message on a link."""
        assert isinstance(link, Link), "paths use the links they were given"
        self.links.send_message(link, kind, payload, now)

    # --- who is who

    def router_of(self, link: Link) -> RouterID | None:
        """The router at the other end: only a key from a signed contact makes a peer one.

        Who is not registered is a stranger, as any client.
        """
        contact = self.book.by_link_key(link.key)
        if contact is None or not self.book.roster.is_registered(contact.router):
            return None
        return contact.router

    def roster_changed(self, before: Container[RouterID], now: Micros) -> None:
        """The chain has a new list: end links with those who were on the last one only."""
        for link in list(self.links.by_key.values()):
            contact = self.book.by_link_key(link.key)
            if contact is None or self.book.roster.is_registered(contact.router):
                continue
            if contact.router in before:
                self.links.disconnect(link, now)
        self.ask_soon(now)

    def linked_routers(self) -> list[tuple[RouterID, Link]]:
        """Routers with a link that is up."""
        found = []
        for link in self.links.by_key.values():
            router = self.router_of(link) if link.is_up else None
            if router is not None:
                found.append((router, link))
        return found

    def link_up(self, link: Link, now: Micros) -> None:
        """A handshake is through: tell a router who we are, ask it whom it knows."""
        router = self.router_of(link)
        if router is not None:
            self.outages.linked(router, now)
        if self.own_record is not None:
            own = encode_gossip([self.own_record])
            self.links.send_message(link, LinkKind.GOSSIP, own, now)
        if router is not None:
            self.links.send_message(link, LinkKind.CONTACTS_REQUEST, b"", now)

    def link_down(self, link: Link, now: Micros) -> RouterID | None:
        """A link died; the router it led to is left alone for a while."""
        router = self.router_of(link)
        if router is not None:
            self.outages.died(router, now)
            self._ask_at = min(self._ask_at, now + self._ask_pause)
        return router

    # --- contacts

    def add_bootstrap(self, contacts: Iterable[Contact], now: Micros) -> None:
        """Contacts from a bootstrap file; they open links even when they have expired.

        WireError for one that is not signed or belongs to another network.
        """
        for contact in contacts:
            if contact.router != self.own:
                self.book.add_bootstrap(contact, now)
                self._bootstrap.append(contact.router)

    def set_own(self, contact: Contact, now: Micros) -> None:
        """This router's own new contact: into the book, and told to linked routers."""
        self.own_record = contact.raw
        self.book.add(contact, now)
        self._gossip.news(contact, None)
        self._tell(now)

    def message(self, link: Link, kind: int, payload: bytes, now: Micros) -> bool:
        """Contact messages; False when it is none. WireError for malformed ones."""
        if kind == LinkKind.CONTACTS_REQUEST:
            for part in split_contacts(self.book.records(now)):
                self.links.send_message(link, LinkKind.CONTACTS, part, now)
        elif kind == LinkKind.CONTACTS:
            self._learn(decode_contacts(payload).records, link, now)
        elif kind == LinkKind.GOSSIP:
            self._learn(decode_gossip(payload), link, now)
        else:
            return False
        return True

    def _learn(self, records: Iterable[bytes], link: Link, now: Micros) -> None:
        learned = self.book.learn(records, now)
        self.refused_contacts += learned.refused
        for contact in learned.news:
            self.outages.reissued(contact, now)
        if self.own is None:
            return
        for contact in learned.news:
            if self.book.roster.is_registered(contact.router):
                self._gossip.news(contact, link.key)
        for contact in learned.known:
            self._gossip.known(contact, link.key)
        self._tell(now)

    def _tell(self, now: Micros) -> None:
        """Send the news that are due to the routers they are for."""
        peers = [link.key for _, link in self.linked_routers()]
        for tell in self._gossip.due(peers, now):
            for part in split_gossip(tell.records):
                self.links.send_message(self.links.by_key[tell.peer], LinkKind.GOSSIP, part, now)

    # --- time

    def tick(self, now: Micros) -> None:
        """Keep enough links; ask for contacts again; forget expired ones."""
        self.links.tick(now)
        news = self._gossip.deadline()
        if news is not None and news <= now:
            self._tell(now)
        if now < self._ask_at:
            return
        self.book.expire(now)
        self.outages.expire(now)
        self._gossip.expire(now)
        self._ask_pause = min(self._timing.gossip_interval, 2 * self._ask_pause)
        self._ask_at = now + self._ask_pause
        self._keep_links(now)
        peers = self.linked_routers()
        if peers:
            _, link = self._chooser.pick(peers)
            self.links.send_message(link, LinkKind.CONTACTS_REQUEST, b"", now)

    def ask_soon(self, now: Micros) -> None:
        """Too few routers are known for what is wanted: ask again without patience."""
        self._ask_pause = FIRST_ASK
        self._ask_at = min(self._ask_at, now + FIRST_ASK)

    def _keep_links(self, now: Micros) -> None:
        """Bootstrap routers first, then others, up to the number wanted; never a dead one.

        A router that its chain does not know waits: it will be told.
        """
        if self.own is not None and not self.book.roster.is_registered(self.own):
            return
        dead = self.outages.out(now)
        linked = {self.router_of(link) for link in self.links.by_key.values()}
        linked.discard(None)  # clients: however many there are, they join no routers
        known = [contact.router for contact in self.book.fresh(now)]
        # A client's other links come from its guards, when it builds paths: one is enough here.
        wanted = self._min_links if self.own is not None else 1
        for router in self._bootstrap + known:
            if len(linked) >= wanted:
                return
            if self.strict and router not in self.strict and router not in self._bootstrap:
                continue
            if router not in linked and router not in dead and self.connect(router, now):
                linked.add(router)

    def deadline(self) -> Micros:
        """When `tick` has something to do."""
        due = self._ask_at
        links, news = self.links.deadline(), self._gossip.deadline()
        if links is not None and links < due:
            due = links
        if news is not None and news < due and self.linked_routers():
            due = news
        return due
