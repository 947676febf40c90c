"""A client's dealings with names, answers and its surroundings."""

from __future__ import annotations

import pytest

from lokinet_node.node.questions import Resolved
from lokinet_node.path.own_path import State
from lokinet_node.session.addresses import remote_loki
from lokinet_node.testing.builders import ClientMachine, World
from lokinet_node.testing.packets import udp
from lokinet_node.wire.control import LinkKind, PathKind
from tests.unit.sim.networks import pair


def resolved(client: ClientMachine) -> list[Resolved]:
    return [effect for effect in client.node.take_effects() if isinstance(effect, Resolved)]


def test_the_own_name_is_the_own_address() -> None:
    world = World(seed=1)
    alice = world.client("alice")
    assert alice.role.resolve(alice.remote, world.network.now) == alice.own


def test_a_name_that_is_connected_is_answered_at_once_and_told_to_nobody() -> None:
    world = World(seed=2)
    web, alice = pair(world)
    alice.node.take_effects()
    assert alice.role.resolve(web.remote, world.network.now) == alice.map(web.remote)
    assert resolved(alice) == []


def test_many_who_ask_for_one_name_at_once_make_one_session() -> None:
    world = World(seed=3)
    web, alice = world.client("web"), world.client("alice")
    world.settle()
    for _ in range(5):
        alice.role.resolve(web.remote, world.network.now)
    world.network.poke(alice.address)
    world.run(1)
    (answer,) = resolved(alice)
    assert answer == Resolved(web.remote, alice.map(web.remote))
    assert len(alice.role.sessions.by_remote[web.role.address].epochs) == 1


def test_a_client_without_a_tun_says_so() -> None:
    world = World(seed=4)
    alice, web = world.client("alice"), world.client("web")
    alice.role.traffic = None
    assert alice.role.resolve(web.remote, world.network.now) is None
    assert resolved(alice) == [Resolved(web.remote, None, "this node has no tun")]


def test_a_name_that_is_no_key_fails_soon() -> None:
    world = World(seed=5)
    alice = world.client("alice")
    world.settle()
    bad = remote_loki(b"\xff" * 32)  # type: ignore[arg-type]
    assert world.resolve(alice, bad, 2).reason == "no introset"


def test_two_that_dial_each_other_at_once_end_with_one_way() -> None:
    world = World(seed=6)
    web, alice = world.client("web"), world.client("alice")
    world.settle()
    for one, other in ((alice, web), (web, alice)):
        one.role.resolve(other.remote, world.network.now)
        world.network.poke(one.address)
    world.run(1)
    for one, other in ((alice, web), (web, alice)):
        one.send(udp(one.own, one.map(other.remote), b"hello"))
    world.run(1)
    assert len(alice.inbox) == len(web.inbox) == 1
    sessions = [
        one.role.sessions.by_remote[other.role.address]
        for one, other in ((alice, web), (web, alice))
    ]
    best = [session.epochs.best() for session in sessions]
    assert all(epoch is not None for epoch in best)
    assert len({epoch.initiator for epoch in best if epoch is not None}) == 1


@pytest.mark.parametrize("kind", [LinkKind.BUILD, LinkKind.STORE, 99])
def test_a_client_takes_no_orders_from_routers(kind: int) -> None:
    world = World(seed=7)
    alice = world.client("alice")
    world.settle()
    path = alice.role.keeper.ready()[0]
    first = world.by_router(path.routers[0])
    link = first.node.network.links.by_key[alice.node.network.links.static.public]  # type: ignore[index]
    first.node.network.send_message(link, kind, b"?", world.network.now)
    world.network.poke(first.address)
    world.run(1)
    assert alice.node.bad_messages == 1
    assert path.is_ready


@pytest.mark.parametrize("kind", [PathKind.GONE, PathKind.RESULT, PathKind.PUBLISHED])
def test_a_malformed_answer_of_a_last_hop_closes_its_path_only(kind: int) -> None:
    world = World(seed=8)
    alice = world.client("alice")
    world.settle()
    path, *others = alice.role.keeper.ready()
    pivot = world.by_router(path.pivot)
    (hop,) = (hop for hop in pivot.role.transit.hops if path.handle in hop.handles)
    pivot.role.transit.send(hop, kind, b"?", world.network.now)
    pivot.role.transit.flush(hop, world.network.now)
    world.run(1)
    assert path.state is State.DEAD
    assert all(other.is_ready for other in others)


def test_the_pool_is_introduced_and_paths_for_one_remote_are_not() -> None:
    world = World(seed=9, routers=14)
    _, alice = pair(world)
    special = [path for path in alice.role.own.paths if path.purpose]
    assert special, "in so large a network pivots are not shared by chance"
    introduced = {one.handle for one in alice.role.introductions(world.network.now)}
    assert introduced == {path.handle for path in alice.role.own.paths if not path.purpose}
