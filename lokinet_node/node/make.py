"""Putting a node together: the same for a process, an embedding program and the test network."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from lokinet_node.base.ids import RouterID
from lokinet_node.crypto.keys import x25519_keypair
from lokinet_node.exits.door import Door
from lokinet_node.exits.door6 import Door6
from lokinet_node.netdb.chance import Chooser
from lokinet_node.netdb.choose import HopChooser, Rules
from lokinet_node.netdb.guards import Guards
from lokinet_node.netdb.profile import Profile
from lokinet_node.node.client import ClientRole
from lokinet_node.node.node import Node
from lokinet_node.node.router import RouterKeys, RouterRole
from lokinet_node.node.snode_host import SnodeHost
from lokinet_node.node.traffic import Traffic
from lokinet_node.session.addresses import AddressMap, Remote
from lokinet_node.session.merge import Merger
from lokinet_node.session.split import Splitter
from lokinet_node.wire.offer import NO_OFFER, Offer

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from lokinet_node.base.addresses import Range
    from lokinet_node.base.ground import Ground
    from lokinet_node.base.srv import SrvRecord
    from lokinet_node.base.units import Micros
    from lokinet_node.crypto.keys import KeyPair
    from lokinet_node.link.links import Address
    from lokinet_node.wire.contact import Contact


@dataclass(frozen=True, slots=True)
class RouterSettings:
    """What a router needs to know besides its network."""

    keys: RouterKeys
    link: KeyPair
    """X25519, the static key of its links."""
    public: tuple[str, int]
    """IPv4 address and port that its contact says."""
    name: str = ""
    min_links: int = 6
    bootstrap: Sequence[Contact] = ()
    signed: Contact | None = None
    """The contact of an earlier run."""


def make_router(
    settings: RouterSettings,
    ground: Ground,
    transmit: Callable[[Address, memoryview], None],
    now: Micros,
) -> tuple[Node, RouterRole]:
    """A router that is ready for its first datagram."""
    router = RouterID(settings.keys.identity.public)
    node = Node(
        static=settings.link,
        own=router,
        ground=ground,
        transmit=transmit,
        min_links=settings.min_links,
    )
    # The pump needs the role for what ends here, the role the pump for its handles.
    role = RouterRole(
        keys=settings.keys,
        public=settings.public,
        name=settings.name,
        ground=ground,
        network=node.network,
        note=node.note,
    )
    node.take_role(role)
    node.network.add_bootstrap(settings.bootstrap, now)
    role.start(settings.signed, now)
    return node, role


@dataclass(frozen=True, slots=True)
class ClientSettings:
    """What a client needs to know besides its network."""

    identity: KeyPair
    """Ed25519 of its `.loki` address."""
    rules: Rules
    paths: int = 6
    reachable: bool = True
    services: tuple[SrvRecord, ...] = ()
    """SRV records to publish."""
    offer: Offer = NO_OFFER
    """What to say of an exit."""
    bootstrap: Sequence[Contact] = ()
    strict: frozenset[RouterID] = frozenset()
    guards: bytes | None = None
    """What `Guards.dump` gave in an earlier run."""


def make_client(
    settings: ClientSettings,
    ground: Ground,
    transmit: Callable[[Address, memoryview], None],
    now: Micros,
) -> tuple[Node, ClientRole]:
    """A client that is ready to start; its link key is fresh."""
    node = Node(
        static=x25519_keypair(ground.entropy),
        own=None,
        ground=ground,
        transmit=transmit,
        min_links=1,
    )
    chance = Chooser(ground.entropy)
    profile = Profile()
    guards = Guards(chance, pinned=settings.strict, stored=settings.guards)
    chooser = HopChooser(
        node.network.book,
        settings.rules,
        guards=guards,
        profile=profile,
        outages=node.network.outages,
        chooser=chance,
    )
    role = ClientRole(
        identity=settings.identity,
        ground=ground,
        network=node.network,
        keeper=(chooser, profile, settings.rules, settings.paths),
        guards=guards,
        reachable=settings.reachable,
        note=node.note,
    )
    role.services, role.offer = settings.services, settings.offer
    node.take_role(role)
    node.network.strict = settings.strict
    node.network.add_bootstrap(settings.bootstrap, now)
    return node, role


def attach_tun(
    node: Node,
    role: RouterRole | ClientRole,
    own: Range,
    write_packet: Callable[[bytes | bytearray], None],
    *,
    join_udp: bool,
    prefix6: bytes | None = None,
) -> Traffic:
    """Give a node a tun: its addresses, and who takes the packets that arrive for it.

    `prefix6` is the first 12 bytes of the tun's IPv6 address; None: it has none.
    """
    addresses = AddressMap(own)
    want = role.want_flow if isinstance(role, ClientRole) else _nobody
    traffic = Traffic(addresses, write_packet, want, Splitter(), Merger(join_udp=join_udp))
    node.traffic = traffic
    if isinstance(role, ClientRole):
        traffic.door = Door(addresses.own)
        role.attach(traffic, own)
        if prefix6 is not None:
            traffic.door.six = Door6(traffic.door, prefix6)
    else:
        role.host = SnodeHost(traffic, node.network)
    return traffic


def _nobody(remote: Remote, now: Micros) -> None:
    """A router dials nobody."""
