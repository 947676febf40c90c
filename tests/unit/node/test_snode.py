"""A router's own address: who visits it, how it answers, and what is left of a visit."""

from __future__ import annotations

from lokinet_node.base.units import SECOND
from lokinet_node.session.addresses import remote_router
from lokinet_node.testing.builders import ClientMachine, RouterMachine, World
from lokinet_node.testing.packets import echo


def visit(world: World, client: ClientMachine, router: RouterMachine) -> bytes:
    """A ping to a router that was answered; the address it had."""
    address = world.connect_router(client, router)
    before = len(client.inbox)
    client.send(echo(client.own, address, b"hello"))
    world.wait(lambda: len(client.inbox) > before, 3, "the router answers")
    return address


def test_a_router_has_a_visitor_for_each_path_and_forgets_it_with_the_path() -> None:
    world = World(seed=1)
    alice, bob = world.client("alice"), world.client("bob")
    world.settle()
    router = world.routers[2]
    visit(world, alice, router), visit(world, bob, router)
    assert len(router.traffic.flows) == len(router.traffic.addresses.by_ip) == 2
    for client in (alice, bob):
        client.kill()
    world.run(8)
    assert not router.traffic.flows
    assert not router.traffic.addresses.by_ip, "its address is free again"


def test_a_new_path_takes_over_under_the_same_name_and_address() -> None:
    world = World(seed=2)
    alice = world.client("alice")
    world.settle()
    router = world.routers[2]
    address = visit(world, alice, router)
    flow = alice.role.snodes.flows[router.router]
    path = flow.path
    assert path is not None
    world.by_router(path.routers[1]).kill()
    alice.send(echo(alice.own, address, b"into the void"))
    world.run(2)
    assert flow.path not in (None, path)
    assert visit(world, alice, router) == address


def test_a_flow_nobody_used_does_not_keep_building_paths() -> None:
    world = World(seed=3)
    alice = world.client("alice", paths=2)
    world.settle()
    router = next(
        machine
        for machine in world.routers
        if all(path.pivot != machine.router for path in alice.role.own.paths)
    )
    world.connect_router(alice, router)
    flow = alice.role.snodes.flows[router.router]
    assert flow.path is not None
    assert flow.path.purpose
    alice.role.own.close(flow.path, world.network.now)
    world.network.poke(alice.address)
    world.run(5)
    assert flow.path is None
    visit(world, alice, router)


def test_an_unknown_router_is_refused_at_once() -> None:
    world = World(seed=4)
    alice = world.client("alice")
    world.settle()
    resolved = world.resolve(alice, remote_router(bytes(32)))  # type: ignore[arg-type]
    assert (resolved.ip4, resolved.reason) == (None, "no such router is known")


def test_a_router_dials_nobody() -> None:
    world = World(seed=5)
    alice = world.client("alice")
    world.settle()
    router = world.routers[1]
    router.send(echo(router.own, router.map(alice.remote), b"hello?"))
    world.run(3)
    assert not alice.inbox


def test_a_router_without_a_tun_takes_no_traffic_and_counts_it() -> None:
    world = World(seed=6)
    alice = world.client("alice")
    world.settle()
    router = world.routers[2]
    router.role.host = None
    address = world.connect_router(alice, router)
    alice.send(echo(alice.own, address, b"hello?"))
    start = world.network.now
    world.run(1)
    assert not alice.inbox
    assert sum(router.node.pump.drops) == 1
    assert world.network.now - start == SECOND
