"""A chain for the in-memory network: one truth, and what liars among the routers say instead.

    world = World(seed=1, chain=True)
    world.chain.buy("web.loki", web.role.address)
    world.chain.lies[router] = lambda name_hash: ChainSays(Status.NOT_FOUND, 1)

Every router of such a world asks it, and hears its list of routers a moment after each change.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from lokinet_node.base.units import MILLISECOND, Micros
from lokinet_node.crypto.ons import encrypt_value, name_hash
from lokinet_node.ons.desk import NO_WORD, ChainSays
from lokinet_node.wire.kinds import Status
from lokinet_node.wire.oxend import ServiceNodes

if TYPE_CHECKING:
    from collections.abc import Callable

    from lokinet_node.base.ids import LokiAddress, RouterID
    from lokinet_node.testing.builders import RouterMachine
    from lokinet_node.testing.fakenet import FakeNetwork

DELAY: Final[Micros] = 2 * MILLISECOND
NONCE: Final = bytes(24)


class FakeChain:
    """What all routers' chains say."""

    def __init__(self, network: FakeNetwork) -> None:
        """No names, no routers."""
        self.height = 100
        self.is_away = False
        """Whether it answers nobody."""
        self.lies: dict[RouterID, Callable[[bytes], ChainSays]] = {}
        self.asked: list[RouterID] = []
        """Who asked about names, in order."""
        self.active: set[RouterID] = set()
        self.decommissioned: set[RouterID] = set()
        self._values: dict[bytes, bytes] = {}
        self._network = network
        self._machines: list[RouterMachine] = []

    def buy(self, name: str, address: LokiAddress) -> None:
        """A name belongs to an address from now on."""
        self.height += 1
        self._values[name_hash(name)] = encrypt_value(name, address, lambda _size: NONCE)

    def expire(self, name: str) -> None:
        """A name belongs to nobody from now on."""
        self.height += 1
        del self._values[name_hash(name)]

    def says(self, hashed: bytes) -> ChainSays:
        """The truth."""
        value = self._values.get(hashed)
        if value is None:
            return ChainSays(Status.NOT_FOUND, self.height)
        return ChainSays(Status.OK, self.height, value)

    def attach(self, machine: RouterMachine, *, is_listed: bool) -> None:
        """A router that was started asks this chain."""
        machine.role.use_chain(_Port(self, machine))
        if machine not in self._machines:
            self._machines.append(machine)
        if is_listed:
            self.active.add(machine.router)
        self.publish()

    def publish(self) -> None:
        """Every router hears the list a moment later."""
        for machine in self._machines:
            self._network.at(self._network.now + DELAY, lambda m=machine: self._list(m))  # type: ignore[misc]

    def _list(self, machine: RouterMachine) -> None:
        if self.is_away or not self._network.is_running(machine.address):
            return
        now = self._network.now
        nodes = ServiceNodes(
            self.height, "", frozenset(self.active), frozenset(self.decommissioned)
        )
        machine.role.service_nodes(nodes, now)
        machine.node.tick(now)
        self._network.poke(machine.address)

    def _ask(self, machine: RouterMachine, hashed: bytes) -> None:
        self.asked.append(machine.router)
        said = NO_WORD if self.is_away else self.lies.get(machine.router, self.says)(hashed)
        self._network.at(self._network.now + DELAY, lambda: self._tell(machine, hashed, said))

    def _tell(self, machine: RouterMachine, hashed: bytes, said: ChainSays) -> None:
        machine.role.names.answered(hashed, said, self._network.now)
        self._network.poke(machine.address)


@dataclass(frozen=True, slots=True)
class _Port:
    """One router's way to the chain."""

    chain: FakeChain
    machine: RouterMachine

    @property
    def is_reachable(self) -> bool:
        """See ons.desk.Chain."""
        return not self.chain.is_away

    def ask(self, name_hash: bytes) -> None:
        """See ons.desk.Chain."""
        self.chain._ask(self.machine, name_hash)
