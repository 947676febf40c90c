"""A stream of 50 packets a second in both directions goes on whatever relay dies, and how soon.

No ICMP here: a dead router is noticed by its silence, 0.4 s after the first cell sent to it. That
is what most gaps are; twice that where the way taken next was dead as well and nobody knew.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest

from lokinet_node.base.units import MILLISECOND, SECOND
from lokinet_node.testing.builders import ClientMachine, RouterMachine, World
from lokinet_node.testing.streams import Stream, seconds
from tests.unit.sim.networks import pair, talk

FLOOR = 3 * SECOND
"""No gap may be this long."""
GOAL = SECOND
"""Nine of ten are shorter than this."""
Trouble = Callable[[World, RouterMachine], None]


def kill(world: World, victim: RouterMachine) -> None:
    victim.kill()


def cut_off(world: World, victim: RouterMachine) -> None:
    """It runs on, unheard: its own timers end what it holds."""
    world.network.freeze(victim.address)


def gaps_after(
    seed: int, trouble: Trouble, choose: Callable[[World, ClientMachine, ClientMachine], object]
) -> dict[str, int]:
    """Gaps of both directions over the three seconds after something happened to a router."""
    world = World(seed=seed)
    web, alice = pair(world)
    streams = talk(world, alice, web)
    victim = choose(world, alice, web)
    assert isinstance(victim, RouterMachine)
    start = world.network.now
    trouble(world, victim)
    world.run(3)
    return {stream.name: stream.gap(start, world.network.now) for stream in streams}


def hop(owner: str, position: int) -> Callable[[World, ClientMachine, ClientMachine], object]:
    """The router at a place of the path that alice, or web, sends over."""

    def choose(world: World, alice: ClientMachine, web: ClientMachine) -> object:
        ends = (alice, web) if owner == "alice" else (web, alice)
        return world.by_router(world.path(*ends).routers[position])

    return choose


def shown(gaps: dict[str, dict[str, int]]) -> str:
    lines = (
        f"  {what:24} " + ", ".join(f"{name} {seconds(gap)}" for name, gap in found.items())
        for what, found in gaps.items()
    )
    return "longest gaps:\n" + "\n".join(lines)


@pytest.mark.parametrize("owner", ["alice", "web"])
def test_streams_go_on_when_any_hop_dies(owner: str) -> None:
    gaps = {}
    for position in range(4):
        place = "pivot" if position == 3 else f"hop {position + 1}"
        seed = 10 * position + len(owner)
        gaps[f"{owner}'s {place}"] = gaps_after(seed, kill, hop(owner, position))
    every = [gap for found in gaps.values() for gap in found.values()]
    assert max(every) < FLOOR, shown(gaps)
    assert sum(gap < GOAL for gap in every) >= len(every) - 1, shown(gaps)


@pytest.mark.parametrize("position", [0, 3])
def test_streams_go_on_when_a_hop_is_cut_off_and_runs_on(position: int) -> None:
    gaps = {"cut off": gaps_after(50 + position, cut_off, hop("web", position))}
    assert max(gaps["cut off"].values()) < GOAL, shown(gaps)


def test_streams_go_on_when_two_routers_die_at_once() -> None:
    def kill_another_too(world: World, victim: RouterMachine) -> None:
        web = world.clients["web"]
        victim.kill()
        others = [
            world.by_router(router) for router in world.path(web, world.clients["alice"]).routers
        ]
        next(machine for machine in others if machine is not victim).kill()

    gaps = {f"seed {seed}": gaps_after(seed, kill_another_too, hop("alice", 1)) for seed in (1, 2)}
    assert max(gap for found in gaps.values() for gap in found.values()) < FLOOR, shown(gaps)


def test_streams_go_on_when_two_neighbours_stop_hearing_each_other() -> None:
    def sever(world: World, victim: RouterMachine) -> None:
        routers = world.path(world.clients["alice"], world.clients["web"]).routers
        after = world.by_router(routers[2])
        assert world.by_router(routers[1]) is victim
        world.network.sever(victim.address, after.address)

    gaps = {"hops 2 and 3": gaps_after(3, sever, hop("alice", 1))}
    assert max(gaps["hops 2 and 3"].values()) < GOAL, shown(gaps)


def test_a_router_that_stood_still_for_a_moment_costs_no_more_than_that() -> None:
    world = World(seed=4)
    web, alice = pair(world)
    streams = talk(world, alice, web)
    path = world.path(alice, web)
    start = world.network.now
    still = world.by_router(path.routers[1]).address
    world.network.stop(still)
    world.network.at(start + SECOND // 4, lambda: world.network.go_on(still))
    world.run(2)
    gaps = {"hop 2": {stream.name: stream.gap(start, world.network.now) for stream in streams}}
    assert max(gaps["hop 2"].values()) < SECOND // 2, shown(gaps)
    assert path.is_ready, "nobody gave it up"


def test_an_end_that_slept_is_back_when_it_wakes() -> None:
    world = World(seed=5)
    web, alice = pair(world)
    streams = talk(world, alice, web, interval=100 * MILLISECOND)
    world.network.stop(alice.address)
    world.run(30)
    world.network.go_on(alice.address)
    start = world.network.now
    world.run(6)
    gaps = {"after 30 s": {stream.name: stream.gap(start, world.network.now) for stream in streams}}
    assert max(gaps["after 30 s"].values()) < FLOOR, shown(gaps)


def test_a_dead_router_is_on_no_path_soon_and_comes_back_when_it_does() -> None:
    world = World(seed=6)
    web, alice = pair(world)
    victim = world.by_router(world.path(alice, web).routers[1])
    victim.kill()
    world.run(8)
    for client in (web, alice):
        assert client.is_settled
        assert all(victim.router not in path.routers for path in client.role.keeper.ready())
    victim.start()
    world.run(10)
    for client in (web, alice):
        for path in list(client.role.own.paths):
            client.role.own.close(path, world.network.now)
        world.network.poke(client.address)
    world.run(40)
    assert any(
        victim.router in path.routers
        for client in (web, alice)
        for path in client.role.keeper.ready()
    )


def test_two_idle_ends_find_a_way_when_they_talk_again_after_all_relays_changed() -> None:
    world = World(seed=7, routers=10)
    web, alice = pair(world)
    for victim in world.routers[1:5]:
        victim.kill()
        world.run(10)
        victim.start()
        world.run(10)
    stream = Stream(alice, web, 1)
    start = world.network.now
    world.run(3)
    assert stream.gap(start, world.network.now) < GOAL
