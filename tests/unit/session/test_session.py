"""Dialling: how a session between two clients comes about, in virtual time."""

from __future__ import annotations

import pytest

from lokinet_node.base.units import MILLISECOND, MINUTE, SECOND
from lokinet_node.session.effects import Drop, NeedIntroset, NeedPaths, SendCell
from tests.unit.session.shuttle import World, join, joined, pair, pivot

pytestmark = pytest.mark.usefixtures("sealed_once")


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
    assert caller.wishes[service.address] == NeedPaths(service.address, (), 0)


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
