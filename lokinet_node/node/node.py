"""A node: the rooms composed, and the verbs its surroundings use.

    node.from_wire(burst, count, address, now)   datagrams of one sender
    node.from_tun(buffer, size, now)             one read of the tun; then node.flush_tun(now)
    node.tick(now) · node.deadline()             time
    node.hint(address, now)                      an ICMP error quoted this address
    node.take_effects()                          what the driver has to do or tell
    node.status(now)                             what `llarp.status` shows

Everything that leaves goes through the two callables the node is made with: `transmit` for
datagrams and `write_packet` for packets of the tun. The node reads no clock and owns no socket.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from lokinet_node.base.errors import WireError
from lokinet_node.link.links import LinkDown, LinkMessage, LinkUp, MessageFailed
from lokinet_node.node.network import Network
from lokinet_node.path.pump import CellPump

if TYPE_CHECKING:
    from collections.abc import Callable

    from lokinet_node.base.ground import Ground
    from lokinet_node.base.ids import RouterID
    from lokinet_node.base.units import Micros
    from lokinet_node.burst import Datagrams
    from lokinet_node.crypto.keys import KeyPair
    from lokinet_node.link.links import Address, Link, LinkEvent
    from lokinet_node.node.traffic import Traffic


class NodeRole(Protocol):
    """What makes a node a router or a client."""

    def link_up(self, link: Link, now: Micros) -> None:
        """A link can be used."""

    def link_down(self, link: Link, now: Micros) -> None:
        """A link is gone."""

    def link_message(self, link: Link, kind: int, payload: bytes, now: Micros) -> None:
        """A message that is not about contacts."""

    def message_failed(self, link: Link, kind: int, payload: bytes, now: Micros) -> None:
        """A message was never acknowledged."""

    def tick(self, now: Micros) -> None:
        """A deadline passed."""

    def deadline(self) -> Micros | None:
        """When to call `tick`."""

    @property
    def pump(self) -> CellPump:
        """Takes every cell that a link opened."""


class Node:
    """Links, cells and one role."""

    def __init__(
        self,
        *,
        static: KeyPair,
        own: RouterID | None,
        ground: Ground,
        transmit: Callable[[Address, memoryview], None],
        min_links: int,
    ) -> None:
        """`own` is the router id, None on clients. It needs a role before anything runs."""
        self.network = Network(
            static=static,
            own=own,
            ground=ground,
            transmit=transmit,
            min_links=min_links,
        )
        self.ground = ground
        self.role: NodeRole
        self.pump: CellPump
        self.traffic: Traffic | None = None
        self.bad_messages = 0
        self.effects: list[object] = []
        """What `take_effects` will give."""
        self._link_events = self.network.links.events

    def take_role(self, role: NodeRole) -> None:
        """Be a router or a client from now on."""
        self.role = role
        self.pump = role.pump
        self.network.links.deliver = role.pump.deliver

    def note(self, effect: object) -> None:
        """Something for the driver to do or to log."""
        self.effects.append(effect)

    def take_effects(self) -> list[object]:
        """What was noted since the last call."""
        effects, self.effects = self.effects, []
        return effects

    # --- wire and tun

    def from_wire(self, burst: Datagrams, count: int, address: Address, now: Micros) -> None:
        """Datagrams of one sender."""
        self.network.links.receive(burst, count, address, now)
        if self._link_events:
            self._settle(now)

    def from_tun(self, buffer: bytearray, size: int, now: Micros) -> None:
        """One read of the tun: virtio header and packet; it may wait for `flush_tun`."""
        if self.traffic is not None:
            self.traffic.packet(buffer, size, now)

    def flush_tun(self, now: Micros) -> None:
        """No more reads for now: send what waits."""
        if self.traffic is not None:
            self.traffic.flush(now)
        self._settle(now)

    def hint(self, address: Address, now: Micros) -> None:
        """Somebody says this address is not reachable: probe, do not believe."""
        self.network.links.hint(address, now)
        self._settle(now)

    # --- events of links

    def _settle(self, now: Micros) -> None:
        """Handle what the links reported, until there is nothing more."""
        while events := self.network.links.take_events():
            for event in events:
                self._link_event(event, now)

    def _link_event(self, event: LinkEvent, now: Micros) -> None:
        match event:
            case LinkMessage(link, kind, payload):
                self._message(link, kind, payload, now)
            case LinkUp(link):
                self.network.link_up(link, now)
                self.role.link_up(link, now)
                self.note(event)
            case LinkDown(link):
                self.role.link_down(link, now)
                self.network.link_down(link, now)
                self.note(event)
            case MessageFailed(link, kind, payload):
                self.role.message_failed(link, kind, payload, now)

    def _message(self, link: Link, kind: int, payload: bytes, now: Micros) -> None:
        try:
            if not self.network.message(link, kind, payload, now):
                self.role.link_message(link, kind, payload, now)
        except WireError:
            # One bad message is one dropped message; the link itself is authenticated.
            self.bad_messages += 1

    # --- time

    def tick(self, now: Micros) -> None:
        """Everything whose time has come."""
        if self.network.deadline() <= now:
            self.network.tick(now)
            self._settle(now)
        due = self.role.deadline()
        if due is not None and due <= now:
            self.role.tick(now)
        self._settle(now)

    def deadline(self) -> Micros:
        """When to call `tick` at the latest."""
        role, network = self.role.deadline(), self.network.deadline()
        return network if role is None or network < role else role
