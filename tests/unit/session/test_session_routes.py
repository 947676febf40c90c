"""Which way a session sends, and how soon it leaves a way that is none."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import pytest

from lokinet_node.base.timing import Timing
from lokinet_node.base.units import MILLISECOND, MINUTE, SECOND
from lokinet_node.session.effects import SendCell
from lokinet_node.session.messages import Introductions, encode_message
from tests.unit.session.shuttle import Client, World, join, joined, pair, pivot, session_of, talk

pytestmark = pytest.mark.usefixtures("sealed_once")


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


def test_a_new_route_is_tried_by_a_ping_whose_answer_proves_its_stream() -> None:
    world, caller, service = joined()
    session = session_of(caller, service)
    path, epoch = caller.route_to(service), session.epochs.best()
    assert path is not None
    assert epoch is not None
    caller.told_gone(path, service.path_to(path.pivot[0]).handle)
    sending = session.sending()
    assert sending is not None
    assert sending.stream.number > epoch.proven
    world.run(SECOND)
    assert epoch.proven == sending.stream.number
    assert session.watch.rtt is not None


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


def test_older_introductions_than_those_known_are_acknowledged_and_ignored() -> None:
    world, caller, service = joined()
    session = session_of(caller, service)
    known = session.book.remote
    stale = encode_message(Introductions(0, known[:1]))
    session.message(stale, world.now)
    assert session.book.remote == known
    caller.settle()
    assert isinstance(caller.effects[-1], SendCell), "the acknowledgement"
    session.message(encode_message(Introductions(1000, known[:1])), world.now)
    assert session.book.remote == known[:1]


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


def test_short_lived_paths_are_replaced_in_time_too() -> None:
    world = World(timing=replace(Timing(), path_lifetime=20 * SECOND))
    service = Client(world, 1, ())
    service.open_path(1, life=12 * SECOND), service.open_path(2)
    caller = Client(world, 2, (7,))
    caller.open_path(1, rtt=MILLISECOND), caller.open_path(2)
    join(world, caller, service)
    soon = caller.path_to(1)
    assert caller.route_to(service) is soon
    world.run_until(lambda: caller.route_to(service) is not soon, 15 * SECOND)
    born = service.path_to(1).expires_s - 12
    assert 9.9 * SECOND < world.now - born * SECOND < 10.1 * SECOND


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


def test_a_route_that_carries_nothing_out_is_left_though_everything_arrives() -> None:
    world, caller, service = joined()
    talk(world, caller, service, b"before")
    path = service.route_to(caller)
    assert path is not None
    path.is_mute = True
    frozen_at = world.now
    for _ in range(200):
        caller.send(service, b"question"), service.send(caller, b"answer")
        world.run(20 * MILLISECOND)
    assert service.route_to(caller) not in (None, path)
    assert path in service.suspects()
    assert caller.arrivals[-1] > frozen_at + 3 * SECOND
    times = [when for when in caller.arrivals if when > frozen_at - SECOND]
    assert max(after - before for before, after in pairwise(times)) < 3 * SECOND


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
