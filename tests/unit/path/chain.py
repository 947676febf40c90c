"""Relays and an owner joined without links: messages and cells go straight to the neighbour."""

from __future__ import annotations

from collections import deque
from random import Random
from typing import TYPE_CHECKING

from lokinet_node.base.ids import LinkKey, RouterID
from lokinet_node.base.timing import Timing
from lokinet_node.burst import CELL, CELL_HEADS, Cells
from lokinet_node.crypto.keys import ed25519_keypair, x25519_keypair
from lokinet_node.path.owned import OwnPaths
from lokinet_node.path.pump import CellPump
from lokinet_node.path.transit import Hop, Transit
from lokinet_node.testing.fakenet import START
from lokinet_node.wire import control as wire
from lokinet_node.wire.contact import Contact
from lokinet_node.wire.control import LinkKind, PathKind, Status

if TYPE_CHECKING:
    from collections.abc import Callable

    from lokinet_node.path.ports import PathLink

NETID = b"testing\0"


class Side:
    """One end of a link between two machines."""

    def __init__(self, machine: Machine, name: str) -> None:
        self.machine = machine
        self.name = name
        self.paths: dict[int, object] = {}
        self.claims_router = True
        self.is_up = True
        self.peer: Side


class Machine:
    """Owner or relay; everything it sends is queued on the chain."""

    def __init__(self, chain: Chain, name: str, seed: int) -> None:
        self.chain = chain
        self.name = name
        self.random = Random(seed)
        self.sides: dict[str, Side] = {}
        self.identity = ed25519_keypair(self.random.randbytes(32))
        self.onion = x25519_keypair(self.random.randbytes)
        self.router = RouterID(self.identity.public)
        self.pump = CellPump(self, self)
        self.transit = Transit(self.router, NETID, Timing(), self.random.randbytes, self, self.pump)
        self.transit.onion_keys = {1: self.onion}
        self.own = OwnPaths(NETID, Timing(), self.random.randbytes, self)
        self.data: list[tuple[object, bytes]] = []
        self.unknown: list[int] = []
        self.traffic: list[bytes] = []

    @property
    def contact(self) -> Contact:
        return Contact(
            NETID,
            self.router,
            LinkKey(bytes(32)),
            1,
            self.onion.public,
            "10.0.0.1",
            1,
            START,
            7200,
            (0, 1, 0),
            self.name,
        )

    # the port
    def connect(self, router: RouterID, now: int) -> Side | None:
        name = self.chain.names.get(router)
        return None if name is None else self.side(name)

    def side(self, name: str) -> Side:
        if name not in self.sides:
            other = self.chain.machines[name]
            mine, theirs = Side(self, name), Side(other, self.name)
            mine.peer, theirs.peer = theirs, mine
            self.sides[name] = mine
            other.sides[self.name] = theirs
        return self.sides[name]

    def send_message(self, link: PathLink, kind: int, payload: bytes, now: int) -> None:
        assert isinstance(link, Side)
        self.chain.post(lambda: link.peer.machine.message(link.peer, kind, payload))

    def send_cells(self, link: PathLink, cells: Cells, first: int, count: int, now: int) -> None:
        assert isinstance(link, Side)
        data = bytes(cells.span(first, count))
        self.chain.sent.append((self.name, link.name, data))
        self.chain.post(lambda: link.peer.machine.cells(link.peer, data))

    # arrivals
    def message(self, link: Side, kind: int, payload: bytes) -> None:
        now = self.chain.now
        if kind == LinkKind.BUILD:
            self.transit.build(link, wire.decode_build(payload), now)
        elif kind == LinkKind.BUILD_REPLY:
            build = wire.decode_build(payload)
            assert self.own.reply(link, build, now) or self.transit.reply(link, build, now)
        elif kind == LinkKind.CLOSE:
            self.transit.close(link, wire.decode_close(payload), now)
        elif kind == LinkKind.BROKEN:
            broken = wire.decode_broken(payload)
            self.own.broken(link, broken, now) or self.transit.broken(link, broken, now)

    def cells(self, link: Side, data: bytes) -> None:
        arena = Cells()
        count = len(data) // CELL
        arena.view[: len(data)] = data
        heads = CELL_HEADS[count].unpack_from(arena.buffer)
        self.pump.deliver(link, arena, heads, count, self.chain.now)

    # sinks
    def end_control(self, lane, cells, row, counter, now) -> None:  # type: ignore[no-untyped-def]
        hop = lane.hop
        assert isinstance(hop, Hop)
        for kind, payload in self.transit.receive_control(hop, cells, row, counter, now):
            if kind == PathKind.REGISTER:
                handle = wire.decode_handle(payload)
                status = Status.OK if self.transit.register(hop, handle) else Status.REFUSED
                reply = wire.encode_registered(wire.Registered(handle, status))
                self.transit.send(hop, PathKind.REGISTERED, reply, now)
            elif kind == PathKind.PING:
                self.transit.send(hop, PathKind.PONG, payload, now, sequenced=False)
        self.transit.flush(hop, now)

    def unknown_handle(self, lane, handle, now) -> None:  # type: ignore[no-untyped-def]
        self.unknown.append(handle)

    def router_traffic(self, lane, cells, first, count, now) -> bool:  # type: ignore[no-untyped-def]
        self.traffic += [bytes(cells.bodies[row]) for row in range(first, first + count)]
        return True

    def owner_cells(self, lane, cells, first, count, counter, now) -> None:  # type: ignore[no-untyped-def]
        for row in range(first, first + count):
            if not int.from_bytes(cells.bodies[row][:8], "big"):
                self.own.receive_control(lane.path, cells, row, counter + row - first, now)
            else:
                self.data.append((lane.path, bytes(cells.bodies[row])))


class Chain:
    """Machines by name, and what is on its way between them."""

    def __init__(self, *names: str) -> None:
        self.now = START
        self.sent: list[tuple[str, str, bytes]] = []
        self._queue: deque[Callable[[], None]] = deque()
        self.machines = {name: Machine(self, name, seed) for seed, name in enumerate(names, 1)}
        self.names = {machine.router: name for name, machine in self.machines.items()}

    def __getitem__(self, name: str) -> Machine:
        return self.machines[name]

    def post(self, action: Callable[[], None]) -> None:
        self._queue.append(action)

    def settle(self) -> None:
        while self._queue:
            self._queue.popleft()()

    def cut(self, one: str, other: str) -> None:
        """The link between two machines dies; both notice."""
        for name, peer in ((one, other), (other, one)):
            machine = self.machines[name]
            side = machine.sides.pop(peer)
            machine.own.link_down(side, self.now)
            machine.transit.link_down(side, self.machines[peer].router, self.now)
        self.settle()

    def path(self, owner: str, *hops: str):  # type: ignore[no-untyped-def]
        machine = self.machines[owner]
        path = machine.own.build([self.machines[hop].contact for hop in hops], self.now)
        self.settle()
        return path
