"""Whole networks in memory: virtual time, seeded faults, real nodes."""

from __future__ import annotations

from random import Random

import pytest

from lokinet_node.base.timing import Timing
from lokinet_node.base.units import MILLISECOND, SECOND
from lokinet_node.burst import DATAGRAM
from lokinet_node.path.lanes import EndLane
from lokinet_node.testing.builders import ClientMachine, World
from lokinet_node.testing.fakenet import Faults
from lokinet_node.testing.packets import echo, udp
from lokinet_node.testing.recorder import Recorder
from lokinet_node.testing.streams import Stream
from lokinet_node.wire.ip import ICMP

SHORT = Timing(
    path_lifetime=20 * SECOND,
    path_rotate_before=8 * SECOND,
    path_probe=3 * SECOND,
    introset_lifetime=20 * SECOND,
    introset_refresh=4 * SECOND,
    link_rekey=5 * SECOND,
    link_reject=9 * SECOND,
    session_rekey=6 * SECOND,
)
ROUGH = Faults(loss=0.02, duplicate=0.01, delay=MILLISECOND, jitter=3 * MILLISECOND)
MARK = b"a page that only its reader sees"


def pair(world: World) -> tuple[ClientMachine, ClientMachine]:
    """A service and a client that has resolved it."""
    web, alice = world.client("web"), world.client("alice", reachable=False)
    world.settle()
    world.connect(alice, web)
    return web, alice


def test_packets_go_both_ways_and_show_the_mapped_address_whatever_they_claim() -> None:
    world = World()
    web, alice = pair(world)
    forged = bytes([10, 66, 66, 66])
    alice.send(udp(forged, alice.map(web.remote), b"hello"))
    world.wait(lambda: bool(web.inbox), 2, "the packet arrives")
    got = web.inbox[0]
    assert got.payload == b"hello"
    assert (got.source, got.target) == (web.map(alice.remote), web.own)
    web.send(udp(web.own, got.source, b"welcome"))
    world.wait(lambda: bool(alice.inbox), 2, "the answer arrives")
    assert alice.inbox[0].payload == b"welcome"
    assert alice.inbox[0].source == alice.map(web.remote)


def test_an_address_that_maps_to_nobody_is_answered_by_icmp() -> None:
    world = World()
    alice = world.client("alice")
    world.settle()
    alice.send(udp(alice.own, bytes([172, 16, 9, 9]), b"anybody?"))
    (answer,) = alice.inbox
    assert (answer.protocol, answer.content[:2]) == (ICMP, bytes([3, 7]))


def test_a_router_answers_echo_at_its_snode_address() -> None:
    world = World()
    alice = world.client("alice")
    world.settle()
    address = world.connect_router(alice, world.routers[3])
    alice.send(echo(alice.own, address, b"are you there"))
    world.wait(lambda: bool(alice.inbox), 2, "the router answers")
    assert alice.inbox[0].source == address
    assert alice.inbox[0].payload == b"are you there"


def test_an_address_nobody_published_is_not_found() -> None:
    world = World()
    alice = world.client("alice")
    hermit = world.client("hermit", reachable=False)
    world.settle()
    resolved = world.resolve(alice, hermit.remote, 40)
    assert resolved.ip4 is None
    assert resolved.reason


def test_nothing_of_a_packet_is_seen_on_the_wire_and_all_datagrams_have_one_length() -> None:
    world = World()
    seen: list[bytes] = []
    world.network.on_datagrams = lambda source, target, data: seen.append(data)
    web, alice = pair(world)
    for _ in range(20):
        alice.send(udp(alice.own, alice.map(web.remote), MARK * 30))
    world.wait(lambda: len(web.inbox) == 20, 2, "all packets arrive")
    assert len(seen) > 200
    assert all(len(data) % DATAGRAM == 0 for data in seen)
    assert not any(MARK in data for data in seen)
    identities = [bytes(client.role.address) for client in (alice, web)]
    assert not any(identity in data for data in seen for identity in identities)


def storm(world: World) -> list[Stream]:
    """Three clients on one service, both ways, while a relay dies and everything is renewed."""
    web = world.client("web")
    clients = [world.client(name, reachable=False) for name in ("alice", "bob", "carol")]
    world.settle()
    streams = []
    for number, client in enumerate(clients):
        world.connect(client, web)
        interval = 60 * MILLISECOND
        streams.append(Stream(client, web, 2 * number, interval=interval))
        streams.append(Stream(web, client, 2 * number + 1, interval=interval))
    world.run(4)
    route = clients[0].role.sessions.by_remote[web.role.address].sending()
    assert route is not None
    world.by_router(route.path.pivot).kill()
    world.run(9)
    return streams


def test_no_key_and_counter_meet_twice_whatever_happens(monkeypatch: pytest.MonkeyPatch) -> None:
    recorder = Recorder()
    recorder.install(monkeypatch.setattr)
    world = World(seed=7, timing=SHORT, faults=ROUGH)
    streams = storm(world)
    assert len(recorder.sealed) > 20_000
    assert len(recorder.layered) > 5_000
    now = world.network.now
    for stream in streams:
        came = [number for _, number, _ in stream.arrivals()]
        assert len(set(came)) == len(came), f"{stream.name}: a packet came twice"
        assert stream.gap(now - 3 * SECOND, now) < SECOND, f"{stream.name} has come back"


def test_the_recorder_sees_a_counter_that_was_given_back(monkeypatch: pytest.MonkeyPatch) -> None:
    recorder = Recorder()
    recorder.install(monkeypatch.setattr)
    wrap = EndLane.wrap

    def gives_back(self: EndLane, cells, first: int, count: int) -> int | None:  # type: ignore[no-untyped-def]
        counter = wrap(self, cells, first, count)
        self.next_counter -= 1
        return counter

    monkeypatch.setattr(EndLane, "wrap", gives_back)
    world = World()
    world.client("web")
    with pytest.raises(AssertionError) as caught:
        world.settle()
    assert "met twice" in str(caught.value.__cause__)


@pytest.mark.parametrize("position", range(7))
def test_streams_go_on_when_any_relay_of_the_way_dies(position: int) -> None:
    world = World(seed=position)
    web, alice = pair(world)
    streams = [Stream(alice, web, 1), Stream(web, alice, 2)]
    world.run(2)
    ways = [
        client.role.sessions.by_remote[other.role.address].sending()
        for client, other in ((alice, web), (web, alice))
    ]
    there = ways[0].path.routers  # type: ignore[union-attr]
    back = ways[1].path.routers  # type: ignore[union-attr]
    victim = (*there, *back[2::-1])[position]
    start = world.network.now
    world.by_router(victim).kill()
    world.run(5)
    gaps = {stream.name: stream.gap(start, world.network.now) / SECOND for stream in streams}
    assert all(gap < 3 for gap in gaps.values()), f"hop {position + 1} killed: {gaps}"


def test_hostile_datagrams_neither_raise_nor_stop_anything() -> None:
    world = World()
    web, alice = pair(world)
    seen: list[tuple[tuple[str, int], bytes]] = []
    world.network.on_datagrams = lambda source, target, data: seen.append((target, data))
    stream = Stream(alice, web, 1)
    world.run(1)
    random = Random(5)
    send = world.network.transmit(("10.9.9.9", 7))
    for number in range(400):
        target, data = random.choice(seen)
        mutated = bytearray(data[:DATAGRAM])
        for _ in range(random.randrange(4)):
            mutated[random.randrange(DATAGRAM)] = random.randrange(256)
        if number % 5 == 0:
            mutated[:] = random.randbytes(DATAGRAM)
            mutated[0] = random.randrange(6)
        send(target, memoryview(mutated))
    start = world.network.now
    world.run(1)
    assert stream.gap(start, world.network.now) < SECOND // 2
