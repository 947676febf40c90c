"""Random and mutated datagrams into running nodes: nothing is raised, nothing stops."""

from __future__ import annotations

from random import Random

import pytest

from lokinet_node.base.units import SECOND
from lokinet_node.burst import DATAGRAM, ROWS
from lokinet_node.testing.builders import World
from tests.unit.sim.networks import pair, talk

STRANGER = ("10.9.9.9", 7)


@pytest.mark.parametrize("seed", range(3))
def test_hostile_datagrams_raise_nothing_and_stop_nothing(seed: int) -> None:
    world = World(seed=seed)
    random = Random(seed)
    seen: list[tuple[tuple[str, int], tuple[str, int], bytes]] = []
    world.network.on_datagrams = lambda *sent: seen.append(sent)
    web, alice = pair(world)
    streams = talk(world, alice, web)
    world.network.on_datagrams = None
    start = world.network.now
    for _ in range(40):
        for _ in range(10):
            source, target, data = random.choice(seen)
            forged = mutated(random, data)
            world.network.transmit(random.choice([source, STRANGER]))(target, memoryview(forged))
        world.run(0.02)
    world.run(1)
    gaps = [stream.gap(start, world.network.now) for stream in streams]
    assert max(gaps) < SECOND // 5, gaps
    assert sum(stream.lost(start, world.network.now - SECOND) for stream in streams) == 0
    for client in (web, alice):
        assert client.is_settled


def mutated(random: Random, data: bytes) -> bytes:
    """A burst as it was sent (a replay), changed in places, out of order, or made up."""
    forged = bytearray(data)
    match random.randrange(6):
        case 0:
            pass
        case 1:
            forged[:] = random.randbytes(DATAGRAM * random.randint(1, ROWS))
            for row in range(len(forged) // DATAGRAM):
                forged[row * DATAGRAM] = random.randrange(6)
        case 2:
            rows = [data[at : at + DATAGRAM] for at in range(0, len(data), DATAGRAM)]
            random.shuffle(rows)
            forged[:] = b"".join(rows)
        case 3:
            forged[8:16] = random.choice([b"\xff" * 8, bytes(8), random.randbytes(8)])
        case _:
            for _ in range(random.randint(1, 5)):
                forged[random.randrange(len(forged))] = random.randrange(256)
    return bytes(forged)


def test_a_flood_of_initiations_from_anywhere_does_not_stop_a_stream() -> None:
    world = World(seed=4)
    random = Random(4)
    firsts: list[bytes] = []
    world.network.on_datagrams = lambda source, target, data: firsts.append(data[:DATAGRAM])
    web, alice = pair(world)
    initiations = [data for data in firsts if data[0] == 1]
    assert initiations
    streams = talk(world, alice, web)
    start = world.network.now
    for _ in range(25):
        for router in world.routers:
            for _ in range(4):
                source = (f"10.7.{random.randrange(256)}.{random.randrange(256)}", 9)
                world.network.transmit(source)(
                    router.address, memoryview(random.choice(initiations))
                )
        world.run(0.04)
    gaps = [stream.gap(start, world.network.now) for stream in streams]
    assert max(gaps) < SECOND // 5, gaps
    for router in world.routers:
        assert len(router.node.network.links.by_key) <= 10, "no link for any of them"
