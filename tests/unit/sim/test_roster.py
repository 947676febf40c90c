"""Whole networks whose routers take their list from a chain."""

from __future__ import annotations

from lokinet_node.testing.builders import ClientMachine, RouterMachine, World


def used(client: ClientMachine) -> set[bytes]:
    return {router for path in client.role.keeper.ready() for router in path.routers}


def links(machine: RouterMachine) -> set[bytes]:
    return {router for router, _ in machine.node.network.linked_routers()}


def addresses(machine: RouterMachine) -> set[tuple[str, int]]:
    return {link.address for link in machine.node.network.links.by_key.values() if link.is_up}


def change(world: World, *, active: set[bytes], decommissioned: set[bytes] | None = None) -> None:
    world.names.active = active  # type: ignore[assignment]
    world.names.decommissioned = decommissioned or set()  # type: ignore[assignment]
    world.names.publish()
    world.run(1)


def everybody(world: World) -> set[bytes]:
    return {machine.router for machine in world.routers}


def rebuilt(world: World, client: ClientMachine) -> None:
    """Have all paths built anew."""
    for path in list(client.role.own.paths):
        client.role.own.close(path, world.network.now)
    world.network.poke(client.address)
    world.run(0.1)
    world.wait(lambda: client.is_settled, 30, "new paths")


def test_a_network_whose_chain_lists_all_routers_is_as_any_other() -> None:
    world = World(seed=1, chain=True)
    web, alice = world.client("web"), world.client("alice")
    world.settle()
    world.connect(alice, web)


def test_before_its_chain_spoke_a_router_is_alone_and_carries_nothing() -> None:
    world = World(seed=2, routers=0, chain=True)
    world.names.is_away = True
    for _ in range(6):
        world.router()
    alice = world.client("alice", reachable=False)
    world.run(5)
    assert all(not links(machine) for machine in world.routers)
    assert not alice.role.keeper.ready()
    world.names.is_away = False
    world.names.publish()
    world.settle()


def test_a_router_nobody_registered_is_not_linked_to_not_built_through_not_told_of() -> None:
    world = World(seed=3, routers=7, chain=True)
    stranger = world.router(is_listed=False)
    web, alice = world.client("web"), world.client("alice", reachable=False)
    world.wait(lambda: web.is_settled and alice.is_settled, 30, "paths without it")
    world.run(5)
    for machine in world.routers[:-1]:
        assert stranger.router not in links(machine)
        assert machine.node.network.connect(stranger.router, world.network.now) is None
    assert stranger.router not in alice.node.network.book
    assert stranger.router not in used(alice) | used(web)
    assert len(stranger.role.store) == 0
    assert not stranger.role.transit.hops
    world.connect(alice, web)


def test_a_router_refuses_paths_of_those_who_found_it_though_it_is_not_listed() -> None:
    world = World(seed=4, routers=7, chain=True)
    stranger = world.router(is_listed=False)
    alice = world.client("alice", reachable=False)
    world.wait(lambda: alice.is_settled, 30, "paths")
    alice.node.network.book.add(stranger.contact, world.network.now)
    before = stranger.role.transit.builds_refused
    refused = alice.role.own.failures
    path = alice.role.own.build([stranger.contact], world.network.now)
    assert path is not None
    world.network.poke(alice.address)
    world.run(1)
    assert alice.role.own.failures == refused + 1
    assert stranger.role.transit.builds_refused == before, "it is answered, not ignored"
    assert not stranger.role.transit.hops


def test_a_router_that_is_registered_later_is_used_without_a_restart() -> None:
    world = World(seed=5, routers=5, chain=True)
    late = world.router(is_listed=False)
    world.run(5)
    change(world, active=everybody(world))
    alice = world.client("alice", reachable=False)
    world.wait(
        lambda: late.router in alice.node.network.book and alice.is_settled, 60, "it is known"
    )
    world.wait(lambda: bool(links(late)), 60, "it has links")
    assert late.role.transit.is_listed
    for _ in range(10):
        rebuilt(world, alice)
        if late.router in used(alice):
            return
    raise AssertionError("nobody builds through it")


def test_a_router_that_is_deregistered_loses_its_links_and_its_paths() -> None:
    world = World(seed=6, routers=9, chain=True)
    web, alice = world.client("web"), world.client("alice", reachable=False)
    world.settle()
    gone = world.by_router(alice.role.keeper.ready()[0].routers[1])
    assert gone.role.transit.hops
    change(world, active=everybody(world) - {gone.router})
    world.run(5)
    assert all(gone.router not in links(machine) for machine in world.routers)
    others = [machine for machine in world.routers if machine is not gone]
    assert not any(gone.address in addresses(machine) for machine in others), "nor as a stranger"
    world.wait(lambda: alice.is_settled and web.is_settled, 60, "paths around it")
    for client in (alice, web):
        assert gone.router not in {
            path.routers[place] for path in client.role.keeper.ready() for place in (1, 2, 3)
        }
    world.connect(alice, web)


def test_a_decommissioned_router_keeps_links_and_paths_and_gets_no_new_ones() -> None:
    world = World(seed=7, routers=9, chain=True)
    alice = world.client("alice", reachable=False)
    world.settle()
    idle = world.by_router(alice.role.keeper.ready()[0].pivot)
    before = links(idle)
    carried = len(idle.role.transit.hops)
    change(world, active=everybody(world) - {idle.router}, decommissioned={idle.router})
    assert links(idle) == before
    assert len(idle.role.transit.hops) == carried
    rebuilt(world, alice)
    assert idle.router not in used(alice)
    change(world, active=everybody(world))
    assert idle.role.transit.is_listed


def test_when_the_chain_is_away_the_last_list_stays() -> None:
    world = World(seed=8, chain=True)
    web, alice = world.client("web"), world.client("alice", reachable=False)
    world.settle()
    world.names.is_away = True
    world.names.active = set()
    world.names.publish()
    world.run(30)
    world.connect(alice, web)
