"""Whole networks with exits: their machines answer echo requests for the whole internet."""

from __future__ import annotations

from lokinet_node.base.addresses import format_ipv4
from lokinet_node.base.units import SECOND
from lokinet_node.exits.auth import Doorman
from lokinet_node.exits.backend import Backend
from lokinet_node.exits.consumer import PATIENCE
from lokinet_node.exits.exit_range import EVERYTHING, ExitRange, parse_exit_range
from lokinet_node.exits.mapping import Exit
from lokinet_node.exits.policy import Policy, Rules
from lokinet_node.exits.provider import ExitProvider
from lokinet_node.exits.ways import ExitDown, ExitTried, ExitUp, Failure, Way
from lokinet_node.node.names import NameResolved
from lokinet_node.ons.verdict import Found
from lokinet_node.session.addresses import Remote
from lokinet_node.testing.builders import ClientMachine, World
from lokinet_node.testing.packets import Delivered, echo, udp
from lokinet_node.wire.ip import (
    DESTINATION_UNREACHABLE,
    HOST_UNKNOWN,
    HOST_UNREACHABLE,
    ICMP,
    PROHIBITED,
)
from lokinet_node.wire.offer import Offer

TEST_NET = parse_exit_range("203.0.113.0/24")


def site(number: int) -> bytes:
    return (0xCB007100 + number).to_bytes(4, "big")


def provide(machine: ClientMachine) -> ClientMachine:
    assert machine.traffic.door is not None
    machine.role.offer = Offer(is_exit=True)
    machine.traffic.door.provider = ExitProvider(Policy(Rules(allowed=(TEST_NET,))))
    return machine


def network(seed: int, exits: int = 1, *, chain: bool = False) -> tuple[World, ClientMachine]:
    """A client, and exits named exit1 and so on."""
    world = World(seed=seed, chain=chain)
    for number in range(exits):
        provide(world.client(f"exit{number + 1}"))
    alice = world.client("alice")
    world.settle()
    return world, alice


def map_exit(
    world: World, client: ClientMachine, exit_: Exit | None, range_: ExitRange = EVERYTHING
) -> None:
    assert client.role.exits.map([range_], exit_, world.network.now)
    world.network.poke(client.address)


def attempt(world: World, client: ClientMachine, exit_: Remote, token: str = "") -> ExitTried:
    """Try an exit as the control socket does, for ten seconds."""
    client.node.take_effects()
    now = world.network.now
    client.role.exits.attempt(exit_, token, now + 10 * SECOND, now)
    world.network.poke(client.address)
    tried: list[ExitTried] = []

    def is_over() -> bool:
        tried.extend(one for one in client.node.take_effects() if isinstance(one, ExitTried))
        return bool(tried)

    world.wait(is_over, 12, "the end of the attempt")
    return tried[0]


def way(client: ClientMachine, exit_: Remote) -> Way | None:
    return next((look.way for one, look, _ in client.role.exits.use.rows() if one == exit_), None)


def ping(client: ClientMachine, number: int) -> None:
    client.send(echo(client.own, site(number), b"%d" % number))


def replies(client: ClientMachine) -> list[int]:
    """Sites whose answers came."""
    return [one.source[3] for one in client.inbox if one.protocol == ICMP and one.content[0] == 0]


def unreachables(client: ClientMachine) -> list[tuple[bytes, int]]:
    """Who was said to be unreachable, and by which code."""
    return [
        (one.source, one.content[1])
        for one in client.inbox
        if one.protocol == ICMP and one.content[0] == DESTINATION_UNREACHABLE
    ]


def went_out(exit_: ClientMachine) -> list[Delivered]:
    return [one for one in exit_.inbox if one.target[:3] == site(0)[:3]]


def test_packets_leave_at_the_exit_and_the_exit_never_sees_the_clients_address() -> None:
    world, alice = network(1)
    exit_ = world.clients["exit1"]
    assert attempt(world, alice, exit_.remote) == ExitTried(exit_.remote)
    map_exit(world, alice, exit_.remote)
    ping(alice, 7)
    world.wait(lambda: replies(alice) == [7], 5, "an answer")
    (out,) = went_out(exit_)
    assert out.source == exit_.map(alice.remote) != alice.own
    assert way(alice, exit_.remote) is Way.OPEN


def test_two_exits_share_destinations_and_unmapping_one_moves_its_own() -> None:
    world, alice = network(2, exits=2)
    one, two = world.clients["exit1"], world.clients["exit2"]
    map_exit(world, alice, one.remote, TEST_NET)
    map_exit(world, alice, two.remote, EVERYTHING)
    world.wait(
        lambda: way(alice, one.remote) is way(alice, two.remote) is Way.OPEN, 15, "both are up"
    )
    for _ in range(3):
        for number in range(60):
            ping(alice, number)
        world.run(1)
    assert sorted(replies(alice)) == sorted([*range(60)] * 3)
    by_one = {out.target[3] for out in went_out(one)}
    by_two = {out.target[3] for out in went_out(two)}
    assert by_one | by_two == set(range(60))
    assert not by_one & by_two, "a destination sees one exit"
    assert min(len(by_one), len(by_two)) >= 15
    alice.role.exits.unmap([TEST_NET], world.network.now)
    for number in range(60):
        ping(alice, number)
    world.run(1)
    assert {out.target[3] for out in went_out(two)} == set(range(60))
    assert {out.target[3] for out in went_out(one)} == by_one


def test_an_answer_of_another_exit_than_the_pinned_one_is_dropped() -> None:
    world, alice = network(3, exits=2)
    one, two = world.clients["exit1"], world.clients["exit2"]
    map_exit(world, alice, one.remote)
    map_exit(world, alice, two.remote)
    world.wait(
        lambda: way(alice, one.remote) is way(alice, two.remote) is Way.OPEN, 15, "both are up"
    )
    ping(alice, 7)
    world.wait(lambda: replies(alice) == [7], 5, "an answer")
    used, other = (one, two) if went_out(one) else (two, one)
    alice.inbox.clear()
    other.answers_echo = used.answers_echo = False
    other.send(udp(site(7), other.map(alice.remote), b"spoofed"))
    used.send(udp(site(8), used.map(alice.remote), b"nobody asked"))
    door = alice.traffic.door
    assert door is not None
    world.wait(lambda: door.drops["not-our-exit"] == 2, 5, "both are dropped")
    used.send(udp(site(7), used.map(alice.remote), b"wanted"))
    world.wait(lambda: bool(alice.inbox), 5, "the pinned exit's")
    assert [got.payload for got in alice.inbox] == [b"wanted"]


def test_what_no_exit_is_mapped_for_is_refused_at_once_and_so_are_holes() -> None:
    world, alice = network(4)
    ping(alice, 1)
    assert unreachables(alice) == [(site(1), HOST_UNKNOWN)]
    map_exit(world, alice, world.clients["exit1"].remote)
    map_exit(world, alice, None, parse_exit_range("203.0.113.64/26"))
    ping(alice, 65)
    alice.send(udp(alice.own, bytes((172, 16, 200, 200)), b"nobody of the tun's range"))
    codes = [(site(65), HOST_UNKNOWN), (bytes((172, 16, 200, 200)), HOST_UNKNOWN)]
    assert unreachables(alice)[1:] == codes
    ping(alice, 2)
    world.wait(lambda: replies(alice) == [2], 15, "an answer")


def test_packets_for_an_exit_that_never_was_fail_fast() -> None:
    world, alice = network(5)
    nobody = Remote(False, b"\x11" * 32)
    map_exit(world, alice, nobody)
    start = world.network.now
    ping(alice, 1)
    world.wait(lambda: bool(unreachables(alice)), 5, "a refusal")
    assert unreachables(alice) == [(site(1), HOST_UNREACHABLE)]
    assert world.network.now - start <= PATIENCE + SECOND
    ping(alice, 2)
    world.wait(lambda: len(unreachables(alice)) == 2, 4, "another")
    world.run(10)
    alice.inbox.clear()
    ping(alice, 3)
    assert unreachables(alice) == [(site(3), HOST_UNREACHABLE)], "it is known by now"


def test_a_killed_exit_fails_fast_and_is_used_again_after_its_restart() -> None:
    world, alice = network(6)
    exit_ = world.clients["exit1"]
    map_exit(world, alice, exit_.remote)
    ping(alice, 1)
    world.wait(lambda: replies(alice) == [1], 15, "an answer")
    alice.node.take_effects()
    exit_.kill()

    def is_refused() -> bool:
        ping(alice, 2)
        world.run(0.2)
        return (site(2), HOST_UNREACHABLE) in unreachables(alice)

    world.wait(is_refused, 12, "a refusal")
    assert any(isinstance(one, ExitDown) for one in alice.node.take_effects())
    exit_.start()
    provide(exit_)
    alice.inbox.clear()

    def is_back() -> bool:
        ping(alice, 3)
        world.run(0.2)
        return 3 in replies(alice)

    world.wait(is_back, 40, "an answer by itself")
    assert any(isinstance(one, ExitUp) for one in alice.node.take_effects())


def test_an_exit_that_was_away_for_long_is_used_as_soon_as_it_is_back() -> None:
    world, alice = network(14)
    exit_ = world.clients["exit1"]
    map_exit(world, alice, exit_.remote)
    ping(alice, 1)
    world.wait(lambda: replies(alice) == [1], 15, "an answer")
    exit_.kill()
    world.run(240)
    ping(alice, 2)
    assert unreachables(alice) == [(site(2), HOST_UNREACHABLE)]
    exit_.start()
    provide(exit_)
    world.wait(lambda: exit_.is_published, 20, "it is published again")
    world.wait(lambda: way(alice, exit_.remote) is Way.OPEN, 12, "it is up, though nobody sends")
    ping(alice, 3)
    world.wait(lambda: 3 in replies(alice), 5, "an answer")


def test_a_frozen_exit_leaves_its_destinations_to_another_and_they_stay_there() -> None:
    world, alice = network(7, exits=2)
    one, two = world.clients["exit1"], world.clients["exit2"]
    map_exit(world, alice, one.remote)
    ping(alice, 1)
    world.wait(lambda: replies(alice) == [1], 15, "an answer")
    map_exit(world, alice, two.remote)
    world.wait(lambda: way(alice, two.remote) is Way.OPEN, 15, "the other is up")
    world.network.stop(one.address)

    def is_answered() -> bool:
        ping(alice, 1)
        world.run(0.2)
        return bool(went_out(two))

    world.wait(is_answered, 12, "the other exit takes over")
    world.network.go_on(one.address)
    world.wait(lambda: way(alice, one.remote) is Way.OPEN, 30, "it is up again")
    before = len(went_out(one))
    ping(alice, 1)
    world.run(1)
    assert len(went_out(one)) == before


def test_a_wrong_token_is_refused_with_the_exits_reason_and_the_right_one_is_not() -> None:
    world, alice = network(8)
    exit_ = world.clients["exit1"]
    exit_.role.gate.keep(
        Doorman(
            whitelist=(),
            tokens=("sesame",),
            backend=Backend.NONE,
            entropy=lambda size: b"k" * size,
        )
    )
    refused = attempt(world, alice, exit_.remote)
    assert refused.failure is Failure.REFUSED
    assert refused.reason == "a token is required"
    refused = attempt(world, alice, exit_.remote, "guess")
    assert refused == ExitTried(exit_.remote, Failure.REFUSED, "access not permitted")
    assert not alice.role.exits.use.rows()
    map_exit(world, alice, exit_.remote)
    world.wait(lambda: way(alice, exit_.remote) is Way.REFUSED, 15, "it is refused still")
    ping(alice, 1)
    assert unreachables(alice) == [(site(1), PROHIBITED)]
    assert attempt(world, alice, exit_.remote, "sesame") == ExitTried(exit_.remote)
    ping(alice, 2)
    world.wait(lambda: replies(alice) == [2], 5, "an answer")
    refused = attempt(world, alice, exit_.remote, "worse")
    assert refused == ExitTried(exit_.remote, Failure.REFUSED, "access not permitted")
    world.wait(lambda: way(alice, exit_.remote) is Way.OPEN, 5, "it goes on with the good token")
    assert alice.role.exits.use.tokens == {exit_.remote: "sesame"}
    exit_.kill()
    exit_.start()
    provide(exit_)
    exit_.role.gate.keep(
        Doorman(
            whitelist=(),
            tokens=("sesame",),
            backend=Backend.NONE,
            entropy=lambda size: b"k" * size,
        )
    )

    def is_back() -> bool:
        ping(alice, 3)
        world.run(0.2)
        return 3 in replies(alice)

    world.wait(is_back, 40, "the token is sent again without being asked for")


def test_an_exit_nobody_publishes_is_not_found() -> None:
    world, alice = network(9)
    nobody = Remote(False, b"\x11" * 32)
    tried = attempt(world, alice, nobody)
    assert tried.failure in (Failure.NOT_FOUND, Failure.NO_FLOW)
    assert alice.role.exits.use.rows() == []


def test_swapping_moves_everything_to_the_new_exit() -> None:
    world, alice = network(10, exits=2)
    one, two = world.clients["exit1"], world.clients["exit2"]
    map_exit(world, alice, one.remote)
    ping(alice, 1)
    world.wait(lambda: replies(alice) == [1], 15, "an answer")
    assert attempt(world, alice, two.remote).failure is None
    assert alice.role.exits.swap(one.remote, two.remote, world.network.now) == [EVERYTHING]
    ping(alice, 1)
    world.wait(lambda: replies(alice) == [1, 1], 5, "an answer by the other exit")
    assert [out.target for out in went_out(two)] == [site(1)]
    one.answers_echo = False
    one.send(udp(site(1), one.map(alice.remote), b"late"))
    world.run(1)
    assert len(alice.inbox) == 2, "the old one is not listened to"


def test_an_exit_may_be_configured_by_a_name_that_is_bought_later() -> None:
    world, alice = network(11, chain=True)
    exit_ = world.clients["exit1"]
    alice.role.exits.start([("exit.loki", EVERYTHING)], [], world.network.now)
    world.network.poke(alice.address)
    ping(alice, 1)
    assert unreachables(alice) == [(site(1), HOST_UNREACHABLE)]
    world.run(5)
    alice.node.take_effects()
    world.names.buy("exit.loki", exit_.role.address)
    found = NameResolved("exit.loki", Found(exit_.role.address))
    world.wait(lambda: found in alice.node.take_effects(), 40, "the name is found")
    assert alice.role.exits.use.map_.exits() == {exit_.remote}, "at once, not at the next look"
    world.wait(lambda: way(alice, exit_.remote) is Way.OPEN, 40, "the exit is up")
    ping(alice, 2)
    world.wait(lambda: replies(alice) == [2], 5, "an answer")


def test_an_exit_survives_its_relays() -> None:
    world, alice = network(12)
    exit_ = world.clients["exit1"]
    map_exit(world, alice, exit_.remote)
    ping(alice, 1)
    world.wait(lambda: replies(alice) == [1], 15, "an answer")
    for hop in world.path(alice, exit_).routers[:2]:
        world.by_router(hop).kill()

    def is_answered() -> bool:
        ping(alice, 2)
        world.run(0.2)
        return 2 in replies(alice)

    world.wait(is_answered, 10, "an answer by another path")
    assert not [one for one in unreachables(alice) if one[1] == HOST_UNKNOWN]
    assert format_ipv4(int.from_bytes(site(2), "big")) == "203.0.113.2"


def test_a_node_that_is_no_exit_is_refused_whoever_called_whom() -> None:
    world, alice = network(13)
    web = world.client("web")
    world.settle()
    assert attempt(world, alice, web.remote) == ExitTried(
        web.remote, Failure.REFUSED, "it is not an exit"
    )
    bob = world.client("bob")
    world.settle()
    world.connect(web, bob)
    map_exit(world, bob, web.remote)
    world.wait(lambda: way(bob, web.remote) is Way.UNSURE, 5, "nothing else is known of it")
    world.wait(lambda: way(bob, web.remote) is Way.REFUSED, 10, "its introset is read")
    ping(bob, 1)
    assert unreachables(bob) == [(site(1), PROHIBITED)]
