"""Links on the in-memory network: nodes with one Links each, and what they saw."""

from __future__ import annotations

from hashlib import blake2s
from random import Random
from typing import TYPE_CHECKING

from lokinet_node.base.ids import LinkKey
from lokinet_node.base.timing import Timing
from lokinet_node.base.units import SECOND
from lokinet_node.burst import CELL_HEAD, DATAGRAM, ROWS, Cells, Datagrams
from lokinet_node.crypto.keys import KeyPair, x25519_keypair
from lokinet_node.link.links import (
    Address,
    Drop,
    Link,
    LinkDown,
    LinkEvent,
    LinkMessage,
    Links,
    LinkUp,
    MessageFailed,
    Reason,
)
from lokinet_node.testing.fakenet import FakeNetwork, Faults

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lokinet_node.base.units import Micros

NETID = b"testnet"


class Node:
    """One end: it keeps what its links delivered and told."""

    def __init__(
        self,
        network: FakeNetwork,
        number: int,
        *,
        static: KeyPair | None = None,
        is_router: bool = True,
        timing: Timing | None = None,
        netid: bytes = NETID,
        seed: int = 0,
    ) -> None:
        self.network = network
        self.random = Random(f"{seed}/{number}")
        self.address: Address = (f"198.51.100.{number}", 1090)
        self.static = static or x25519_keypair(self.random.randbytes)
        self.key = LinkKey(self.static.public)
        self.events: list[LinkEvent] = []
        self.got: list[tuple[int, int, bytes]] = []
        """Path id, counter and body of every cell delivered."""
        self.links = Links(
            static=self.static,
            is_router=is_router,
            netid=netid,
            timing=timing or Timing(),
            entropy=self.random.randbytes,
            transmit=network.transmit(self.address),
        )
        self.links.deliver = self._deliver
        self.deaf_to: set[int] = set()
        """Datagram types that get lost on their way here."""
        self.cells = Cells()
        network.join(self.address, self)

    def _deliver(
        self,
        link: Link,
        cells: Cells,
        heads: tuple[int, ...],
        count: int,
        now: Micros,
    ) -> None:
        assert link.is_up
        assert len(heads) == 2 * count
        path_ids, counters = heads[0::2], heads[1::2]
        for row in range(count):
            assert CELL_HEAD.unpack_from(cells.rows[row]) == (path_ids[row], counters[row])
            if path_ids[row]:
                self.got.append((path_ids[row], counters[row], bytes(cells.bodies[row])))

    # --- what the network drives

    def from_wire(self, burst: Datagrams, count: int, address: Address, now: Micros) -> None:
        if burst.buffer[0] in self.deaf_to:
            return
        self.links.receive(burst, count, address, now)
        self.events += self.links.take_events()

    def tick(self, now: Micros) -> None:
        self.links.tick(now)
        self.events += self.links.take_events()

    def deadline(self) -> Micros | None:
        return self.links.deadline()

    # --- what a test does

    def connect(self, other: Node) -> Link:
        link = self.links.connect(other.key, other.address, self.network.now)
        self.network.poke(self.address)
        return link

    def link(self, other: Node) -> Link:
        return self.links.by_key[other.key]

    def is_up(self, other: Node) -> bool:
        link = self.links.by_key.get(other.key)
        return link is not None and link.is_up

    def send(self, other: Node, numbers: Sequence[int], path_id: int = 7) -> None:
        """One burst of cells whose bodies say their numbers."""
        for row, number in enumerate(numbers):
            CELL_HEAD.pack_into(self.cells.rows[row], 0, path_id, number)
            self.cells.bodies[row][:] = body(number)
        self.links.send_cells(self.link(other), self.cells, 0, len(numbers), self.network.now)
        self.network.poke(self.address)

    def tell(self, other: Node, kind: int, payload: bytes) -> None:
        self.links.send_message(self.link(other), kind, payload, self.network.now)
        self.network.poke(self.address)

    def drop(self, which: Drop) -> int:
        return self.links.drops[which]

    def drops(self) -> dict[str, int]:
        """Counters that are not zero."""
        return {which.name: self.links.drops[which] for which in Drop if self.links.drops[which]}

    def ups(self) -> int:
        return sum(isinstance(event, LinkUp) for event in self.events)

    def downs(self) -> list[Reason]:
        return [event.reason for event in self.events if isinstance(event, LinkDown)]

    def heard(self) -> list[tuple[int, bytes]]:
        return [(e.kind, e.payload) for e in self.events if isinstance(e, LinkMessage)]

    def failed(self) -> list[tuple[int, bytes]]:
        return [(e.kind, e.payload) for e in self.events if isinstance(e, MessageFailed)]

    def numbers(self) -> list[int]:
        return [counter for _, counter, _ in self.got]


class Tap:
    """Everything that is sent, datagram by datagram."""

    def __init__(self, network: FakeNetwork) -> None:
        self.seen: list[tuple[Address, Address, bytes]] = []
        network.on_datagrams = self._see

    def _see(self, source: Address, target: Address, data: bytes) -> None:
        assert len(data) % DATAGRAM == 0
        for start in range(0, len(data), DATAGRAM):
            self.seen.append((source, target, data[start : start + DATAGRAM]))

    def of(self, source: Node, kind: int) -> list[bytes]:
        """Datagrams of one type from one node."""
        return [
            data for sender, _, data in self.seen if sender == source.address and data[0] == kind
        ]

    def clear(self) -> None:
        self.seen.clear()


def captured(
    network: FakeNetwork, source: Node, target: Node, numbers: Sequence[int]
) -> list[bytes]:
    """Datagrams of these cells, sealed and sent, that did not arrive."""
    tap = Tap(network)
    network.freeze(target.address)
    for start in range(0, len(numbers), ROWS):
        source.send(target, numbers[start : start + ROWS])
    network.freeze(target.address, frozen=False)
    network.on_datagrams = None
    return [data for _, _, data in tap.seen]


def feed(target: Node, datagrams: Sequence[bytes], address: Address) -> None:
    """One read of these datagrams."""
    burst = Datagrams()
    data = b"".join(datagrams)
    burst.view[: len(data)] = data
    target.from_wire(burst, len(datagrams), address, target.network.now)


def body(number: int) -> bytes:
    return number.to_bytes(8, "big") * 166


def two(
    seed: int = 0, faults: Faults | None = None, timing: Timing | None = None
) -> tuple[FakeNetwork, Node, Node]:
    """Two routers that do not know each other yet; `one` has the lower static key."""
    network = FakeNetwork(seed, faults or Faults())
    one, other = (Node(network, number, seed=seed, timing=timing) for number in (1, 2))
    return (network, one, other) if one.key < other.key else (network, other, one)


def linked(
    seed: int = 0, faults: Faults | None = None, timing: Timing | None = None
) -> tuple[FakeNetwork, Node, Node]:
    """Two routers with a link that is up, started by the first."""
    network, one, other = two(seed, faults, timing)
    one.connect(other)
    network.run_until(lambda: one.is_up(other) and other.is_up(one), 5 * SECOND)
    return network, one, other


def mac(key: bytes, data: bytes) -> bytes:
    """BLAKE2s-128 as the page names it."""
    return blake2s(data, key=key, digest_size=16).digest()
