"""Keys of a session are renewed before they break, under traffic."""

from __future__ import annotations

from dataclasses import replace

import pytest

from lokinet_node.base.timing import Timing
from lokinet_node.base.units import MILLISECOND, MINUTE, SECOND
from lokinet_node.session import epochs
from lokinet_node.session.streams import MOST_RECORDS, WORN
from tests.unit.session.shuttle import World, joined, pivot, session_of, talk

pytestmark = pytest.mark.usefixtures("sealed_once")


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
