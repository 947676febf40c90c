"""A network without links or onions: pivots that know handles, clients with ready-made paths.

Cells travel own path → pivot → the path that registered the handle, in virtual time, with seeded
loss, duplication and jitter. A client does what the node does with the room: it carries out
effects, looks indices up, opens records, hands session messages back.
"""

from __future__ import annotations

import heapq
import random
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import partial

from lokinet_node.base.ids import Handle, LokiAddress, RouterID
from lokinet_node.base.timing import Timing
from lokinet_node.base.units import MILLISECOND, SECOND, Micros
from lokinet_node.burst import Cells
from lokinet_node.crypto.keys import ed25519_keypair
from lokinet_node.session.effects import (
    Drop,
    Effect,
    NeedIntroset,
    NeedPaths,
    RouteSuspect,
    SendCell,
    SessionEnded,
    SessionFailed,
    SessionReady,
)
from lokinet_node.session.plaintexts import TYPE_MESSAGE, TYPE_PACKET, Plaintexts
from lokinet_node.session.session import Session
from lokinet_node.session.sessions import Sessions
from lokinet_node.session.streams import DATA_HEADS, ReceiveStream
from lokinet_node.wire.introset import Introduction, Introset

START: Micros = 1_700_000_000 * SECOND
NETID = b"testing"


def pivot(number: int) -> RouterID:
    return RouterID(bytes((number,)) * 32)


@dataclass(eq=False)
class FakePath:
    owner: Client
    pivot: RouterID
    handle: Handle
    expires_s: int
    rtt: Micros | None
    is_ready: bool = True
    is_doubtful: bool = False
    is_frozen: bool = False
    """Cells vanish in both directions and nobody is told."""
    is_mute: bool = False
    """Cells of the owner vanish, those for it arrive."""


@dataclass
class World:
    seed: int = 1
    loss: float = 0.0
    duplication: float = 0.0
    jitter: Micros = 0
    now: Micros = START
    timing: Timing = field(default_factory=Timing)
    handles: dict[tuple[RouterID, Handle], FakePath] = field(default_factory=dict)
    introsets: dict[LokiAddress, tuple[Introset, Micros]] = field(default_factory=dict)
    clients: list[Client] = field(default_factory=list)
    observed: list[tuple[RouterID, bytes]] = field(default_factory=list)
    """(pivot, body) of every cell that reached a pivot: what pivots can compare."""
    births: int = 0
    _queue: list[tuple[Micros, int, Callable[[], None]]] = field(default_factory=list)
    _counter: int = 0

    def __post_init__(self) -> None:
        self.random = random.Random(self.seed)

    def at(self, when: Micros, action: Callable[[], None]) -> None:
        self._counter += 1
        heapq.heappush(self._queue, (when, self._counter, action))

    def after(self, pause: Micros, action: Callable[[], None]) -> None:
        self.at(self.now + pause, action)

    def run(self, duration: Micros) -> None:
        self.run_until(lambda: False, duration, must=False)

    def run_until(self, done: Callable[[], bool], within: Micros, *, must: bool = True) -> None:
        end = self.now + within
        while not done():
            times = [when for client in self.clients if (when := client.deadline()) is not None]
            if self._queue:
                times.append(self._queue[0][0])
            if not times or min(times) > end:
                self.now = end
                assert not must, (
                    f"nothing of the kind within {within / SECOND} s (seed {self.seed})"
                )
                return
            self.now = max(self.now, min(times))
            while self._queue and self._queue[0][0] <= self.now:
                heapq.heappop(self._queue)[2]()
            for client in list(self.clients):
                client.tick()

    # --- cells

    def transfer(self, path: FakePath, body: bytes) -> None:
        """A cell leaves the owner of a path."""
        if self.random.random() < self.loss:
            return
        if path.is_frozen or path.is_mute or not path.is_ready:
            return
        copies = 2 if self.random.random() < self.duplication else 1
        for _ in range(copies):
            self.after(self._delay(path), lambda: self._at_pivot(path, body))

    def _at_pivot(self, path: FakePath, body: bytes) -> None:
        if path.is_frozen or not path.is_ready:
            return
        self.observed.append((path.pivot, body))
        handle = Handle(int.from_bytes(body[:8], "big"))
        target = self.handles.get((path.pivot, handle))
        if target is None:
            self.after(self._delay(path), lambda: path.owner.told_gone(path, handle))
        elif not target.is_frozen and self.random.random() >= self.loss:
            self.after(self._delay(target), lambda: target.owner.deliver(target, body))

    def _delay(self, path: FakePath) -> Micros:
        return (path.rtt or 0) // 2 + (self.random.randrange(self.jitter) if self.jitter else 0)


class Client:
    """One node's session room and the least of a node around it."""

    def __init__(
        self, world: World, seed: int, pivots: Iterable[int], *, builds: bool = True
    ) -> None:
        self.world = world
        self.seed = seed
        world.births += 1
        self.random = random.Random(f"{world.seed}/{world.births}")
        keys = ed25519_keypair(seed.to_bytes(32, "big"))
        self.sessions = Sessions(
            identity_secret=keys.secret,
            netid=NETID,
            timing=world.timing,
            entropy=self.random.randbytes,
        )
        self.address = LokiAddress(keys.public)
        self.paths: list[FakePath] = []
        self.builds = builds
        """Whether wishes for paths come true."""
        self.build_time: Micros = 100 * MILLISECOND
        self.wishes: dict[LokiAddress, NeedPaths] = {}
        self.effects: list[Effect] = []
        self.inbox: list[tuple[LokiAddress, bytes]] = []
        self.arrivals: list[Micros] = []
        self.is_alive = True
        self._plain = Plaintexts()
        self._cells = Cells()
        self._opened = Plaintexts()
        self._arrived = Cells()
        world.clients.append(self)
        for number in pivots:
            self.open_path(number)

    # --- paths

    def open_path(
        self, number: int, rtt: Micros = 40 * MILLISECOND, life: Micros | None = None
    ) -> FakePath:
        lifetime = self.world.timing.path_lifetime if life is None else life
        handle = Handle(self.random.getrandbits(63) + 2)
        expires_s = (self.world.now + lifetime) // SECOND
        path = FakePath(self, pivot(number), handle, expires_s, rtt)
        self.paths.append(path)
        self.world.handles[path.pivot, handle] = path
        self.world.at(expires_s * SECOND, lambda: self.lose(path))
        self.sessions.paths_changed(self.paths, self.world.now)
        self.settle()
        return path

    def lose(self, path: FakePath) -> None:
        """The path breaks and both its ends know."""
        if path in self.paths:
            self.paths.remove(path)
            path.is_ready = False
            del self.world.handles[path.pivot, path.handle]
            self.sessions.paths_changed(self.paths, self.world.now)
            self.settle()

    def path_to(self, number: int) -> FakePath:
        return next(path for path in self.paths if path.pivot == pivot(number))

    def publish(self) -> Introset:
        own = [Introduction(path.pivot, path.handle, path.expires_s) for path in self.paths]
        introset = self.sessions.new_introset(own, self.world.now)
        expires = self.world.now + self.world.timing.introset_lifetime
        self.world.introsets[self.address] = (introset, expires)
        return introset

    def restart(self) -> Client:
        """The same identity in a new process that remembers nothing; the old one is gone."""
        self.stop()
        return Client(self.world, self.seed, (), builds=self.builds)

    def stop(self) -> None:
        """The process is killed: paths vanish, nothing is said."""
        self.is_alive = False
        self.world.clients.remove(self)
        for path in self.paths:
            path.is_ready = False
            del self.world.handles[path.pivot, path.handle]
        self.paths.clear()

    # --- what the node does

    def connect(self, other: Client) -> None:
        self.sessions.connect(other.address, self.world.now)
        self.settle()

    def send(self, other: Client, *contents: bytes) -> bool:
        """A burst of packets; False when there is no way at the moment."""
        session = self.sessions.by_remote.get(other.address)
        sending = session.sending() if session is not None else None
        if sending is None:
            self.connect(other)
            return False
        stream, path, handle = sending
        for row, content in enumerate(contents):
            self._plain.put(row, TYPE_PACKET, content)
        count = stream.seal(self._plain, 0, len(contents), self._cells, 0, handle)
        assert isinstance(path, FakePath)
        for row in range(count):
            self.world.transfer(path, bytes(self._cells.bodies[row]))
        return True

    def deliver(self, path: FakePath, body: bytes) -> None:
        if not self.is_alive or not path.is_ready:
            return
        now = self.world.now
        cells = self._arrived
        cells.bodies[0][:] = body
        _, index, counter = DATA_HEADS[1].unpack_from(cells.buffer)
        stream = self.sessions.streams.get(index)
        if stream is None:
            self.sessions.handle_cell(path, body, now)
        else:
            plain = self._opened
            opened = stream.open(cells, 0, 1, (counter,), plain, 0)
            owner = stream.owner
            assert owner is not None
            remote = owner.session.remote
            has_data = bool(opened) and plain.buffer[0] == TYPE_PACKET
            self.sessions.received(stream, path, now, has_data=has_data)
            if opened:
                self._record(remote, stream, plain)
        self.settle()

    def _record(self, remote: LokiAddress, stream: ReceiveStream, plain: Plaintexts) -> None:
        content = plain.content(0)
        assert content is not None
        kind = plain.buffer[0]
        if kind == TYPE_MESSAGE:
            self.sessions.session_message(stream, content, self.world.now)
        elif kind == TYPE_PACKET:
            self.inbox.append((remote, bytes(content)))
            self.arrivals.append(self.world.now)

    def told_gone(self, path: FakePath, handle: Handle) -> None:
        if self.is_alive:
            self.sessions.handle_gone(path, handle, self.world.now)
            self.settle()

    def tick(self) -> None:
        deadline = self.sessions.deadline()
        if deadline is not None and deadline <= self.world.now:
            self.sessions.tick(self.world.now)
            after = self.sessions.deadline()
            assert after is None or after > self.world.now, "a tick must move its deadline on"
        self.settle()

    def deadline(self) -> Micros | None:
        return self.sessions.deadline()

    def settle(self) -> None:
        for effect in self.sessions.take_effects():
            self.effects.append(effect)
            match effect:
                case SendCell(path, body):
                    assert isinstance(path, FakePath)
                    assert len(body) == 1328
                    self.world.transfer(path, body)
                case NeedIntroset(remote):
                    self.world.after(50 * MILLISECOND, partial(self._answer, remote))
                case NeedPaths(remote, _, count):
                    self.wishes[remote] = effect
                    if count and self.builds:
                        self.world.after(self.build_time, partial(self._build, effect))
                case _:
                    pass

    def _answer(self, remote: LokiAddress) -> None:
        if not self.is_alive:
            return
        introset, expires = self.world.introsets.get(remote, (None, 0))
        if expires <= self.world.now:
            introset = None
        self.sessions.introset_found(remote, introset, expires, self.world.now)
        self.settle()

    def _build(self, wish: NeedPaths) -> None:
        if not self.is_alive or self.wishes.get(wish.remote) is not wish:
            return
        own = {path.pivot for path in self.paths}
        missing = [router for router in wish.pivots if router not in own]
        for router in missing[: wish.count]:
            self.open_path(router[0])

    # --- what tests ask

    def ready(self) -> list[LokiAddress]:
        return [one.remote for one in self.effects if isinstance(one, SessionReady)]

    def failures(self) -> list[tuple[LokiAddress, str]]:
        return [(e.remote, e.reason) for e in self.effects if isinstance(e, SessionFailed)]

    def ends(self) -> list[tuple[LokiAddress, str]]:
        return [(e.remote, e.reason) for e in self.effects if isinstance(e, SessionEnded)]

    def suspects(self) -> list[object]:
        return [one.path for one in self.effects if isinstance(one, RouteSuspect)]

    def dropped(self) -> Counter[Drop]:
        return Counter(
            {drop: self.sessions.drops[drop] for drop in Drop if self.sessions.drops[drop]}
        )

    def got(self, other: Client) -> list[bytes]:
        return [content for remote, content in self.inbox if remote == other.address]

    def route_to(self, other: Client) -> FakePath | None:
        session = self.sessions.by_remote.get(other.address)
        sending = session.sending() if session is not None else None
        if sending is None:
            return None
        assert isinstance(sending.path, FakePath)
        return sending.path


def join(world: World, caller: Client, service: Client) -> None:
    """Publish, dial, and wait until both can send."""
    service.publish()
    caller.connect(service)
    world.run_until(
        lambda: caller.route_to(service) is not None and service.route_to(caller) is not None,
        30 * SECOND,
    )


def pair(world: World | None = None) -> tuple[World, Client, Client]:
    """A caller and a service with paths to three pivots each, none in common yet."""
    world = world or World()
    service = Client(world, 1, (1, 2, 3))
    caller = Client(world, 2, (7, 8, 9))
    return world, caller, service


def joined(world: World | None = None) -> tuple[World, Client, Client]:
    world, caller, service = pair(world)
    join(world, caller, service)
    world.run(2 * SECOND)
    return world, caller, service


def session_of(client: Client, other: Client) -> Session:
    return client.sessions.by_remote[other.address]


def talk(world: World, one: Client, other: Client, text: bytes) -> None:
    """Both say something until they hear it, as a transport protocol would."""
    for _ in range(15):
        one.send(other, text), other.send(one, text)
        world.run(100 * MILLISECOND)
        if text in one.got(other) and text in other.got(one):
            return
    raise AssertionError(f"{text!r} did not get through within 1.5 s")
