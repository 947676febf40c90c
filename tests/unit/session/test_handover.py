"""Handover: a session lives on when paths, pivots and keys under it go."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import pytest

from lokinet_node.base.timing import Timing
from lokinet_node.base.units import MILLISECOND, MINUTE, SECOND
from tests.unit.session.shuttle import Client, World, join, session_of

pytestmark = pytest.mark.usefixtures("sealed_once")


def stream_through(world: World, caller: Client, service: Client, seconds: int) -> None:
    """50 packets a second each way."""
    for _ in range(seconds * 50):
        caller.send(service, b"up"), service.send(caller, b"down")
        world.run(20 * MILLISECOND)


def longest_gap(client: Client, since: int) -> int:
    times = [since, *(when for when in client.arrivals if when >= since)]
    return max(after - before for before, after in pairwise(times))


@pytest.mark.parametrize("victim", ["caller", "service", "pivot"])
def test_a_stream_goes_on_when_a_path_or_pivot_dies(victim: str) -> None:
    world = World()
    service, caller = Client(world, 1, (1, 2, 3)), Client(world, 2, (7, 8))
    join(world, caller, service)
    stream_through(world, caller, service, 2)
    path = caller.route_to(service)
    assert path is not None
    died_at = world.now
    for client in (caller, service):
        lost = [one for one in client.paths if one.pivot == path.pivot]
        if victim in ("pivot", "caller" if client is caller else "service"):
            for one in lost:
                client.lose(one)
    stream_through(world, caller, service, 5)
    for client in (caller, service):
        assert longest_gap(client, died_at) < 500 * MILLISECOND
        assert client.arrivals[-1] > world.now - SECOND
    assert not caller.ends()
    assert caller.ready() == [service.address]


def test_all_paths_of_the_service_replaced_one_by_one_leave_the_session_whole() -> None:
    world = World()
    service, caller = Client(world, 1, (1, 2, 3)), Client(world, 2, (7, 8))
    join(world, caller, service)
    for number in range(4, 12):
        service.open_path(number)
        service.lose(service.paths[0])
        service.publish()
        stream_through(world, caller, service, 2)
    assert longest_gap(service, world.now - 15 * SECOND) < SECOND
    assert longest_gap(caller, world.now - 15 * SECOND) < SECOND
    assert caller.ready() == [service.address], "never without a way"


def test_a_service_that_loses_all_paths_at_once_is_reached_again() -> None:
    world = World()
    service, caller = Client(world, 1, (1, 2, 3)), Client(world, 2, (7, 8))
    join(world, caller, service)
    stream_through(world, caller, service, 1)
    lost_at = world.now
    for path in list(service.paths):
        service.lose(path)

    def recover() -> None:
        service.open_path(4), service.open_path(5), service.publish()

    world.after(300 * MILLISECOND, recover)
    stream_through(world, caller, service, 6)
    assert longest_gap(service, lost_at) < 2 * SECOND
    assert longest_gap(caller, lost_at) < 2 * SECOND


def test_a_caller_that_loses_all_paths_at_once_comes_back() -> None:
    world = World()
    service, caller = Client(world, 1, (1, 2, 3)), Client(world, 2, (7, 8))
    join(world, caller, service)
    stream_through(world, caller, service, 1)
    lost_at = world.now
    for path in list(caller.paths):
        caller.lose(path)
    assert caller.route_to(service) is None
    stream_through(world, caller, service, 4)
    assert longest_gap(service, lost_at) < SECOND
    assert longest_gap(caller, lost_at) < SECOND
    assert caller.ready() == [service.address] * 2, "readiness is told again after an outage"


@pytest.mark.parametrize("seed", range(3))
def test_three_callers_live_through_rotation_loss_and_renewal(seed: int) -> None:
    timing = replace(
        Timing(), path_lifetime=5 * MINUTE, session_rekey=2 * MINUTE, introset_lifetime=5 * MINUTE
    )
    world = World(seed=seed, loss=0.02, duplication=0.02, jitter=10 * MILLISECOND, timing=timing)
    service = Client(world, 1, (1, 2, 3))
    callers = [Client(world, 2 + n, (7,)) for n in range(3)]
    service.publish()
    for caller in callers:
        caller.connect(service)
    sent = 0
    for minute in range(24):
        if minute % 2:
            service.open_path(1 + minute % 7)
            for caller in callers:
                caller.open_path(7)
        service.publish()
        for _ in range(20):
            sent += 1
            for caller in callers:
                caller.send(service, b"%d" % sent)
                service.send(caller, b"%d" % sent)
            world.run(3 * SECOND)
    for caller in callers:
        up, down = service.got(caller), caller.got(service)
        assert len(up) == len(set(up))
        assert len(down) == len(set(down))
        assert min(len(up), len(down)) > 0.9 * sent, f"seed {seed}"
        assert len(session_of(caller, service).epochs) <= 3
        assert caller.ends() == []
    assert len(service.sessions.streams) < 3 * 3 * 20
