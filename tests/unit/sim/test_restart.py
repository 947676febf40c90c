"""A router, a service, a client come back with their keys and nothing else: traffic does, too."""

from __future__ import annotations

from lokinet_node.base.units import MILLISECOND, SECOND
from lokinet_node.testing.builders import ClientMachine, World
from lokinet_node.testing.streams import Stream, seconds
from tests.unit.sim.networks import pair, talk


def gaps(world: World, streams: tuple[Stream, ...], run: float) -> dict[str, int]:
    start = world.network.now
    world.run(run)
    return {stream.name: stream.gap(start, world.network.now) for stream in streams}


def shown(found: dict[str, int]) -> str:
    return ", ".join(f"{name}: {seconds(gap)}" for name, gap in found.items())


def test_a_restarted_router_costs_what_a_dead_one_does() -> None:
    world = World(seed=1)
    web, alice = pair(world)
    streams = talk(world, alice, web)
    router = world.by_router(world.path(alice, web).routers[1])
    router.kill()
    router.start()
    found = gaps(world, streams, 3)
    assert max(found.values()) < SECOND, shown(found)
    world.wait(
        lambda: (
            len(router.node.network.book) == 8 and len(router.node.network.linked_routers()) > 3
        ),
        10,
        "it knows everybody again",
    )


def test_all_routers_restart_one_after_the_other_under_traffic() -> None:
    world = World(seed=2)
    web, alice = pair(world)
    streams = talk(world, alice, web, interval=100 * MILLISECOND)
    start = world.network.now
    for router in world.routers:
        router.kill()
        world.run(0.7)
        router.start()
        world.run(1.3)
    found = {stream.name: stream.gap(start, world.network.now) for stream in streams}
    assert max(found.values()) < 3 * SECOND, shown(found)


def restarted(machine: ClientMachine, down_s: float) -> None:
    machine.kill()
    machine.world.run(down_s)
    machine.start()


def test_a_restarted_service_is_reached_again_by_the_stream_itself() -> None:
    world = World(seed=3)
    web, alice = pair(world)
    there = Stream(alice, web, 1)
    world.run(2)
    restarted(web, 1)
    start = world.network.now
    world.run(12)
    gap = there.gap(start, world.network.now)
    assert gap < 2 * SECOND, seconds(gap)
    end = world.network.now
    assert there.gap(end - 4 * SECOND, end) < SECOND // 10, "and it stays"


def test_a_restarted_client_reaches_the_service_at_once() -> None:
    world = World(seed=4)
    web, alice = pair(world)
    first = Stream(alice, web, 1)
    world.run(2)
    first.stop()
    address = web.map(alice.remote)
    restarted(alice, 0.5)
    start = world.network.now
    again = Stream(alice, web, 2)
    world.run(4)
    gap = again.gap(start, world.network.now)
    assert gap < 2 * SECOND, seconds(gap)
    assert web.map(alice.remote) == address, "one address for one remote, whatever it does"
    back = Stream(web, alice, 3)
    start = world.network.now
    world.run(2)
    assert back.gap(start, world.network.now) < SECOND


def test_a_network_that_was_down_as_a_whole_comes_back_by_itself() -> None:
    world = World(seed=5)
    web, alice = pair(world)
    streams = talk(world, alice, web, interval=100 * MILLISECOND)
    for router in world.routers:
        router.kill()
    world.run(20)
    for router in world.routers:
        router.start()
    start = world.network.now
    world.run(30)
    found = {stream.name: stream.gap(start, world.network.now) for stream in streams}
    assert max(found.values()) < 20 * SECOND, shown(found)
