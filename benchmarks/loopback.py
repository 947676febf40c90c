"""A client, a relay and a last hop in one process, on real sockets of 127.0.0.1.

They are put together as every node is, link up by themselves, and the client builds a real path of
two hops through the relay. Nobody has a tun: what arrives at the last hop for the router itself is
counted there and goes no further, so nothing comes back. Whoever measures gives each node its turns
by hand, one after the other, as the event loop of three processes would.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

from benchmarks.figures import BenchmarkFailed
from lokinet_node.base.ground import Ground
from lokinet_node.base.ids import RouterID
from lokinet_node.base.timing import Timing
from lokinet_node.burst import BODY, Cells, Datagrams
from lokinet_node.crypto.keys import ed25519_keypair, x25519_keypair
from lokinet_node.drivers.clock import start_clock
from lokinet_node.drivers.udp import UdpSocket
from lokinet_node.netdb.choose import Rules
from lokinet_node.node.client import ClientRole
from lokinet_node.node.make import ClientSettings, RouterSettings, make_client, make_router
from lokinet_node.node.node import Node
from lokinet_node.node.router import RouterKeys, RouterRole
from lokinet_node.path.owned import Path
from lokinet_node.path.pump import ROUTER_HANDLE, Drop
from lokinet_node.wire.contact import Contact, pad_netid

LOOPBACK = "127.0.0.1"
TURNS = 16
"""Bursts a node takes in one turn, as `lokinet_node.run` does."""
SETUP_S = 20.0
CARGO = ROUTER_HANDLE.to_bytes(8, "big").ljust(BODY, b"\0")

now = start_clock()


@dataclass(slots=True)
class Station:
    """A node and its socket."""

    node: Node
    socket: UdpSocket
    arena: Datagrams

    def turn(self) -> None:
        """Take what came, as much as one turn of the event loop does."""
        receive, arena, from_wire = self.socket.receive, self.arena, self.node.from_wire
        instant = now()
        for _ in range(TURNS):
            read = receive(arena)
            if read is None:
                break
            count, address = read
            if count:
                from_wire(arena, count, address, instant)
        self.socket.take_hints()

    def tick(self) -> None:
        """Do what is due."""
        instant = now()
        if self.node.deadline() <= instant:
            self.node.tick(instant)


@dataclass(slots=True)
class Chain:
    """Client → relay → last hop, with one path through them."""

    client: Station
    relay: Station
    last: Station
    path: Path
    cells: Cells

    @property
    def delivered(self) -> int:
        """Cells that reached the end of the path."""
        return self.last.node.pump.drops[Drop.NO_TUN]

    def send(self, count: int) -> None:
        """A burst of cells from the client towards the relay."""
        for body in self.cells.bodies[:count]:
            body[:] = CARGO  # the layers are written over it
        if not self.path.carry(self.cells, count, now()):
            raise BenchmarkFailed("the path ended")

    def tick(self) -> None:
        """Whatever is due at any of them."""
        for station in (self.client, self.relay, self.last):
            station.tick()


@contextmanager
def chain() -> Iterator[Chain]:
    """A chain whose path is ready; BenchmarkFailed when it does not become so."""
    ground = Ground(pad_netid(b"bench"), Timing(), os.urandom)
    with ExitStack() as stack:
        last, _ = _router(stack, ground, ())
        relay, role = _router(stack, ground, last.node.network.book.fresh(now()))
        contacts = relay.node.network.book.fresh(now())
        client, owner = _client(stack, ground, contacts, role.router)
        stations = (client, relay, last)

        def is_ready() -> bool:
            return any(path.routers[0] == role.router for path in owner.keeper.ready())

        end = time.monotonic() + SETUP_S
        while not is_ready():
            if time.monotonic() > end:
                raise BenchmarkFailed(f"no path on loopback: {owner.keeper.problem}")
            for station in stations:
                station.turn()
                station.tick()
        path = next(path for path in owner.keeper.ready() if path.routers[0] == role.router)
        yield Chain(client, relay, last, path, Cells())


def _socket(stack: ExitStack) -> UdpSocket:
    socket = UdpSocket((LOOPBACK, 0))
    stack.callback(socket.close)
    return socket


def _router(
    stack: ExitStack, ground: Ground, bootstrap: list[Contact] | tuple[Contact, ...]
) -> tuple[Station, RouterRole]:
    socket = _socket(stack)
    settings = RouterSettings(
        keys=RouterKeys(ed25519_keypair(os.urandom(32)), 1, x25519_keypair(os.urandom)),
        link=x25519_keypair(os.urandom),
        public=socket.address,
        min_links=1,
        bootstrap=bootstrap,
    )
    node, role = make_router(settings, ground, socket.send, now())
    return Station(node, socket, Datagrams()), role


def _client(
    stack: ExitStack, ground: Ground, bootstrap: list[Contact], first: RouterID
) -> tuple[Station, ClientRole]:
    socket = _socket(stack)
    settings = ClientSettings(
        identity=ed25519_keypair(os.urandom(32)),
        rules=Rules(hops=2, unique_range=0),
        paths=1,
        reachable=False,
        bootstrap=bootstrap,
        strict=frozenset({first}),
    )
    node, role = make_client(settings, ground, socket.send, now())
    return Station(node, socket, Datagrams()), role
