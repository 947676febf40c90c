"""Many sessions of one identity: strangers at the gate, simultaneous dials."""

from __future__ import annotations

from dataclasses import replace
from os import urandom

import pytest

from lokinet_node.base.ids import Handle
from lokinet_node.base.units import MILLISECOND, MINUTE, SECOND
from lokinet_node.burst import BODY, Cells
from lokinet_node.crypto.keys import ed25519_keypair
from lokinet_node.session import handshake, reception, sessions
from lokinet_node.session.auth_messages import Auth, AuthCode, AuthResult
from lokinet_node.session.effects import Drop, SendCell
from lokinet_node.session.handshake import Identity, Initiator
from lokinet_node.session.messages import Opening
from lokinet_node.session.plaintexts import TYPE_PACKET, Plaintexts
from lokinet_node.session.streams import (
    ROUTER_HANDLE,
    ROUTER_INDEX,
    ReceiveStream,
    SendStream,
    router_stream_key,
)
from lokinet_node.wire.introset import Introduction, Introset
from tests.unit.session.shuttle import NETID, Client, FakePath, World, pivot, session_of
from tests.unit.session.test_admission import Nobody

pytestmark = pytest.mark.usefixtures("sealed_once")


def knock(world: World, introset: Introset, path: FakePath, skew: int = 0, seed: int = 99) -> bytes:
    """A message 1 by a stranger who can be answered over `path`'s pivot."""
    back = Introduction(path.pivot, Handle(12345), path.expires_s)
    opening = Opening(world.now + skew, 77, (back,))
    who = Identity.of(ed25519_keypair(seed.to_bytes(32, "big")).secret)
    return Initiator(who, introset, NETID, opening, urandom).body(path.handle)


# --- the gate


def test_three_callers_of_one_introduction_each_have_a_session_of_their_own() -> None:
    world = World(jitter=5 * MILLISECOND)
    service = Client(world, 1, (1,))
    callers = [Client(world, 2 + n, (1,)) for n in range(3)]
    service.publish()
    for caller in callers:
        caller.connect(service)
    world.run_until(lambda: len(service.ready()) == 3, 5 * SECOND)
    for number in range(40):
        for caller in callers:
            caller.send(service, b"%d from %d" % (number, caller.seed))
            service.send(caller, b"%d to %d" % (number, caller.seed))
        world.run(30 * MILLISECOND)
    world.run(SECOND)
    for caller in callers:
        assert set(service.got(caller)) == {b"%d from %d" % (n, caller.seed) for n in range(40)}
        assert set(caller.got(service)) == {b"%d to %d" % (n, caller.seed) for n in range(40)}
    keys = {epoch.keys.send for caller in callers for epoch in session_of(caller, service).epochs}
    assert len(keys) == 3
    assert len(world.handles) == 4, "one introduction served all"
    assert not service.dropped()


def test_junk_is_dropped_by_name_and_costs_no_key_exchange(monkeypatch: pytest.MonkeyPatch) -> None:
    world = World()
    service = Client(world, 1, (1,))
    introset = service.publish()
    path = service.paths[0]
    good = knock(world, introset, path)
    monkeypatch.setattr(reception, "Responder", None)
    service.deliver(path, path.handle.to_bytes(8, "big") + bytes(4) + urandom(BODY - 12))
    service.deliver(path, good[:-1] + bytes((good[-1] ^ 1,)))
    service.deliver(path, good[:8] + b"\0\0\0\7" + good[12:])
    service.deliver(path, bytes(8) + good[8:])
    service.sessions.handle_cell(path, b"short", world.now)
    assert service.dropped() == {
        Drop.UNKNOWN_INTROSET: 1,
        Drop.GATE: 1,
        Drop.UNKNOWN_INDEX: 3,
    }
    assert not service.effects
    assert not service.sessions.by_remote


@pytest.mark.parametrize("skew", [-121 * SECOND, 121 * SECOND])
def test_a_message_one_from_another_time_is_refused(skew: int) -> None:
    world = World()
    service = Client(world, 1, (1,))
    path = service.paths[0]
    service.deliver(path, knock(world, service.publish(), path, skew))
    assert service.dropped() == {Drop.DATE: 1}
    service.deliver(path, knock(world, service.publish(), path, skew * 9 // 10))
    assert len(service.effects) == 1


def test_a_flood_at_one_introduction_leaves_the_other_introductions_open() -> None:
    world = World()
    service = Client(world, 1, (1, 2))
    introset = service.publish()
    first, second = service.paths
    for _ in range(reception.INTRODUCTION_BURST + 5):
        service.deliver(first, knock(world, introset, first))
    assert service.dropped()[Drop.BUSY] == 5
    answered = len(service.effects)
    service.deliver(second, knock(world, introset, second, seed=100))
    assert len(service.effects) == answered + 1
    world.now += SECOND
    service.deliver(first, knock(world, introset, first, seed=101))
    assert len(service.effects) == answered + 2, "a second later there is room again"


def test_one_caller_leaves_at_most_a_few_unused_keys_behind() -> None:
    world = World()
    service = Client(world, 1, (1,))
    introset, path = service.publish(), service.paths[0]
    for _ in range(20):
        service.deliver(path, knock(world, introset, path))
    assert len(service.sessions.by_remote) == 1
    assert len(service.sessions.streams) == 4 * 8
    world.run(2 * MINUTE)
    assert not service.sessions.streams
    assert not service.ready()


def test_the_sessions_of_strangers_are_limited(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sessions, "MOST_SESSIONS", 3)
    world = World()
    service = Client(world, 1, (1,))
    introset, path = service.publish(), service.paths[0]
    for seed in range(50, 55):
        service.deliver(path, knock(world, introset, path, seed=seed))
    assert len(service.sessions.by_remote) == 3
    assert service.dropped() == {Drop.BUSY: 2}


def test_strangers_make_room_for_the_next_caller_and_guests_do_not(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(sessions, "MOST_SESSIONS", 3)
    world = World()
    service = Client(world, 1, (1,))
    service.sessions.keep_door(Nobody())
    introset, path = service.publish(), service.paths[0]
    for seed in range(50, 53):
        service.deliver(path, knock(world, introset, path, seed=seed))
    first, second, third = service.sessions.by_remote.values()
    first.admission.is_welcome = True
    second.admission.asked(Auth(1, "voucher"), world.now)
    for seed in (53, 54):
        service.deliver(path, knock(world, introset, path, seed=seed))
    left = list(service.sessions.by_remote.values())
    assert left[:2] == [first, second], "one was let in, about one a decision is on its way"
    assert third not in left
    assert len(left) == 3
    assert not service.dropped()
    second.admission.decided(AuthResult(1, AuthCode.REJECT, "no"), None, world.now)
    for seed in (55, 56):
        service.deliver(path, knock(world, introset, path, seed=seed))
    assert second not in service.sessions.by_remote.values()


def test_a_caller_that_cannot_be_answered_or_calls_itself_is_dropped() -> None:
    world = World()
    service = Client(world, 1, (1,))
    introset, path = service.publish(), service.paths[0]
    elsewhere = replace(path, pivot=pivot(9))
    body = path.handle.to_bytes(8, "big") + knock(world, introset, elsewhere)[8:]
    service.deliver(path, body)
    service.deliver(path, knock(world, introset, path, seed=1))
    assert service.dropped() == {Drop.NO_WAY_BACK: 1, Drop.BUSY: 1}
    assert not service.effects


def test_an_introset_is_honoured_until_it_expires_and_not_longer() -> None:
    world = World()
    service = Client(world, 1, ())
    path = service.open_path(1, life=60 * MINUTE)
    old = service.publish()
    world.run(19 * MINUTE)
    service.publish()
    service.deliver(path, knock(world, old, path))
    assert len(service.effects) == 1
    world.run(2 * MINUTE)
    service.deliver(path, knock(world, old, path, seed=100))
    assert service.dropped() == {Drop.UNKNOWN_INTROSET: 1}
    world.run(20 * MINUTE)
    service.publish()
    names = service.sessions._reception._invitations
    assert len(names) == 1, "the secrets of expired introsets must be gone"


def test_an_answer_that_makes_no_sense_ends_that_handshake(monkeypatch: pytest.MonkeyPatch) -> None:
    world = World()
    service, caller = Client(world, 1, (1,)), Client(world, 2, (1,))
    service.publish()
    monkeypatch.setattr(handshake, "encode_answer", lambda _: b"\0\xff" + bytes(1266))
    caller.connect(service)
    world.run_until(lambda: bool(service.effects), SECOND)
    answer = next(one for one in service.effects if isinstance(one, SendCell))
    for _ in range(2):
        caller.deliver(caller.paths[0], answer.body)
    assert caller.dropped() == {Drop.HANDSHAKE: 1, Drop.UNKNOWN_INDEX: 1}
    assert not caller.ready()


def test_a_forged_record_does_not_count_as_heard() -> None:
    world = World()
    service, caller = Client(world, 1, (1,)), Client(world, 2, (1,))
    service.publish()
    caller.connect(service)
    world.run_until(lambda: bool(service.sessions.by_remote), SECOND)
    index = next(iter(service.sessions.streams))
    body = service.paths[0].handle.to_bytes(8, "big") + index.to_bytes(4, "big") + bytes(1316)
    service.deliver(service.paths[0], body)
    epoch = service.sessions.streams[index].owner
    assert epoch is not None
    assert epoch.confirmed is None
    assert not service.ready()


# --- both at once


@pytest.mark.parametrize("seed", range(8))
def test_two_that_dial_each_other_end_up_sending_under_the_lower_ones_keys(seed: int) -> None:
    world = World(seed=seed, jitter=20 * MILLISECOND)
    one, other = Client(world, 1, (1, 2)), Client(world, 2, (3, 4))
    one.publish(), other.publish()
    one.connect(other)
    other.connect(one)
    for number in range(50):
        one.send(other, b"%d" % number), other.send(one, b"%d" % number)
        world.run(50 * MILLISECOND)
    assert len(set(other.got(one))) > 35
    assert len(set(one.got(other))) > 35
    assert one.ready() == [other.address]
    assert other.ready() == [one.address]
    ours, theirs = session_of(one, other).epochs.best(), session_of(other, one).epochs.best()
    assert ours is not None
    assert theirs is not None
    assert ours.keys.send == theirs.keys.receive, "both must settle on the same keys"
    if len(session_of(one, other).epochs) > 1:
        assert ours.initiator == min(one.address, other.address)
    world.run(2 * MINUTE)
    assert len(session_of(one, other).epochs) == len(session_of(other, one).epochs) == 1


def test_simultaneous_dials_do_meet() -> None:
    """That the test above has both kinds of cases."""
    met = set()
    for seed in range(8):
        world = World(seed=seed, jitter=20 * MILLISECOND)
        one, other = Client(world, 1, (1, 2)), Client(world, 2, (3, 4))
        one.publish(), other.publish()
        one.connect(other)
        other.connect(one)
        world.run(2 * SECOND)
        met.add(len(session_of(one, other).epochs))
    assert max(met) > 1


# --- routers


def test_a_session_with_a_router_needs_no_handshake() -> None:
    there, back = urandom(44), urandom(44)
    owner = SendStream(router_stream_key(there)), ReceiveStream(router_stream_key(back))
    router = SendStream(router_stream_key(back)), ReceiveStream(router_stream_key(there))
    for sending, receiving in ((owner[0], router[1]), (router[0], owner[1])):
        plain, cells, opened = Plaintexts(), Cells(), Plaintexts()
        plain.put(0, TYPE_PACKET, b"ping")
        assert sending.seal(plain, 0, 1, cells, 0, ROUTER_HANDLE) == 1
        assert sending.index == receiving.index == ROUTER_INDEX
        assert receiving.open(cells, 0, 1, (0,), opened, 0) == 1
        assert bytes(opened.content(0) or b"") == b"ping"
        assert receiving.owner is None


def test_the_first_record_of_a_session_says_that_effects_are_waiting() -> None:
    world = World()
    service, caller = Client(world, 1, (1,)), Client(world, 2, (1,))
    service.publish()
    caller.connect(service)
    world.run_until(lambda: bool(caller.ready()), SECOND)
    answers = []
    sending = session_of(caller, service).sending()
    assert sending is not None
    for _ in range(2):
        plain, cells = Plaintexts(), Cells()
        plain.put(0, TYPE_PACKET, b"data comes first")
        counter = sending.stream.counter
        sending.stream.seal(plain, 0, 1, cells, 0, sending.handle)
        stream = service.sessions.streams[sending.stream.index]
        stream.open(cells, 0, 1, (counter,), plain, 0)
        answers.append(
            service.sessions.received(stream, service.paths[0], world.now, has_data=False)
        )
        service.settle()
    assert answers == [True, False]
    assert service.ready() == [caller.address]


def test_rooms_without_sessions_want_nothing() -> None:
    world = World()
    client = Client(world, 1, (1,))
    assert client.deadline() is None
    client.sessions.tick(world.now)
    client.sessions.introset_found(client.address, None, 0, world.now)
    client.told_gone(client.paths[0], Handle(5))
    assert client.sessions.take_effects() == []
    assert not [one for one in client.effects if isinstance(one, SendCell)]
