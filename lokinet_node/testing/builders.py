"""Whole Lokinets for tests: seeded routers and clients with a tun each, on the in-memory network.

    world = World(seed=1, routers=8)
    web, alice = world.client("web"), world.client("alice")
    world.settle()                       everybody knows everybody, paths are up, web is published
    world.connect(alice, web)            alice has a session; returns web's address in her tun
    alice.send(udp(...))                 a packet enters at alice's tun
    web.inbox                            what came out of web's

Node k of a world has the address 10.0.0.k; a restarted one has its keys, and new randomness.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from random import Random
from typing import TYPE_CHECKING

from lokinet_node.base.addresses import Range, parse_range
from lokinet_node.base.ground import Ground
from lokinet_node.base.timing import Timing
from lokinet_node.base.units import SECOND, Micros
from lokinet_node.crypto.keys import ed25519_keypair, x25519_keypair
from lokinet_node.netdb.choose import Rules
from lokinet_node.node.client import ClientRole
from lokinet_node.node.make import (
    ClientSettings,
    RouterSettings,
    attach_tun,
    make_client,
    make_router,
)
from lokinet_node.node.names import NameResolved
from lokinet_node.node.questions import Resolved
from lokinet_node.node.router import RouterKeys, RouterRole
from lokinet_node.path.owned import Path
from lokinet_node.session.addresses import Remote, remote_loki, remote_router
from lokinet_node.testing.chain import FakeChain
from lokinet_node.testing.fakenet import Address, FakeNetwork, Faults
from lokinet_node.testing.packets import (
    Delivered,
    delivered,
    echo_reply,
    is_echo_request,
    read_of,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from lokinet_node.base.ids import RouterID
    from lokinet_node.node.node import Node
    from lokinet_node.node.traffic import Traffic
    from lokinet_node.ons.verdict import NameAnswer
    from lokinet_node.wire.contact import Contact

NETID = b"testnet\0"
TUN: Range = parse_range("172.16.0.1/16")
PORT = 1090
ROUTERS = 8
NO_FAULTS = Faults()
LOKINETS = Timing()
"""The lifetimes a network has unless it says otherwise."""
FOUR_HOPS = Rules()


@dataclass(eq=False)
class Machine:
    """What routers and clients share: an address, a tun, and a node that may be renewed."""

    world: World
    number: int
    name: str
    node: Node = field(init=False)
    traffic: Traffic = field(init=False)
    inbox: list[Delivered] = field(default_factory=list)
    """What came out of the tun."""
    answers_echo: bool = True
    """Whether it has a kernel that answers echo requests."""
    starts: int = 0
    host: str = ""
    """Its IPv4 address on the underlay; empty: 10.0.0.NUMBER."""

    @property
    def address(self) -> Address:
        """Where it is on the underlay; machines on one host differ in the port."""
        return (self.host, PORT + self.number) if self.host else (f"10.0.0.{self.number}", PORT)

    @property
    def own(self) -> bytes:
        """The address of its tun."""
        return self.traffic.addresses.own

    def send(self, packet: bytes) -> None:
        """An IPv4 packet enters at the tun, in a wake-up of its own; nobody reads a dead node's."""
        if not self.world.network.is_running(self.address):
            return
        now = self.world.network.now
        read = read_of(packet)
        self.node.from_tun(read, len(read), now)
        self.node.flush_tun(now)
        self.world.network.poke(self.address)

    def map(self, remote: Remote) -> bytes:
        """The address this node's tun gives a remote."""
        ip4 = self.traffic.addresses.assign(remote)
        assert ip4 is not None, "the range of a test is large enough"
        return ip4

    def kill(self) -> None:
        """As kill -9: it says nothing any more, to nobody."""
        self.world.network.leave(self.address)

    def _written(self, packet: bytes | bytearray) -> None:
        got = delivered(packet, self.world.network.now)
        self.inbox.append(got)
        if self.answers_echo and is_echo_request(got):
            # A kernel answers a moment later, never from within the write.
            reply = echo_reply(got)
            self.world.network.at(got.when, lambda: self.send(reply))

    def _ground(self) -> Ground:
        self.starts += 1
        world = self.world
        random = Random(f"{world.seed}/{self.number}/{self.starts}")
        return Ground(NETID, world.timing, random.randbytes)


@dataclass(eq=False)
class RouterMachine(Machine):
    """A router with a tun."""

    role: RouterRole = field(init=False)
    bootstrap: Sequence[Contact] = ()
    is_listed: bool = True
    """Whether the chain, if there is one, lists it as soon as it starts."""

    @property
    def router(self) -> RouterID:
        """Its id."""
        return self.role.router

    @property
    def contact(self) -> Contact:
        """What it says about itself at the moment."""
        found = self.node.network.book.get(self.router)
        assert found is not None, "a router knows itself"
        return found

    def start(self) -> None:
        """Start it, or start it anew with the same keys and nothing else."""
        world, network = self.world, self.world.network
        keys = Random(f"{world.seed}/{self.number}/keys")
        settings = RouterSettings(
            keys=RouterKeys(ed25519_keypair(keys.randbytes(32)), 1, x25519_keypair(keys.randbytes)),
            link=x25519_keypair(keys.randbytes),
            public=self.address,
            name=self.name,
            bootstrap=self.bootstrap,
        )
        ground = self._ground()
        transmit = network.transmit(self.address)
        self.node, self.role = make_router(settings, ground, transmit, network.now)
        self.traffic = attach_tun(self.node, self.role, TUN, self._written, join_udp=False)
        if world.chain is not None:
            world.chain.attach(self, is_listed=self.is_listed)
        network.join(self.address, self.node)


@dataclass(eq=False)
class ClientMachine(Machine):
    """A client or service with a tun."""

    role: ClientRole = field(init=False)
    bootstrap: Sequence[Contact] = ()
    rules: Rules = field(default_factory=Rules)
    paths: int = 6
    reachable: bool = True
    strict: frozenset[RouterID] = frozenset()
    guards: bytes | None = None

    @property
    def remote(self) -> Remote:
        """What others resolve to reach it."""
        return remote_loki(self.role.address)

    def start(self) -> None:
        """Start it, or start it anew: the identity and the stored guards are the same."""
        world, network = self.world, self.world.network
        if self.starts:
            self.guards = self.role.guards.dump()
        identity = ed25519_keypair(Random(f"{world.seed}/{self.number}/keys").randbytes(32))
        settings = ClientSettings(
            identity=identity,
            rules=self.rules,
            paths=self.paths,
            reachable=self.reachable,
            bootstrap=self.bootstrap,
            strict=self.strict,
            guards=self.guards,
        )
        ground = self._ground()
        transmit = network.transmit(self.address)
        self.node, self.role = make_client(settings, ground, transmit, network.now)
        self.traffic = attach_tun(self.node, self.role, TUN, self._written, join_udp=False)
        network.join(self.address, self.node)

    @property
    def is_published(self) -> bool:
        """Whether two holders have its introset."""
        publisher = self.role.directory.publisher
        return publisher is not None and publisher.published_at(self.world.network.now) is not None

    @property
    def is_settled(self) -> bool:
        """All paths wanted are ready, and the introset is out if there is to be one."""
        pool = [path for path in self.role.keeper.ready() if not path.purpose]
        return len(pool) >= self.paths and (self.is_published or not self.reachable)


class World:
    """A network, its routers and its clients; numbers 1-99 are routers, 101-199 clients."""

    def __init__(
        self,
        *,
        seed: int = 0,
        routers: int = ROUTERS,
        timing: Timing = LOKINETS,
        faults: Faults = NO_FAULTS,
        chain: bool = False,
    ) -> None:
        """Routers start at once; all but the first know only the first."""
        self.seed = seed
        self.timing = timing
        self.network = FakeNetwork(seed, faults)
        self.names = FakeChain(self.network)
        """The chain, which nobody asks unless there is to be one."""
        self.chain = self.names if chain else None
        self.routers: list[RouterMachine] = []
        self.clients: dict[str, ClientMachine] = {}
        for _ in range(routers):
            self.router()

    def router(self, host: str = "", *, is_listed: bool = True) -> RouterMachine:
        """One more router."""
        number = len(self.routers) + 1
        boot = [self.routers[0].contact] if self.routers else []
        machine = RouterMachine(self, number, f"r{number}", bootstrap=boot, host=host)
        machine.is_listed = is_listed
        machine.start()
        self.routers.append(machine)
        return machine

    def client(
        self,
        name: str,
        *,
        rules: Rules = FOUR_HOPS,
        paths: int = 6,
        reachable: bool = True,
        strict: frozenset[RouterID] = frozenset(),
    ) -> ClientMachine:
        """One more client, which knows the first router."""
        machine = ClientMachine(
            self,
            101 + len(self.clients),
            name,
            bootstrap=[self.routers[0].contact],
            rules=rules,
            paths=paths,
            reachable=reachable,
            strict=strict,
        )
        machine.start()
        self.clients[name] = machine
        return machine

    def by_router(self, router: RouterID) -> RouterMachine:
        """The machine of a router id."""
        return next(machine for machine in self.routers if machine.router == router)

    # --- what tests wait for

    def wait(self, seen: Callable[[], bool], within_s: float, what: str = "it") -> Micros:
        """Let time pass until something is the case; how long it took."""
        start = self.network.now
        try:
            return self.network.run_until(seen, int(within_s * SECOND))
        except AssertionError as error:
            took = (self.network.now - start) / SECOND
            raise AssertionError(f"{what}: not within {took} s") from error

    def path(self, client: ClientMachine, other: ClientMachine) -> Path:
        """The path of its own over which a client sends to another one now."""
        session = client.role.sessions.by_remote.get(other.role.address)
        sending = session.sending() if session is not None else None
        assert sending is not None, f"{client.name} has no way to {other.name}"
        assert isinstance(sending.path, Path)
        return sending.path

    def run(self, seconds: float) -> None:
        """Let time pass."""
        self.network.run(int(seconds * SECOND))

    def settle(self, within_s: float = 20) -> Micros:
        """Until every router knows all and every client has its paths and is published."""
        known = len(self.routers)
        return self.wait(
            lambda: (
                all(len(machine.node.network.book) == known for machine in self.routers)
                and all(client.is_settled for client in self.clients.values())
            ),
            within_s,
            "the network settles",
        )

    def resolve(self, client: ClientMachine, remote: Remote, within_s: float = 15) -> Resolved:
        """Ask for a name as the resolver does; the answer, with an address or a reason."""
        ip4 = client.role.resolve(remote, self.network.now)
        if ip4 is not None:
            return Resolved(remote, ip4)
        self.network.poke(client.address)
        answers: list[Resolved] = []

        def is_answered() -> bool:
            effects = client.node.take_effects()
            answers.extend(
                effect
                for effect in effects
                if isinstance(effect, Resolved) and effect.remote == remote
            )
            return bool(answers)

        self.wait(is_answered, within_s, f"{client.name} resolves {remote}")
        return answers[0]

    def resolve_name(self, client: ClientMachine, name: str, within_s: float = 35) -> NameAnswer:
        """Ask for a name of the chain as the resolver does; the answer."""
        known = client.role.resolve_name(name, self.network.now)
        if known is not None:
            return known
        self.network.poke(client.address)
        answers: list[NameAnswer] = []

        def is_answered() -> bool:
            effects = client.node.take_effects()
            told = [effect for effect in effects if isinstance(effect, NameResolved)]
            answers.extend(effect.answer for effect in told if effect.name == name)
            return bool(answers)

        self.wait(is_answered, within_s, f"{client.name} resolves {name}")
        return answers[0]

    def connect(self, client: ClientMachine, service: ClientMachine) -> bytes:
        """Resolve a service; its address in the client's tun."""
        resolved = self.resolve(client, service.remote)
        assert resolved.ip4 is not None, resolved.reason
        return resolved.ip4

    def connect_router(self, client: ClientMachine, router: RouterMachine) -> bytes:
        """Resolve a router's `.snode` name; its address in the client's tun."""
        resolved = self.resolve(client, remote_router(router.router))
        assert resolved.ip4 is not None, resolved.reason
        return resolved.ip4
