"""What a resolver's question comes to on a whole network: an address, nobody, or no way to tell."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

import pytest

from lokinet_node.base.errors import LokinetError
from lokinet_node.base.ids import LokiAddress, RouterID
from lokinet_node.base.srv import parse_srv
from lokinet_node.crypto.keys import ed25519_keypair
from lokinet_node.naming import Naming, contact_text
from lokinet_node.node.config import Config, Role, Source, Surroundings, parse_config
from lokinet_node.session.addresses import remote_router
from lokinet_node.testing.builders import TUN, ClientMachine, RouterMachine, World
from lokinet_node.testing.packets import udp

T = TypeVar("T")
STRANGER = LokiAddress(ed25519_keypair(b"stranger" * 4).public)
SERVICES = (parse_srv("_http._tcp 1 2 80"), parse_srv("_x._udp 1 2 3 ."))


def config(timeout_s: float = 20) -> Config:
    text = (
        "[router]\nnetid=testnet\n[network]\nsrv=_http._tcp 1 2 80\nsrv=_x._udp 1 2 3 .\n"
        f"path-alignment-timeout={timeout_s}\n"
    )
    around = Surroundings("/", "/", lambda _: True)
    return parse_config([Source("a.ini", text)], Role.CLIENT, around)


def naming(machine: ClientMachine | RouterMachine, timeout_s: float = 20) -> Naming:
    world = machine.world
    made = Naming(config(timeout_s), machine.node, machine.role, TUN, lambda: world.network.now)
    made.after = lambda: world.network.poke(machine.address)
    return made


def find(
    machine: ClientMachine | RouterMachine,
    ask: Callable[[Naming], Awaitable[T]],
    *,
    timeout_s: float = 20,
    step_s: float = 0.05,
    until_asked: Callable[[], object] = lambda: None,
) -> T:
    """The answer to a question; virtual time passes in steps while it waits."""
    made = naming(machine, timeout_s)

    async def main() -> T:
        task = asyncio.ensure_future(ask(made))
        await asyncio.sleep(0)
        until_asked()
        while not task.done():
            machine.world.run(step_s)
            for effect in machine.node.take_effects():
                made.take(effect)
            await asyncio.sleep(0.001)
        return await task

    return asyncio.run(main())


def published(world: World) -> tuple[ClientMachine, ClientMachine]:
    web, alice = world.client("web"), world.client("alice")
    web.role.services = SERVICES
    world.settle()
    return web, alice


def test_an_address_that_is_published_is_found_with_its_services() -> None:
    web, alice = published(World(seed=1))
    ip = find(alice, lambda one: one.address("loki", web.role.address))
    assert ip == int.from_bytes(alice.map(web.remote), "big")
    assert find(alice, lambda one: one.services(web.role.address)) == SERVICES
    own = int.from_bytes(alice.own, "big")
    assert find(alice, lambda one: one.address("loki", alice.role.address)) == own


def test_a_stranger_to_all_holders_is_nobody() -> None:
    world = World(seed=2)
    alice = world.client("alice")
    world.settle()
    assert find(alice, lambda one: one.address("loki", STRANGER)) is None
    assert find(alice, lambda one: one.services(STRANGER)) is None


def test_a_question_before_there_is_a_path_is_answered_with_the_first_one() -> None:
    world = World(seed=3)
    web = world.client("web")
    world.settle()
    seed_router = world.routers[0]
    world.network.freeze(seed_router.address)
    alice = world.client("alice")
    world.run(12)  # longer than a lookup would have waited
    asked_at = 0

    def connect() -> None:
        nonlocal asked_at
        assert alice.role.keeper.ready() == []
        world.network.freeze(seed_router.address, frozen=False)
        world.wait(lambda: bool(alice.role.keeper.ready()), 30)
        asked_at = world.network.now

    ip = find(
        alice, lambda one: one.address("loki", web.role.address), step_s=0.01, until_asked=connect
    )
    assert ip == int.from_bytes(alice.map(web.remote), "big")
    assert world.network.now - asked_at < 1_000_000


def test_a_node_that_gets_no_path_in_time_cannot_tell() -> None:
    world = World(seed=4, routers=2)
    alice = world.client("alice")
    for ask in (
        lambda one: one.address("loki", STRANGER),
        lambda one: one.address("snode", bytes(32)),
        lambda one: one.services(STRANGER),
        lambda one: one.name("web.loki"),
        lambda one: one.random_router(),
    ):
        with pytest.raises(TimeoutError):
            find(alice, ask, timeout_s=0.05)


def test_holders_that_are_silent_prove_nothing() -> None:
    world = World(seed=5)
    alice = world.client("alice")
    world.settle()
    for router in world.routers:
        router.role._ask = lambda *_: None  # type: ignore[method-assign]
    with pytest.raises(LokinetError, match="holder"):
        find(alice, lambda one: one.services(STRANGER), step_s=0.5)
    with pytest.raises(LokinetError):
        find(alice, lambda one: one.address("loki", STRANGER), step_s=0.5)


def test_a_service_that_is_published_and_does_not_answer_is_nobody() -> None:
    web, alice = published(World(seed=6))
    web.kill()
    assert find(alice, lambda one: one.address("loki", web.role.address), step_s=0.5) is None


def test_the_deadline_comes_first_where_it_is_shorter_than_the_dial() -> None:
    web, alice = published(World(seed=6))
    web.kill()
    found = find(alice, lambda one: one.address("loki", web.role.address), timeout_s=0.3)
    assert found is None


def test_routers_are_found_by_their_contacts() -> None:
    world = World(seed=7)
    alice = world.client("alice")
    world.settle()
    router = world.routers[3]
    ip = find(alice, lambda one: one.address("snode", router.router))
    assert ip == int.from_bytes(alice.map(remote_router(router.router)), "big")
    text = find(alice, lambda one: one.contact(router.router))
    assert text == contact_text(router.contact)
    assert find(alice, lambda one: one.random_router()) in {one.router for one in world.routers}


def test_a_router_that_came_a_moment_ago_is_asked_for() -> None:
    world = World(seed=8)
    alice = world.client("alice")
    world.settle()
    late = world.router()
    assert late.router not in alice.node.network.book
    text = find(alice, lambda one: one.contact(late.router))
    assert text == contact_text(late.contact)


def test_a_router_nobody_knows_is_nobody() -> None:
    world = World(seed=9)
    alice = world.client("alice")
    world.settle()
    assert find(alice, lambda one: one.contact(RouterID(bytes(32)))) is None
    assert find(alice, lambda one: one.address("snode", bytes(32))) is None


def test_a_dead_router_is_not_offered_as_a_random_one() -> None:
    world = World(seed=10)
    alice = world.client("alice")
    world.settle()
    out = {one.router for one in world.routers[1:]}
    for router in out:
        alice.node.network.outages.died(router, world.network.now)
    assert find(alice, lambda one: one.random_router()) == world.routers[0].router


def test_a_router_dials_nobody_and_its_visitors_have_no_names() -> None:
    world = World(seed=11)
    alice = world.client("alice")
    world.settle()
    router = world.routers[0]
    with pytest.raises(LokinetError, match="opens no ways"):
        find(router, lambda one: one.address("loki", STRANGER))
    world.connect_router(alice, router)
    made = naming(router)
    assert made.is_router()
    assert made.own_key() == router.router
    alice.send(udp(alice.own, alice.map(remote_router(router.router)), b"hello"))
    world.run(1)
    (visitor,) = router.traffic.addresses.by_ip
    assert made.name_at(int.from_bytes(visitor, "big")) is None
    assert (made.name_at(TUN.address) or "").endswith(".snode")


def test_a_client_knows_the_names_behind_its_addresses() -> None:
    web, alice = published(World(seed=12))
    ip = find(alice, lambda one: one.address("loki", web.role.address))
    made = naming(alice)
    assert ip is not None
    assert made.name_at(ip) == str(web.remote)
    assert made.name_at(TUN.address) == str(alice.remote)
    assert made.name_at(ip + 1) is None
    assert made.own_services() == SERVICES
    assert made.netid() == "testnet"


def test_a_contact_reads_as_lokinets() -> None:
    world = World(seed=13, routers=1)
    contact = world.routers[0].contact
    assert contact_text(contact) == (
        f"ai_addr=10.0.0.1:1090; ai_pk={contact.link_key.hex()}; "
        f"updated={contact.issued // 1000}; onion_pk={contact.onion_key.hex()}; "
        "router_version=0.1.0;"
    )
