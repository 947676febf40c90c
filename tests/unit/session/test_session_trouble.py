"""Both ends lose their ways at the same time: how they find each other again, and how soon."""

from __future__ import annotations

import pytest

from lokinet_node.base.units import MILLISECOND, SECOND
from lokinet_node.session import outlet
from lokinet_node.session.effects import NeedIntroset
from tests.unit.session.shuttle import Client, World, joined, session_of

pytestmark = pytest.mark.usefixtures("sealed_once")


def looked_up(client: Client) -> int:
    return sum(isinstance(one, NeedIntroset) for one in client.effects)


def carries(caller: Client, service: Client) -> int:
    """The pivot over which the caller sends now."""
    path = caller.route_to(service)
    assert path is not None
    return path.pivot[0]


def test_news_reach_the_other_end_though_the_current_route_is_dead() -> None:
    world, caller, service = joined()
    service.path_to(carries(caller, service)).is_frozen = True
    news = caller.open_path(9)
    world.run(60 * MILLISECOND)
    known = {one.handle for one in session_of(service, caller).book.remote}
    assert news.handle in known


def test_spread_news_leave_streams_for_the_routes_of_data(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outlet, "MOST_SPREAD", 100)
    _, caller, service = joined()
    for path in service.paths:
        path.is_frozen = True  # nothing is proven from now on
    for faster in range(20):
        for number in (1, 2, 3):
            caller.open_path(number, rtt=(30 - faster) * MILLISECOND)
    for _ in range(3):
        broken = caller.route_to(service)
        assert broken is not None, "data found a stream for each new route"
        caller.lose(broken)


def lose_each_other(world: World, caller: Client, service: Client) -> None:
    """All the caller knows of the service is dead, which no pivot knows, and a path breaks."""
    for path in service.paths:
        path.is_frozen = True
    for number in (4, 5):
        service.open_path(number)
    service.paths = [path for path in service.paths if not path.is_frozen]
    service.publish()
    broken = caller.route_to(service)
    assert broken is not None
    caller.lose(broken)


def test_a_remote_whose_news_were_lost_is_looked_up_when_the_new_route_does_not_answer() -> None:
    world, caller, service = joined()
    asked = looked_up(caller)
    lose_each_other(world, caller, service)
    for _ in range(12):
        caller.send(service, b"where are you")
        world.run(50 * MILLISECOND)
    assert service.got(caller), "0.2 s for the ping, then look-up and path building"
    assert looked_up(caller) == asked + 1
    assert len(session_of(caller, service).epochs) == 1, "no new handshake was needed"


def test_a_session_nobody_uses_looks_nobody_up() -> None:
    world, caller, service = joined()
    world.run(5 * SECOND)
    asked = looked_up(caller)
    lose_each_other(world, caller, service)
    world.run(350 * MILLISECOND)
    assert looked_up(caller) == asked


def test_a_route_that_does_not_answer_leads_to_a_new_handshake_within_three_seconds() -> None:
    world, caller, service = joined()
    old_paths = {(one.pivot, one.handle): one for one in service.paths}
    reborn = service.restart()
    for key, path in old_paths.items():
        path.is_frozen = True  # the pivots believe in the old paths for ever
        world.handles[key] = path
    for number in (4, 5):
        reborn.open_path(number)
    reborn.publish()
    for _ in range(60):
        caller.send(reborn, b"hello?")
        world.run(50 * MILLISECOND)
    assert reborn.got(caller)


def test_news_do_not_draw_the_answers_to_their_pivots() -> None:
    world, caller, service = joined()
    data_at = carries(caller, service)
    caller.send(service, b"data")
    world.run(SECOND)
    for number in range(20, 26):
        caller.open_path(number)
        world.run(SECOND)
        way_in = session_of(service, caller).book.way_in
        assert way_in is not None
        assert way_in[0] == data_at


def test_a_service_that_restarts_while_it_is_dialled_is_found_as_soon_as_it_is_published() -> None:
    world, caller, service = joined()
    reborn = service.restart()  # its handles are gone, its old introset is still there
    for _ in range(40):
        caller.send(reborn, b"hello?")
        world.run(50 * MILLISECOND)
    for number in (4, 5):
        reborn.open_path(number)
    reborn.publish()
    for _ in range(30):
        caller.send(reborn, b"hello?")
        world.run(50 * MILLISECOND)
    assert reborn.got(caller), "a second between look-ups, half of one to build and knock"
