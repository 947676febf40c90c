"""Sessions end, or come back after a restart or an outage."""

from __future__ import annotations

from dataclasses import replace

import pytest

from lokinet_node.base.timing import Timing
from lokinet_node.base.units import MILLISECOND, MINUTE, SECOND
from lokinet_node.session import streams
from lokinet_node.session.effects import Drop, NeedIntroset, SessionEnded
from lokinet_node.session.messages import Close, CloseReason
from lokinet_node.session.states import Established
from tests.unit.session.shuttle import Client, World, join, joined, session_of, talk

pytestmark = pytest.mark.usefixtures("sealed_once")


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
    session_of(caller, service).close(CloseReason.ASKED, world.now)
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


def test_a_restarted_end_is_told_everything_anew_and_heard_from_the_first_number_on() -> None:
    world, caller, service = joined()
    for _ in range(20):
        caller.open_path(6)
        world.run(SECOND)
    assert session_of(caller, service).announcer.number > 20
    reborn = caller.restart()
    reborn.open_path(8)
    join(world, reborn, service)
    world.run(2 * SECOND)
    reborn.open_path(9)
    world.run(2 * SECOND)
    assert session_of(reborn, service).announcer.number < 20
    known = {one.handle for one in session_of(service, reborn).book.remote}
    assert known == {path.handle for path in reborn.paths}

    reborn.builds = False
    again = service.restart()
    for number in (1, 2, 3):  # where the caller has paths already: nothing changes for it
        again.open_path(number)
    again.publish()
    for _ in range(60):
        reborn.send(again, b"hello?")
        world.run(50 * MILLISECOND)
    known = {one.handle for one in session_of(again, reborn).book.remote}
    assert known == {path.handle for path in reborn.paths}, "message 1 has room for two only"


def test_keys_that_nobody_answered_to_do_not_come_back_as_simultaneous_ones() -> None:
    world = World()
    service, caller = Client(world, 2, (1, 2, 3)), Client(world, 1, (7, 8))
    if caller.address < service.address:
        service, caller = Client(world, 1, (1, 2, 3)), Client(world, 2, (7, 8))
    caller.publish()
    join(world, service, caller)  # the lower address starts the first keys
    world.run(SECOND)
    session = session_of(caller, service)
    old = session.epochs.best()
    assert old is not None
    assert old.initiator == service.address < caller.address
    reborn = service.restart()
    reborn.open_path(4)
    reborn.publish()
    for _ in range(20):
        old.confirmed = world.now  # as if that handshake had only just ended
        caller.send(reborn, b"hello?")
        world.run(100 * MILLISECOND)
    assert session.epochs.best() is not old
    talk(world, caller, reborn, b"after")


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
    while_known = caller.effects[: caller.effects.index(SessionEnded(*caller.ends()[0]))]
    asked = [one for one in while_known if isinstance(one, NeedIntroset)]
    assert 3 < len(asked) < 10, "it is tried again and again, but not in a hurry"


def test_a_service_that_moved_without_a_trace_is_found_by_its_new_introset() -> None:
    world, caller, service = joined()
    talk(world, caller, service, b"before")
    old_paths = {(one.pivot, one.handle): one for one in service.paths}
    reborn = service.restart()
    for key, path in old_paths.items():
        path.is_frozen = True  # the pivots believe in the old paths for ever
        world.handles[key] = path
    for number in (4, 5):
        reborn.open_path(number)
    reborn.publish()
    for _ in range(300):
        caller.send(reborn, b"hello?")
        world.run(50 * MILLISECOND)
    assert len(reborn.got(caller)) > 100, "back within ten seconds"


def test_an_idle_session_notices_that_its_news_are_not_acknowledged() -> None:
    world, caller, service = joined()
    for path in service.paths:
        path.is_frozen = True
    world.introsets.clear()
    world.run(2 * MINUTE)
    assert caller.ends() == [], "nothing was said, so nothing is missed"
    caller.open_path(6)
    world.run(2 * MINUTE)
    assert caller.ends() == [(service.address, "unreachable")]


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
