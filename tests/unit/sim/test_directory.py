"""Introsets in a network whose holders die, and addresses that nobody answers for."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from lokinet_node.link.link import Link
from lokinet_node.testing.builders import RouterMachine, World
from lokinet_node.wire import control as wire
from lokinet_node.wire.control import LinkKind, Status
from tests.unit.sim.networks import SHORT


def holders(world: World) -> list[RouterMachine]:
    """Routers that hold something; there is one service in these networks."""
    return [machine for machine in world.routers if len(machine.role.store)]


@pytest.mark.parametrize("seed", [1, 4, 9, 14])
def test_an_introset_is_found_when_three_of_its_four_holders_are_gone(seed: int) -> None:
    """Paths die with them, one after the other, and with each the questions on it."""
    world = World(seed=seed)
    web, alice = world.client("web"), world.client("alice", reachable=False)
    world.settle()
    web.kill()  # it must not publish again
    assert len(holders(world)) == 4
    for holder in holders(world)[:3]:
        holder.kill()
    resolved = world.resolve(alice, web.remote, 60)
    assert resolved.ip4 is None, "nobody is there any more"
    assert resolved.reason == "no answer", "but its introset was found"


def refuse(holder: RouterMachine) -> None:
    """It answers every lookup of a neighbour with a refusal, and its own paths with a denial."""
    role = holder.role
    role.store.find = lambda *_: None  # type: ignore[method-assign]
    serve = role._serve

    def refused(link: Link, kind: int, payload: bytes, now: int) -> None:
        if kind != LinkKind.FIND:
            serve(link, kind, payload, now)
            return
        answer = wire.FindAnswer(wire.decode_find(payload).request, Status.REFUSED)
        told = wire.encode_find_answer(answer)
        holder.node.network.send_message(link, LinkKind.FOUND, told, now)

    role._serve = refused  # type: ignore[method-assign]


def deny(holder: RouterMachine) -> None:
    """It says of everything that it has nothing."""
    holder.role.store.find = lambda *_: None  # type: ignore[method-assign]


def ignore(holder: RouterMachine) -> None:
    """It answers no lookup of a neighbour at all."""
    holder.role.store.find = lambda *_: None  # type: ignore[method-assign]
    holder.role._serve = lambda *_: None  # type: ignore[method-assign]


@pytest.mark.parametrize(("seed", "fault"), [(7, refuse), (8, deny), (9, ignore)])
def test_a_fresh_client_finds_an_introset_that_three_of_its_four_holders_keep_back(
    seed: int, fault: Callable[[RouterMachine], None]
) -> None:
    world = World(seed=seed, routers=10)
    web = world.client("web")
    world.settle()
    assert len(holders(world)) == 4
    for holder in holders(world)[:3]:
        fault(holder)
    alice = world.client("alice", reachable=False)
    world.settle()
    start = world.network.now
    assert world.resolve(alice, web.remote, 20).ip4 is not None
    assert world.network.now - start < 5_000_000


def test_an_introset_whose_holders_are_all_gone_is_not_found() -> None:
    world = World(seed=2, routers=10)
    web, alice = world.client("web"), world.client("alice", reachable=False)
    world.settle()
    web.kill()
    for holder in holders(world):
        holder.kill()
    resolved = world.resolve(alice, web.remote, 60)
    assert (resolved.ip4, resolved.reason) == (None, "no introset")


def test_a_service_publishes_to_others_when_its_holders_die() -> None:
    world = World(seed=3, timing=SHORT, routers=10)
    web, alice = world.client("web"), world.client("alice", reachable=False)
    world.settle()
    for holder in holders(world)[:3]:
        holder.kill()
    world.run(12)
    alive = [machine for machine in world.routers if world.network.is_running(machine.address)]
    assert sum(len(machine.role.store) > 0 for machine in alive) >= 4
    assert web.is_published
    world.connect(alice, web)


def test_an_address_nobody_published_is_refused_with_a_reason_and_soon() -> None:
    world = World(seed=4)
    alice, hermit = world.client("alice"), world.client("hermit", reachable=False)
    world.settle()
    start = world.network.now
    resolved = world.resolve(alice, hermit.remote)
    assert (resolved.ip4, resolved.reason) == (None, "no introset")
    assert world.network.now - start < 1_000_000, "four holders said so"


def test_an_expired_introset_is_gone_from_its_holders_and_from_the_answers() -> None:
    world = World(seed=5, timing=SHORT)
    web, alice = world.client("web"), world.client("alice", reachable=False)
    world.settle()
    held = holders(world)
    web.kill()
    world.run(25)
    for holder in held:
        holder.role.tick(world.network.now)
        assert len(holder.role.store) == 0
    resolved = world.resolve(alice, web.remote, 60)
    assert (resolved.ip4, resolved.reason) == (None, "no introset")


def test_a_name_is_found_on_both_sides_of_a_change_of_periods() -> None:
    world = World(seed=6, timing=SHORT)
    web = world.client("web")
    world.settle()
    for number in range(5):
        client = world.client(f"client{number}", reachable=False, paths=2)
        world.wait(lambda client=client: client.is_settled, 10, "paths")  # type: ignore[misc]
        world.connect(client, web)
        client.kill()
        world.run(7.4)
