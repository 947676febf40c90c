"""A relay above its links: who it is, what it does for paths that end at it, what it refuses."""

from __future__ import annotations

from itertools import pairwise

from lokinet_node.base.ids import BlindedKey
from lokinet_node.base.units import HOUR
from lokinet_node.node.router import ContactSigned
from lokinet_node.path.own_path import Path
from lokinet_node.path.transit import Hop
from lokinet_node.testing.builders import ClientMachine, RouterMachine, World
from lokinet_node.wire import control as wire
from lokinet_node.wire.contact import decode_contact
from lokinet_node.wire.control import LinkKind, PathKind, Status


def ready(world: World) -> ClientMachine:
    alice = world.client("alice")
    world.settle()
    return alice


def asked(world: World, alice: ClientMachine, key: bytes, order: int) -> wire.FindAnswer:
    """What the last hop of alice's first path answers to a lookup within six seconds."""
    path = alice.role.keeper.ready()[0]
    answers: list[wire.FindAnswer] = []

    def take(_path: Path, kind: int, payload: bytes, _now: int) -> bool:
        if kind == PathKind.RESULT:
            answers.append(wire.decode_find_answer(payload))
        return True

    alice.role.directory.message = take  # type: ignore[method-assign, assignment]
    payload = wire.encode_lookup(wire.Lookup(77, order, BlindedKey(key)))
    alice.role.own.send(path, PathKind.LOOKUP, payload, world.network.now)
    world.network.poke(alice.address)
    world.run(6)
    (answer,) = answers
    assert answer.request == 77
    return answer


def test_a_stored_contact_that_is_good_is_kept_with_its_onion_key() -> None:
    world = World(seed=1)
    router = world.routers[0]
    signed = router.contact
    world.run(5)
    role, now = router.role, world.network.now
    role.start(signed, now)
    assert router.contact == signed
    assert signed.onion_key_id in role.transit.onion_keys


def test_a_stored_contact_that_is_old_or_says_something_else_is_replaced() -> None:
    world = World(seed=2)
    router = world.routers[0]
    signed = router.contact
    for moved, later in ((signed, HOUR), (None, 2 * HOUR)):
        router.node.take_effects()
        router.role.start(moved, world.network.now + later)
        (effect,) = router.node.take_effects()
        assert isinstance(effect, ContactSigned)
        contact = decode_contact(effect.raw)
        assert contact.issued == world.network.now + later
        assert contact.onion_key != signed.onion_key, "it served the contact it was in"


def test_the_onion_key_before_serves_one_more_period_and_no_longer() -> None:
    world = World(seed=3, routers=1)
    router = world.routers[0]
    ids = [set(router.role.transit.onion_keys)]
    for _ in range(3):
        world.run(3600)
        ids.append(set(router.role.transit.onion_keys))
    for before, after in pairwise(ids):
        assert len(after) == 2
        assert len(before & after) == 1
    assert not ids[0] & ids[2]


def test_an_order_beyond_the_routers_there_are_is_not_found() -> None:
    world = World(seed=4, routers=4)
    alice = ready(world)
    for machine in world.routers:
        machine.node.network.outages.died(world.routers[3].router, world.network.now + 1000)
    assert asked(world, alice, b"k" * 32, 3).status is Status.NOT_FOUND


def test_a_holder_that_says_nothing_is_reported_after_five_seconds() -> None:
    world = World(seed=5)
    alice = ready(world)
    pivot = world.by_router(alice.role.keeper.ready()[0].pivot)
    key = next(
        bytes([n]) * 32
        for n in range(256)
        if closest(pivot, bytes([n]) * 32).router != pivot.router
    )
    silent = world.by_router(closest(pivot, key).router)
    silent.role._serve = lambda *_: None  # type: ignore[method-assign]
    assert asked(world, alice, key, 0).status is Status.UNREACHABLE
    assert all(one.kind is not PathKind.RESULT for one in pivot.role._pending.values())


def closest(machine: RouterMachine, key: bytes):  # type: ignore[no-untyped-def]
    return machine.node.network.book.closest(key, 1, machine.world.network.now)[0]


def test_nonsense_from_a_neighbour_is_dropped_and_the_link_stays() -> None:
    world = World(seed=6)
    alice = ready(world)
    path = alice.role.keeper.ready()[0]
    first = world.by_router(path.routers[0])
    network, now = alice.node.network, world.network.now
    for kind in (*LinkKind, 99):
        if kind not in (LinkKind.PING, LinkKind.PONG, LinkKind.CONTACTS_REQUEST):
            network.send_message(path.link, kind, b"?", now)
    world.network.poke(alice.address)
    world.run(1)
    assert first.node.bad_messages == len(LinkKind) - 3 + 1
    assert path.link.is_up
    assert path.is_ready


def test_nonsense_from_a_path_closes_that_path() -> None:
    world = World(seed=7)
    alice = ready(world)
    for kind in (PathKind.REGISTER, PathKind.LOOKUP, 99):
        path = alice.role.keeper.ready()[0]
        alice.role.own.send(path, kind, b"?", world.network.now)
        world.network.poke(alice.address)
        world.run(1)
        assert not path.is_ready, kind
    assert alice.is_settled, "and others are built"


def test_a_sender_is_told_of_an_unknown_handle_but_not_for_every_burst() -> None:
    world = World(seed=8)
    alice = ready(world)
    path = alice.role.keeper.ready()[0]
    pivot = world.by_router(path.pivot)
    (hop,) = (
        hop for hop in pivot.role.transit.hops if hop.end is not None and path.handle in hop.handles
    )
    assert isinstance(hop, Hop)
    told: list[int] = []
    pivot.role.transit.send = lambda hop, kind, payload, now, **_: told.append(kind)  # type: ignore[method-assign]
    for _ in range(20):
        alice.role.own.send_body(path, (77).to_bytes(8, "big") + bytes(1320), world.network.now)
        world.run(0.02)
    assert 3 <= told.count(PathKind.GONE) <= 5, "0.4 s, one in 0.1 s"
