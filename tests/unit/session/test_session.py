"""One session between two clients: dialling, data, liveness, keys, end; in virtual time."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import pytest

from lokinet_node.base.timing import Timing
from lokinet_node.base.units import MILLISECOND, MINUTE, SECOND
from lokinet_node.session import epochs, streams
from lokinet_node.session.effects import Drop, NeedIntroset, NeedPaths, SendCell
from lokinet_node.session.messages import Close, CloseReason
from lokinet_node.session.session import Session
from lokinet_node.session.states import Established
from lokinet_node.session.streams import MOST_RECORDS, WORN
from tests.unit.session.shuttle import Client, World, join, pivot

pytestmark = pytest.mark.usefixtures("sealed_once")


def pair(world: World | None = None) -> tuple[World, Client, Client]:
    """A caller and a service with paths to three pivots each, none in common yet."""
    world = world or World()
    service = Client(world, 1, (1, 2, 3))
    caller = Client(world, 2, (7, 8, 9))
    return world, caller, service


def joined(world: World | None = None) -> tuple[World, Client, Client]:
    world, caller, service = pair(world)
    join(world, caller, service)
    world.run(2 * SECOND)
    return world, caller, service


def session_of(client: Client, other: Client) -> Session:
    return client.sessions.by_remote[other.address]


def talk(world: World, one: Client, other: Client, text: bytes) -> None:
    """Both say something until they hear it, as a transport protocol would."""
    for _ in range(15):
        one.send(other, text), other.send(one, text)
        world.run(100 * MILLISECOND)
        if text in one.got(other) and text in other.got(one):
            return
    raise AssertionError(f"{text!r} did not get through within 1.5 s")


# --- dialling


def test_a_dial_leads_to_data_both_ways_and_both_know_who_it_is() -> None:
    world, caller, service = joined()
    assert caller.ready() == [service.address]
    assert service.ready() == [caller.address]
    assert caller.send(service, b"question", b"another")
    world.run(SECOND)
    assert service.inbox == [(caller.address, b"question"), (caller.address, b"another")]
    assert service.send(caller, b"answer")
    world.run(SECOND)
    assert caller.inbox == [(service.address, b"answer")]
    assert not caller.dropped()
    assert not service.dropped()


def test_a_dial_asks_for_the_introset_then_for_paths_to_two_of_its_pivots() -> None:
    world, caller, service = pair()
    service.publish()
    caller.connect(service)
    world.run(MINUTE)
    asked = [one for one in caller.effects if isinstance(one, NeedIntroset | NeedPaths)]
    assert asked[0] == NeedIntroset(service.address)
    assert asked[1] == NeedPaths(service.address, (pivot(1), pivot(2), pivot(3)), 2)
    assert asked[-1] == NeedPaths(service.address, (), 0)
    assert len([one for one in asked if isinstance(one, NeedIntroset)]) == 1


def test_a_dial_repeated_is_one_dial() -> None:
    world, caller, service = pair()
    service.publish()
    for _ in range(5):
        caller.connect(service)
    world.run(SECOND)
    assert caller.ready() == [service.address]
    assert len([one for one in caller.effects if isinstance(one, NeedIntroset)]) == 1


def test_a_dial_without_an_introset_fails_and_is_forgotten() -> None:
    world, caller, service = pair()
    caller.connect(service)
    world.run(SECOND)
    assert caller.failures() == [(service.address, "no introset")]
    assert service.address not in caller.sessions.by_remote
    assert not caller.sessions.streams


def test_a_dial_that_nobody_answers_fails_after_asking_for_the_introset_again() -> None:
    world, caller, service = pair()
    service.publish()
    service.is_alive = False
    caller.connect(service)
    world.run(MINUTE)
    assert caller.failures() == [(service.address, "no answer")]
    assert len([one for one in caller.effects if isinstance(one, NeedIntroset)]) >= 2
    assert caller.wishes[service.address].count == 0, "the wish for paths must be withdrawn"


def test_a_dial_without_a_way_fails() -> None:
    world, caller, service = pair()
    caller.builds = False
    service.publish()
    caller.connect(service)
    world.run(MINUTE)
    assert caller.failures() == [(service.address, "no answer")]
    assert not [one for one in caller.effects if isinstance(one, SendCell)]


def test_nothing_but_message_two_is_sent_before_the_callers_first_record() -> None:
    world, caller, service = pair()
    service.publish()
    caller.connect(service)
    world.run_until(lambda: bool(service.effects), 2 * SECOND)
    for path in service.paths:
        path.is_frozen = True
    world.run(20 * SECOND)
    sent = {one.body for one in service.effects if isinstance(one, SendCell)}
    assert len(sent) >= 1
    assert service.ready() == []
    assert service.route_to(caller) is None
    repeated = [one.body for one in service.effects if isinstance(one, SendCell)]
    assert all(body[8:12] != bytes(4) for body in repeated)
    world.run(2 * MINUTE)
    assert caller.address not in service.sessions.by_remote, "an unused session must be forgotten"
    assert not service.sessions.streams


def test_a_lost_answer_is_answered_again_by_the_same_bytes() -> None:
    world, caller, service = pair()
    caller.builds = False
    common = caller.open_path(1)
    service.publish()
    caller.connect(service)
    world.run_until(lambda: bool(service.effects), 2 * SECOND)
    common.is_frozen = True
    world.run(200 * MILLISECOND)
    common.is_frozen = False
    world.run(3 * SECOND)
    assert caller.ready() == [service.address]
    answers = [one.body for one in service.effects if isinstance(one, SendCell)][:2]
    assert answers[0] == answers[1]


def test_a_message_one_replayed_after_its_keys_were_used_is_not_answered() -> None:
    world, _, service = joined()
    knocks = [body for _, body in world.observed if body[8:12] == bytes(4)]
    path = service.path_to(1)
    before = len(service.effects)
    service.deliver(path, knocks[0])
    assert service.dropped() == {Drop.REPEATED: 1}
    service.deliver(path, knocks[0][:-1] + bytes((knocks[0][-1] ^ 1,)))
    assert service.dropped()[Drop.GATE] == 1
    world.now += 5 * MINUTE
    service.sessions.new_introset((), world.now)  # prunes what is too old to matter
    service.deliver(path, knocks[0])
    assert service.dropped()[Drop.DATE] == 1
    assert len(service.effects) == before


def test_two_pivots_never_see_the_same_message_or_index() -> None:
    world, caller, service = joined(World(loss=0.2, seed=3))
    for number in (1, 2, 3):
        for client in (caller, service):
            for path in [one for one in client.paths if one.pivot == pivot(number)]:
                client.lose(path)
                client.open_path(number)
                world.run(3 * SECOND)
    seen: dict[bytes, set[bytes]] = {}
    indices: dict[bytes, set[bytes]] = {}
    for router, body in world.observed:
        if body[8:12] == bytes(4):
            seen.setdefault(body[8:], set()).add(router)
        else:
            indices.setdefault(body[8:12], set()).add(router)
    assert len(seen) >= 1
    assert all(len(routers) == 1 for routers in seen.values())
    assert len(indices) >= 6
    assert all(len(routers) == 1 for routers in indices.values())


@pytest.mark.parametrize("seed", range(12))
def test_a_session_comes_about_and_carries_data_over_a_bad_network(seed: int) -> None:
    world = World(seed=seed, loss=0.25, duplication=0.2, jitter=60 * MILLISECOND)
    world, caller, service = pair(world)
    join(world, caller, service)
    for number in range(60):
        caller.send(service, b"up %d" % number)
        service.send(caller, b"down %d" % number)
        world.run(100 * MILLISECOND)
    up, down = service.got(caller), caller.got(service)
    assert len(up) == len(set(up)), "no record may be delivered twice"
    assert len(down) == len(set(down))
    assert len(up) > 15
    assert len(down) > 15


# --- routes


def test_the_shorter_route_is_taken_and_kept_while_it_is_good() -> None:
    world, caller, service = pair()
    slow, fast = (
        caller.open_path(1, rtt=90 * MILLISECOND),
        caller.open_path(2, rtt=30 * MILLISECOND),
    )
    join(world, caller, service)
    assert caller.route_to(service) is fast
    slow.rtt = 5 * MILLISECOND
    caller.sessions.paths_changed(caller.paths, world.now)
    world.run(20 * SECOND)
    assert caller.route_to(service) is fast


def test_the_service_answers_over_its_own_choice_of_route() -> None:
    world, caller, service = joined()
    talk(world, caller, service, b"x")
    back = service.route_to(caller)
    assert back is not None
    assert back.pivot in {path.pivot for path in caller.paths}


def test_a_lost_path_moves_data_to_another_route_at_once() -> None:
    world, caller, service = joined()
    for client, other in ((caller, service), (service, caller)):
        path = client.route_to(other)
        assert path is not None
        client.lose(path)
        assert client.route_to(other) not in (None, path)
        talk(world, caller, service, b"after %d" % client.seed)


def test_a_gone_handle_moves_data_to_another_route_at_once() -> None:
    world, caller, service = joined()
    path = caller.route_to(service)
    assert path is not None
    del world.handles[path.pivot, service.path_to(path.pivot[0]).handle]
    caller.send(service, b"into the void")
    world.run(60 * MILLISECOND)
    assert caller.route_to(service) not in (None, path)
    assert caller.send(service, b"arrives")
    world.run(SECOND)
    assert b"arrives" in service.got(caller)


def test_a_gone_handle_of_somebody_else_changes_nothing() -> None:
    _, caller, service = joined()
    path = caller.route_to(service)
    assert path is not None
    caller.told_gone(path, type(path.handle)(12345))
    assert caller.route_to(service) is path


def test_both_ends_learn_each_others_new_introductions() -> None:
    world, caller, service = joined()
    service.open_path(5)
    caller.open_path(6)
    world.run(SECOND)
    theirs = {one.router for one in session_of(caller, service).book.remote}
    ours = {one.router for one in session_of(service, caller).book.remote}
    assert pivot(5) in theirs
    assert pivot(6) in ours


def test_introductions_are_told_again_until_acknowledged() -> None:
    world, caller, service = joined()
    world.loss = 1.0
    service.open_path(5)
    world.run(2 * SECOND)
    assert pivot(5) not in {one.router for one in session_of(caller, service).book.remote}
    world.loss = 0.0
    world.run(20 * SECOND)
    assert pivot(5) in {one.router for one in session_of(caller, service).book.remote}
    assert session_of(service, caller).announcer.deadline is None


def test_paths_to_two_pivots_are_wanted_again_when_one_is_lost() -> None:
    world, caller, service = joined()
    caller.lose(caller.path_to(1))
    assert caller.wishes[service.address].count == 1
    assert caller.wishes[service.address].pivots[0] not in {pivot(2)}
    world.run(SECOND)
    assert caller.wishes[service.address].count == 0


def test_a_route_that_ends_soon_is_replaced_before_it_does() -> None:
    world = World()
    service = Client(world, 1, ())
    service.open_path(1, life=3 * MINUTE), service.open_path(2)
    caller = Client(world, 2, (7,))
    caller.open_path(1, rtt=MILLISECOND), caller.open_path(2)
    join(world, caller, service)
    assert caller.route_to(service) is caller.path_to(1)
    world.run(50 * SECOND)
    assert caller.route_to(service) is caller.path_to(1)
    world.run(20 * SECOND)
    assert caller.route_to(service) is caller.path_to(2)
    assert not caller.wishes, "there is nowhere else to go"


@pytest.mark.parametrize("side", ["caller", "service"])
def test_a_route_that_fell_silent_is_left_and_reported_within_three_seconds(side: str) -> None:
    world, caller, service = joined()
    talk(world, caller, service, b"before")
    sender, receiver = (caller, service) if side == "caller" else (service, caller)
    path = sender.route_to(receiver)
    assert path is not None
    path.is_frozen = True
    frozen_at = world.now
    while world.now < frozen_at + 6 * SECOND:
        caller.send(service, b"up"), service.send(caller, b"down")
        world.run(20 * MILLISECOND)
    for client in (caller, service):
        times = [when for when in client.arrivals if when > frozen_at - SECOND]
        gaps = [after - before for before, after in pairwise(times)]
        assert max(gaps) < 3 * SECOND
        assert times[-1] > frozen_at + 5 * SECOND
    assert path in sender.suspects()


def test_a_one_way_stream_over_a_good_route_is_not_suspected() -> None:
    world, caller, service = joined()
    for _ in range(400):
        caller.send(service, b"datagram")
        world.run(50 * MILLISECOND)
    assert len(service.got(caller)) == 400
    assert caller.suspects() == service.suspects() == []


def test_an_idle_session_is_quiet() -> None:
    world, _, _ = joined()
    before = len(world.observed)
    world.run(MINUTE)
    assert len(world.observed) == before


# --- keys


def short_keys(seconds: int) -> World:
    return World(timing=replace(Timing(), session_rekey=seconds * SECOND))


def test_keys_are_renewed_under_traffic_without_a_loss() -> None:
    world, caller, service = joined(short_keys(5))
    first = session_of(caller, service).epochs.best()
    for number in range(500):
        caller.send(service, b"up %d" % number), service.send(caller, b"down %d" % number)
        world.run(50 * MILLISECOND)
    world.run(SECOND)
    assert len(set(service.got(caller))) == len(set(caller.got(service))) == 500
    assert session_of(caller, service).epochs.best() is not first
    world.run(MINUTE)
    for client, other in ((caller, service), (service, caller)):
        assert len(session_of(client, other).epochs) == 1, "old keys must go"
        assert {one.owner for one in client.sessions.streams.values()} == set(
            session_of(client, other).epochs
        )
    assert caller.ready() == [service.address], "the renewal must not show"
    assert not caller.suspects()


def test_an_idle_session_keeps_its_keys() -> None:
    world, caller, service = joined(short_keys(5))
    world.run(10 * SECOND)
    first = session_of(caller, service).epochs.best()
    world.run(5 * MINUTE)
    assert session_of(caller, service).epochs.best() is first
    talk(world, caller, service, b"again")
    world.run(6 * SECOND)
    assert session_of(caller, service).epochs.best() is not first


def test_worn_keys_are_renewed() -> None:
    world, caller, service = joined()
    sending = session_of(caller, service).sending()
    assert sending is not None
    sending.stream.counter = WORN
    world.run(3 * SECOND)
    fresh = session_of(caller, service).sending()
    assert fresh is not None
    assert fresh.stream.counter < 100
    talk(world, caller, service, b"fresh")


def test_the_called_end_renews_worn_keys_when_the_caller_does_not() -> None:
    world, caller, service = joined()
    caller.publish()
    sending = session_of(service, caller).sending()
    assert sending is not None
    sending.stream.counter = WORN + WORN // 4
    world.run(3 * SECOND)
    best = session_of(service, caller).epochs.best()
    assert best is not None
    assert best.initiator == service.address
    talk(world, caller, service, b"fresh")


def test_a_key_that_sealed_all_it_may_ends_the_session() -> None:
    world, caller, service = joined()
    sending = session_of(caller, service).sending()
    assert sending is not None
    sending.stream.counter = MOST_RECORDS
    world.run(2 * SECOND)
    assert caller.ends() == [(service.address, "keys used up")]


def test_old_keys_serve_until_the_new_ones_are_confirmed() -> None:
    world, caller, service = joined(short_keys(5))
    talk(world, caller, service, b"x")
    old = session_of(service, caller).epochs.best()
    world.run_until(lambda: len(session_of(service, caller).epochs) == 2, 10 * SECOND)
    assert session_of(service, caller).epochs.best() is old, "nothing was heard under the new ones"
    assert service.send(caller, b"under the old keys")
    world.run(SECOND)
    assert b"under the old keys" in caller.got(service)
    assert session_of(service, caller).epochs.best() is not old


def test_when_streams_run_out_new_keys_are_made() -> None:
    world, caller, service = joined()
    session = session_of(caller, service)
    first = session.epochs.best()
    assert first is not None
    caller.builds = False
    world.loss = 1.0  # nothing is ever proven
    for _ in range(epochs.STREAMS_AHEAD + 2):
        for path in [one for one in caller.paths if one.pivot in (pivot(1), pivot(2))]:
            caller.lose(path)
        caller.open_path(1)
    assert session.sending() is None
    assert session.dial is not None
    world.loss = 0.0
    world.run(10 * SECOND)
    assert session.epochs.best() is not first
    talk(world, caller, service, b"new keys")


# --- end


def test_a_session_nobody_uses_is_forgotten_by_both() -> None:
    timing = replace(Timing(), session_idle=2 * MINUTE)
    world, caller, service = joined(World(timing=timing))
    talk(world, caller, service, b"last words")
    world.run(110 * SECOND)
    assert isinstance(session_of(caller, service).state, Established)
    world.run(20 * SECOND)
    assert not caller.sessions.by_remote
    assert not service.sessions.by_remote
    assert (service.address, "idle") in caller.ends() or (caller.address, "idle") in service.ends()
    assert not caller.sessions.streams
    assert not service.sessions.streams
    assert caller.deadline() is None


def test_a_close_ends_both_ends_and_a_new_dial_works() -> None:
    world, caller, service = joined()
    caller.sessions.close(service.address, world.now)
    caller.settle()
    world.run(SECOND)
    assert caller.ends() == [(service.address, "asked")]
    assert service.ends() == [(caller.address, "closed by the remote")]
    join(world, caller, service)
    talk(world, caller, service, b"again")


def test_a_restarted_service_is_found_again_by_its_caller() -> None:
    world, caller, service = joined()
    talk(world, caller, service, b"before")
    reborn = service.restart()
    for number in (4, 5):
        reborn.open_path(number)
    reborn.publish()
    for _ in range(100):
        caller.send(reborn, b"hello?")
        world.run(50 * MILLISECOND)
    assert len(reborn.got(caller)) > 60, "back within two seconds"
    talk(world, caller, reborn, b"after")


def test_a_restarted_caller_gets_a_session_again_and_the_service_uses_it() -> None:
    world, caller, service = joined()
    talk(world, caller, service, b"before")
    reborn = caller.restart()
    reborn.open_path(8)
    world.run(SECOND)
    join(world, reborn, service)
    talk(world, reborn, service, b"after")
    world.run(MINUTE)
    talk(world, reborn, service, b"much later")
    assert len(session_of(service, reborn).epochs) == 1


def test_an_unreachable_remote_is_given_up_after_a_minute() -> None:
    world, caller, service = joined()
    service.stop()
    world.introsets.clear()
    for _ in range(90):
        caller.send(service, b"anybody?")
        world.run(SECOND)
    assert caller.ends() == [(service.address, "unreachable")]
    assert caller.failures()
    assert {reason for _, reason in caller.failures()} == {"no introset"}


def test_after_a_total_outage_data_flows_again() -> None:
    world, caller, service = joined()
    talk(world, caller, service, b"before")
    world.loss = 1.0
    for _ in range(20):
        caller.send(service, b"lost")
        world.run(SECOND)
    world.loss = 0.0
    for _ in range(10):
        caller.send(service, b"found")
        world.run(SECOND)
    assert len(service.got(caller)) >= 5
    talk(world, caller, service, b"after")


def test_a_malformed_session_message_is_counted_and_changes_nothing() -> None:
    world, caller, service = joined()
    session = session_of(service, caller)
    session.message(b"\xff junk", world.now)
    assert service.dropped() == {Drop.MESSAGE: 1}
    assert isinstance(session.state, Established)
    session.message(b"\x05" + bytes((CloseReason.ASKED,)), world.now)
    assert service.ends() == []
    service.settle()
    assert service.ends() == [(caller.address, "closed by the remote")]
    assert Close(0) == Close(CloseReason.ASKED)
    assert streams.ROUTER_HANDLE == 1
