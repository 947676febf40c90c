"""The router role: carries paths, holds introsets, tells others who it is.

What users of a path ask of its last hop arrives here: publish and look up introsets (passed to the
router that is the order-th closest to the key), register and release handles. Traffic for the
router itself (`.snode`) goes to `SnodeHost` when it has a tun.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Protocol

from lokinet_node.base.errors import WireError
from lokinet_node.base.ids import BlindedKey, Handle, RouterID
from lokinet_node.base.units import SECOND
from lokinet_node.dht.store import IntrosetStore
from lokinet_node.node.own_contact import ContactSigned, OwnContact, RouterKeys
from lokinet_node.ons.desk import NameDesk
from lokinet_node.path.pump import CellPump
from lokinet_node.path.transit import Hop, Transit
from lokinet_node.wire import control as wire
from lokinet_node.wire.control import LinkKind, PathKind, Status
from lokinet_node.wire.introset import decode_sealed_introset
from lokinet_node.wire.names import decode_find_name

if TYPE_CHECKING:
    from collections.abc import Callable, Container

    from lokinet_node.base.ground import Ground
    from lokinet_node.base.units import Micros
    from lokinet_node.burst import Cells
    from lokinet_node.link.links import Link
    from lokinet_node.node.network import Network
    from lokinet_node.ons.desk import Chain
    from lokinet_node.path.lanes import EndLane, OwnerLane
    from lokinet_node.wire.contact import Contact
    from lokinet_node.wire.oxend import ServiceNodes

PENDING_LIMIT: Final = 4096
"""Requests of paths that wait for another router; beyond it they are answered as busy."""
REQUEST_PATIENCE: Final = 5 * SECOND
GONE_PAUSE: Final = SECOND // 10
"""A sender is told of the same unknown handle at most this often."""


class TrafficHost(Protocol):
    """Takes the packets that paths carry for the router itself."""

    def receive(self, lane: EndLane, cells: Cells, first: int, count: int, now: Micros) -> None:
        """Records of one path."""

    def retain(self, hops: Container[Hop]) -> None:
        """Forget whoever came on a path that is not among these any more."""


@dataclass(slots=True)
class _Pending:
    hop: Hop
    request: int
    kind: PathKind
    until: Micros


class RouterRole:
    """A relay's behaviour above links; the node calls it, it never calls the node."""

    def __init__(
        self,
        *,
        keys: RouterKeys,
        public: tuple[str, int],
        name: str,
        ground: Ground,
        network: Network,
        note: Callable[[object], None],
    ) -> None:
        """`note` takes effects for the driver: ContactSigned."""
        self.router = RouterID(keys.identity.public)
        self.store = IntrosetStore(
            network.book, self.router, introset_lifetime=ground.timing.introset_lifetime
        )
        self.pump = CellPump(network, self)
        self.transit = Transit(
            self.router, ground.netid, ground.timing, ground.entropy, network, self.pump
        )
        self.names = NameDesk(self.transit)
        self.chain_height: int | None = None
        """Newest block the chain told of; None before it said anything, and without one."""
        self.host: TrafficHost | None = None
        self.contact = OwnContact(keys, public, name, ground, network, self.transit, note)
        self._entropy = ground.entropy
        self._network = network
        self._pending: dict[int, _Pending] = {}
        self._gone: dict[tuple[object, int], Micros] = {}

    def start(self, signed: Contact | None, now: Micros) -> None:
        """Take over a stored contact that is still good, or sign a new one."""
        self.contact.start(signed, now)

    # --- the chain

    def use_chain(self, chain: Chain) -> None:
        """Names are asked of this chain, and nobody is a router before it says so."""
        self.names.chain = chain
        self._network.book.roster.close()
        self.transit.is_listed = False

    def service_nodes(self, nodes: ServiceNodes, now: Micros) -> None:
        """The chain's list of routers, or word that it is the same as before."""
        self.chain_height = nodes.height
        roster = self._network.book.roster
        before = roster.active | roster.decommissioned
        if not nodes.is_unchanged and roster.update(nodes.active, nodes.decommissioned):
            self._network.roster_changed(before, now)
        self.transit.is_listed = roster.is_active(self.router)

    # --- links

    def link_up(self, link: Link, now: Micros) -> None:
        """Nothing to do: whatever waits for the link waits in it."""

    def link_message(self, link: Link, kind: int, payload: bytes, now: Micros) -> None:
        """A message of a neighbour that is not about contacts; WireError for malformed ones."""
        if kind == LinkKind.BUILD:
            self.transit.build(link, wire.decode_build(payload), now)
        elif kind == LinkKind.BUILD_REPLY:
            self.transit.reply(link, wire.decode_build(payload), now)
        elif kind == LinkKind.CLOSE:
            self.transit.close(link, wire.decode_close(payload), now)
            self._forget_visitors()
        elif kind == LinkKind.BROKEN:
            self.transit.broken(link, wire.decode_broken(payload), now)
            self._forget_visitors()
        elif kind in (LinkKind.STORE, LinkKind.FIND):
            self._serve(link, kind, payload, now)
        elif kind == LinkKind.STORED:
            answer = wire.decode_store_answer(payload)
            self._answered(PathKind.PUBLISHED, answer.request, answer.status, now)
        elif kind == LinkKind.FOUND:
            found = wire.decode_find_answer(payload)
            self._answered(PathKind.RESULT, found.request, found.status, now, found.introset)
        else:
            raise WireError(f"link message of unknown kind {kind}")

    def _serve(self, link: Link, kind: int, payload: bytes, now: Micros) -> None:
        """Another router asks us to keep or find an introset."""
        if kind == LinkKind.STORE:
            store = wire.decode_store(payload)
            status = self._keep(store.introset, now)
            reply = wire.encode_store_answer(wire.StoreAnswer(store.request, status))
            self._network.send_message(link, LinkKind.STORED, reply, now)
            return
        find = wire.decode_find(payload)
        introset = self.store.find(find.key, now)
        status = Status.OK if introset else Status.NOT_FOUND
        reply = wire.encode_find_answer(wire.FindAnswer(find.request, status, introset or b""))
        self._network.send_message(link, LinkKind.FOUND, reply, now)

    def message_failed(self, link: Link, kind: int, payload: bytes, now: Micros) -> None:
        """A neighbour never acknowledged a message."""
        if kind == LinkKind.BUILD:
            self.transit.undelivered(link, wire.decode_build(payload).path_id, now)
        elif kind == LinkKind.STORE:
            request = wire.decode_store(payload).request
            self._answered(PathKind.PUBLISHED, request, Status.UNREACHABLE, now)
        elif kind == LinkKind.FIND:
            request = wire.decode_find(payload).request
            self._answered(PathKind.RESULT, request, Status.UNREACHABLE, now)

    def link_down(self, link: Link, now: Micros) -> None:
        """A neighbour died."""
        self.transit.link_down(link, self._network.router_of(link), now)
        self._forget_visitors()

    def _forget_visitors(self) -> None:
        """Paths ended: their visitors' mapped addresses are free."""
        if self.host is not None:
            self.host.retain(self.transit.hops)

    # --- the last hop of paths

    def end_control(self, lane: EndLane, cells: Cells, row: int, counter: int, now: Micros) -> None:
        """A control cell of a path that ends here."""
        hop = lane.hop
        if not isinstance(hop, Hop):
            return
        for kind, payload in self.transit.receive_control(hop, cells, row, counter, now):
            try:
                self._path_message(hop, kind, payload, now)
            except WireError:
                self.transit.refuse_control(hop, now)
                return
        self.transit.flush(hop, now)

    def unknown_handle(self, lane: EndLane, handle: int, now: Micros) -> None:
        """Data for a handle nobody has: tell its sender, but not for every burst."""
        hop = lane.hop
        if isinstance(hop, Hop) and self._gone.get((hop, handle), 0) <= now:
            if len(self._gone) > PENDING_LIMIT:
                self._gone.clear()
            self._gone[(hop, handle)] = now + GONE_PAUSE
            self.transit.send(hop, PathKind.GONE, wire.encode_handle(Handle(handle)), now)
            self.transit.flush(hop, now)

    def router_traffic(
        self, lane: EndLane, cells: Cells, first: int, count: int, now: Micros
    ) -> bool:
        """Packets for this router."""
        if self.host is None:
            return False
        self.host.receive(lane, cells, first, count, now)
        return True

    def owner_cells(
        self, lane: OwnerLane, cells: Cells, first: int, count: int, counter: int, now: Micros
    ) -> None:
        """Routers own no paths: there is no such lane here."""

    def _path_message(self, hop: Hop, kind: int, payload: bytes, now: Micros) -> None:
        transit = self.transit
        if kind == PathKind.PING:
            transit.send(hop, PathKind.PONG, payload, now, sequenced=False)
        elif kind == PathKind.REGISTER:
            handle = wire.decode_handle(payload)
            status = Status.OK if transit.register(hop, handle) else Status.REFUSED
            reply = wire.encode_registered(wire.Registered(handle, status))
            transit.send(hop, PathKind.REGISTERED, reply, now)
        elif kind == PathKind.RELEASE:
            transit.release(hop, wire.decode_handle(payload))
        elif kind == PathKind.PUBLISH:
            publish = wire.decode_publish(payload)
            key = decode_sealed_introset(publish.introset).blinded_key
            self._ask(
                hop, PathKind.PUBLISHED, publish.request, key, publish.order, now, publish.introset
            )
        elif kind == PathKind.LOOKUP:
            lookup = wire.decode_lookup(payload)
            self._ask(hop, PathKind.RESULT, lookup.request, lookup.key, lookup.order, now)
        elif kind == PathKind.FIND_NAME:
            self.names.ask(hop, decode_find_name(payload), now)
        elif kind != PathKind.PONG:
            raise WireError(f"path message of unknown kind {kind}")

    def _ask(
        self,
        hop: Hop,
        answer_kind: PathKind,
        request: int,
        key: BlindedKey,
        order: int,
        now: Micros,
        introset: bytes | None = None,
    ) -> None:
        """Pass a publish (with introset) or lookup on to the order-th closest router."""
        closest = self._network.book.closest(
            key, wire.ORDERS, now, exclude=self._network.outages.out(now)
        )
        if order >= len(closest):
            self._tell(hop, answer_kind, request, Status.NOT_FOUND, b"", now)
            return
        router = closest[order].router
        if router == self.router:
            if introset is not None:
                self._tell(hop, answer_kind, request, self._keep(introset, now), b"", now)
                return
            found = self.store.find(key, now)
            status = Status.OK if found else Status.NOT_FOUND
            self._tell(hop, answer_kind, request, status, found or b"", now)
            return
        link = self._network.connect(router, now)
        if link is None or len(self._pending) >= PENDING_LIMIT:
            self._tell(hop, answer_kind, request, Status.BUSY, b"", now)
            return
        own = int.from_bytes(self._entropy(8), "big")
        self._pending[own] = _Pending(hop, request, answer_kind, now + REQUEST_PATIENCE)
        if introset is not None:
            payload = wire.encode_store(wire.Store(own, introset))
            self._network.send_message(link, LinkKind.STORE, payload, now)
        else:
            payload = wire.encode_find(wire.Find(own, key))
            self._network.send_message(link, LinkKind.FIND, payload, now)

    def _keep(self, introset: bytes, now: Micros) -> Status:
        return self.store.store(introset, now, self._network.outages.out(now))

    def _answered(
        self,
        kind: PathKind,
        request: int,
        status: Status,
        now: Micros,
        introset: bytes = b"",
    ) -> None:
        """Another router's word on a request of that kind, passed back to who asked."""
        pending = self._pending.get(request)
        if pending is not None and pending.kind is kind:
            del self._pending[request]
            self._tell(pending.hop, kind, pending.request, status, introset, now)
            self.transit.flush(pending.hop, now)

    def _tell(
        self, hop: Hop, kind: PathKind, request: int, status: Status, introset: bytes, now: Micros
    ) -> None:
        if kind is PathKind.PUBLISHED:
            payload = wire.encode_store_answer(wire.StoreAnswer(request, status))
        else:
            payload = wire.encode_find_answer(wire.FindAnswer(request, status, introset))
        self.transit.send(hop, kind, payload, now)

    # --- time

    def tick(self, now: Micros) -> None:
        """Renew, expire, give up waiting."""
        self.contact.tick(now)
        self.transit.tick(now)
        self._forget_visitors()
        self.store.expire(now)
        self.names.tick(now)
        for request, pending in list(self._pending.items()):
            if pending.until <= now:
                self._answered(pending.kind, request, Status.UNREACHABLE, now)

    def deadline(self) -> Micros:
        """When `tick` has something to do."""
        due = self.contact.deadline()
        for when in (self.transit.deadline(), self.names.deadline()):
            if when is not None and when < due:
                due = when
        for pending in self._pending.values():
            due = min(due, pending.until)
        return due


__all__ = ["ContactSigned", "RouterKeys", "RouterRole", "TrafficHost"]
