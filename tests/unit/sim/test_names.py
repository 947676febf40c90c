"""Names of the chain in whole networks: liars, silence, a chain that is away, names that move."""

from __future__ import annotations

from dataclasses import replace

import pytest

from lokinet_node.base.ids import LokiAddress
from lokinet_node.base.timing import Timing
from lokinet_node.base.units import SECOND
from lokinet_node.crypto.ons import encrypt_value
from lokinet_node.netdb.choose import Rules
from lokinet_node.node.router import RouterRole
from lokinet_node.ons.desk import ChainSays
from lokinet_node.ons.verdict import Failed, Found, NotRegistered
from lokinet_node.path.own_path import Path
from lokinet_node.path.transit import Hop
from lokinet_node.session.addresses import remote_loki
from lokinet_node.testing.builders import ClientMachine, RouterMachine, World
from lokinet_node.wire.control import Status
from lokinet_node.wire.kinds import PathKind
from lokinet_node.wire.names import FindName

NAME = "web.loki"
TRUTH, LIE = LokiAddress(b"\x11" * 32), LokiAddress(b"\x22" * 32)


def says(address: LokiAddress, name: str = NAME) -> ChainSays:
    return ChainSays(Status.OK, 9, encrypt_value(name, address, lambda size: bytes(size)))


def settled(seed: int, **more: object) -> tuple[World, ClientMachine]:
    world = World(seed=seed, chain=True, **more)  # type: ignore[arg-type]
    alice = world.client("alice", reachable=False)
    world.settle()
    return world, alice


def pivots(world: World, alice: ClientMachine) -> list[RouterMachine]:
    found = {path.pivot: None for path in alice.role.keeper.ready() if not path.purpose}
    return [world.by_router(pivot) for pivot in found]


def silence(machine: RouterMachine) -> None:
    machine.role.names.ask = lambda *_: None  # type: ignore[method-assign]


def test_a_bought_name_leads_to_its_service() -> None:
    world = World(seed=1, chain=True)
    web, alice = world.client("web"), world.client("alice", reachable=False)
    world.settle()
    world.names.buy(NAME, web.role.address)
    answer = world.resolve_name(alice, NAME)
    assert answer == Found(web.role.address)
    assert len(set(world.names.asked)) >= 4, "a majority of six pivots"
    assert world.resolve(alice, remote_loki(web.role.address)).ip4 is not None


def test_every_pivot_is_asked_once_and_answers_within_a_round_trip() -> None:
    world, alice = settled(2)
    world.names.buy(NAME, TRUTH)
    start = world.network.now
    assert world.resolve_name(alice, NAME) == Found(TRUTH)
    assert world.network.now - start < SECOND // 10
    world.run(1)
    assert sorted(world.names.asked) == sorted(one.router for one in pivots(world, alice))
    asked = [one.role.names.tally for one in pivots(world, alice)]
    assert all((one.asked, one.found) == (1, 1) for one in asked)


def test_a_name_nobody_bought_is_not_registered() -> None:
    world, alice = settled(3)
    assert world.resolve_name(alice, NAME) == NotRegistered()


@pytest.mark.parametrize("is_registered", [True, False])
def test_one_lying_and_one_silent_router_change_nothing(is_registered: bool) -> None:
    world, alice = settled(4)
    if is_registered:
        world.names.buy(NAME, TRUTH)
    liar, mute, *_ = pivots(world, alice)
    world.names.lies[liar.router] = lambda _: says(LIE)
    silence(mute)
    expected = Found(TRUTH) if is_registered else NotRegistered()
    assert world.resolve_name(alice, NAME) == expected
    world.names.lies[liar.router] = lambda _: ChainSays(Status.NOT_FOUND, 9)
    assert world.resolve_name(alice, NAME) == expected


def test_two_equal_lies_against_two_honest_answers_fail() -> None:
    world, alice = settled(5)
    world.names.buy(NAME, TRUTH)
    asked = pivots(world, alice)
    for liar in asked[:2]:
        world.names.lies[liar.router] = lambda _: says(LIE)
    for mute in asked[4:]:
        silence(mute)
    assert isinstance(world.resolve_name(alice, NAME), Failed)


def test_a_chain_that_is_away_is_a_failure_and_soon_a_name_again() -> None:
    world, alice = settled(6)
    world.names.buy(NAME, TRUTH)
    world.names.is_away = True
    start = world.network.now
    assert isinstance(world.resolve_name(alice, NAME), Failed)
    assert world.network.now - start < 2 * SECOND
    assert sum(one.role.names.tally.unable for one in world.routers) >= 4
    world.names.is_away = False
    assert world.resolve_name(alice, NAME) == Found(TRUTH)


def test_a_chain_that_never_answers_is_given_up_before_the_client_gives_up() -> None:
    world, alice = settled(7)
    for machine in world.routers:
        machine.role.names.chain = _Deaf()
    start = world.network.now
    assert isinstance(world.resolve_name(alice, NAME), Failed)
    assert world.network.now - start < 1.7 * SECOND
    assert all(not machine.role.names._waiting for machine in world.routers)


class _Deaf:
    is_reachable = False

    def ask(self, name_hash: bytes) -> None:
        """Says nothing."""


def test_a_network_without_a_chain_fails_at_once() -> None:
    world = World(seed=8)
    alice = world.client("alice")
    world.settle()
    start = world.network.now
    assert isinstance(world.resolve_name(alice, NAME), Failed)
    assert world.network.now - start < SECOND // 10


def test_a_name_asked_before_there_is_a_path_is_answered_as_soon_as_there_are_two() -> None:
    world = World(seed=9, chain=True)
    world.settle()
    world.names.buy(NAME, TRUTH)
    alice = world.client("alice", reachable=False)
    assert alice.role.resolve_name(NAME, world.network.now) is None
    started = world.network.now
    assert world.resolve_name(alice, NAME) == Found(TRUTH)
    ready = [path for path in alice.role.keeper.ready() if not path.purpose]
    assert len({path.pivot for path in ready}) >= 2
    assert world.network.now - started < 1.5 * SECOND


def test_a_name_is_found_though_most_builds_hang() -> None:
    world = World(seed=10, chain=True)
    world.settle()
    world.names.buy(NAME, TRUTH)
    for machine in world.routers[5:]:
        machine.role.transit.build = lambda *_: None  # type: ignore[method-assign]
    alice = world.client("alice", reachable=False)
    assert world.resolve_name(alice, NAME) == Found(TRUTH)


def test_a_pool_whose_paths_share_pivots_gets_others_before_a_name_is_believed() -> None:
    world = World(seed=21, routers=3, chain=True)
    alice = world.client("alice", reachable=False, rules=Rules(hops=2))
    world.settle()
    for _ in range(5):
        world.router()
    world.wait(lambda: len(alice.node.network.book) == 8, 30, "alice knows all routers")
    few = pivots(world, alice)
    assert len(few) <= 3
    world.names.buy(NAME, TRUTH)
    for liar in few[:2]:
        world.names.lies[liar.router] = lambda _: says(LIE)
    assert world.resolve_name(alice, NAME) == Found(TRUTH)
    world.run(1)
    assert len(set(world.names.asked)) >= 5
    assert alice.role.keeper.spare == 0


def test_a_name_that_expires_in_use_is_gone_when_the_cache_forgets_it() -> None:
    timing = replace(Timing(), name_cache=60 * SECOND)
    world = World(seed=11, chain=True, timing=timing)
    web, alice = world.client("web"), world.client("alice", reachable=False)
    world.settle()
    world.names.buy(NAME, web.role.address)
    found = Found(web.role.address)
    assert world.resolve_name(alice, NAME) == found
    world.connect(alice, web)
    world.names.expire(NAME)
    for _ in range(5):
        world.run(11)
        assert world.resolve_name(alice, NAME) == found, "from the cache, which use does not extend"
    world.run(6)
    assert world.resolve_name(alice, NAME) == NotRegistered()
    session = alice.role.sessions.by_remote[web.role.address]
    assert session.sending() is not None, "a session is with an address, not with a name"


def test_a_name_that_somebody_else_buys_leads_there_after_the_cache() -> None:
    timing = replace(Timing(), name_cache=60 * SECOND)
    world, alice = settled(12, timing=timing)
    world.names.buy(NAME, TRUTH)
    assert world.resolve_name(alice, NAME) == Found(TRUTH)
    world.names.expire(NAME)
    world.names.buy(NAME, LIE)
    world.run(60)
    assert world.resolve_name(alice, NAME) == Found(LIE)


def test_only_the_last_label_is_looked_up_and_each_spelling_is_answered() -> None:
    world, alice = settled(13)
    world.names.buy(NAME, TRUTH)
    spellings = ["WEB.loki", "www.web.loki", "a.b.web.loki.", NAME]
    for spelling in spellings:
        assert alice.role.resolve_name(spelling, world.network.now) is None
    assert world.resolve_name(alice, "x.web.LOKI") == Found(TRUTH)
    world.run(1)
    assert sorted(world.names.asked) == sorted(one.router for one in pivots(world, alice))
    for spelling in spellings:
        assert alice.role.resolve_name(spelling, world.network.now) == Found(TRUTH)


def test_what_the_registry_would_not_take_is_not_registered_and_asks_nobody() -> None:
    world, alice = settled(14, routers=5)
    impossible = ("-web", "we_b", "loki", "", "w\u212ab", "a" * 33)
    for name in (*(f"{label}.loki" for label in impossible), "loki", "web.snode"):
        assert alice.role.resolve_name(name, world.network.now) == NotRegistered(), name
    world.run(1)
    assert world.names.asked == []


def test_paths_a_remote_asked_for_have_no_vote() -> None:
    world, alice = settled(15)
    world.names.buy(NAME, TRUTH)
    chosen = {one.router for one in pivots(world, alice)}
    others = [one.router for one in world.routers if one.router not in chosen]
    alice.role.keeper.want(b"remote", others, len(others), world.network.now)
    world.network.poke(alice.address)
    world.run(2)
    assert {path.pivot for path in alice.role.keeper.ready()} - chosen, "there are such paths"
    assert world.resolve_name(alice, NAME) == Found(TRUTH)
    world.run(1)
    assert set(world.names.asked) <= chosen


def test_an_answer_that_is_nonsense_closes_its_path_and_no_other() -> None:
    world, alice = settled(16)
    world.names.buy(NAME, TRUTH)
    liar = pivots(world, alice)[0]
    role = liar.role

    def babble(hop: Hop, _find: FindName, now: int) -> None:
        role.transit.send(hop, PathKind.NAME, b"?", now)

    role.names.ask = babble  # type: ignore[method-assign, assignment]
    assert world.resolve_name(alice, NAME) == Found(TRUTH)
    world.run(1)
    assert alice.is_settled


# --- the desk of a router


def test_a_router_asks_its_chain_once_for_many_who_ask_at_once_and_soon_after() -> None:
    world = World(seed=17, routers=5, chain=True)
    clients = [world.client(f"c{n}", reachable=False) for n in range(4)]
    world.settle()
    world.names.buy(NAME, TRUTH)
    for client in clients:
        client.role.resolve_name(NAME, world.network.now)
        world.network.poke(client.address)
    world.run(0.5)
    assert len(world.names.asked) == len(set(world.names.asked)), "each router once"
    asked = sum(machine.role.names.tally.asked for machine in world.routers)
    assert asked > len(world.names.asked)


def test_a_router_does_not_keep_an_answer_longer_than_a_second() -> None:
    world, alice = settled(18)
    assert world.resolve_name(alice, NAME) == NotRegistered()
    world.names.buy(NAME, TRUTH)
    world.run(1.1)
    assert world.resolve_name(alice, NAME) == Found(TRUTH)


def test_a_path_that_asks_too_much_is_told_busy_and_others_are_served() -> None:
    world, alice = settled(19)
    path = alice.role.keeper.ready()[0]
    desk = world.by_router(path.pivot).role.names
    told: list[bytes] = []

    def take(_path: Path, kind: int, payload: bytes, _now: int) -> bool:
        told.append(payload)
        return kind == PathKind.NAME

    alice.role.names.message = take  # type: ignore[method-assign, assignment]
    for number in range(100):
        question = number.to_bytes(8, "big") + number.to_bytes(32, "big")
        alice.role.own.send(path, PathKind.FIND_NAME, question, world.network.now)
    world.network.poke(alice.address)
    world.run(3)
    codes = [payload[8] for payload in told]
    assert len(codes) == 100
    assert codes.count(Status.BUSY) >= 20
    assert codes.count(Status.NOT_FOUND) >= 64
    assert not desk._waiting


def test_questions_of_paths_that_are_gone_are_forgotten() -> None:
    world, alice = settled(20)
    asked = pivots(world, alice)
    world.resolve_name(alice, NAME)
    world.run(1)
    alice.kill()
    world.run(30)
    for machine in asked:
        role: RouterRole = machine.role
        role.tick(world.network.now)
        assert not role.names._meters
        assert not role.names._waiting
        assert not role.names._kept
