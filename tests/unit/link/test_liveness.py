"""How soon a dead peer is noticed, and that a living one is never given up lightly."""

from __future__ import annotations

import pytest

from lokinet_node.base.units import MILLISECOND, MINUTE, SECOND
from lokinet_node.link.links import Reason
from lokinet_node.link.liveness import IDLE, LATE, LEAST_PAUSE, PINGS, SIGN_OF_LIFE, Liveness
from lokinet_node.link.timers import SLACK
from lokinet_node.testing.fakenet import FakeNetwork, Faults
from tests.unit.link.world import Node, Tap, linked

GOAL = 450 * MILLISECOND


def stream(network: FakeNetwork, source: Node, target: Node, every: int) -> None:
    """Cells at a steady pace for as long as the link is up."""

    def send() -> None:
        if source.is_up(target):
            source.send(target, [len(sent)])
            sent.append(1)
            network.at(network.now + every, send)

    sent: list[int] = []
    send()


def kill(network: FakeNetwork, node: Node) -> None:
    """Neither hears nor says anything any more, whatever a stream still asks of it."""
    network.leave(node.address)
    network.freeze(node.address)


def noticed(network: FakeNetwork, node: Node, within: int = SECOND) -> int:
    return network.run_until(lambda: bool(node.downs()), within)


@pytest.mark.parametrize("every", [2, 20, 50])
@pytest.mark.parametrize("phase", [0, 1, 7, 13, 49, 60, 99])
def test_a_killed_peer_is_noticed_while_data_goes_one_way(every: int, phase: int) -> None:
    network, one, other = linked(seed=phase)
    stream(network, one, other, every * MILLISECOND)
    network.run(SECOND + phase * MILLISECOND)
    kill(network, other)
    took = noticed(network, one)
    assert 300 * MILLISECOND <= took <= GOAL
    assert one.downs() == [Reason.DEAD]
    assert not one.is_up(other)


@pytest.mark.parametrize("phase", [0, 3, 9])
def test_a_killed_peer_is_noticed_while_data_goes_both_ways(phase: int) -> None:
    network, one, other = linked()
    stream(network, one, other, 10 * MILLISECOND)
    stream(network, other, one, 10 * MILLISECOND)
    network.run(SECOND + phase * MILLISECOND)
    kill(network, other)
    assert noticed(network, one) <= GOAL


def test_a_killed_sender_is_noticed_by_one_that_only_receives_when_it_speaks() -> None:
    network, one, other = linked()
    stream(network, other, one, 10 * MILLISECOND)
    network.run(SECOND)
    kill(network, other)
    one.tell(other, 9, b"are you there?")
    assert noticed(network, one) <= GOAL
    assert one.failed() == [(9, b"are you there?")]


def test_old_cells_that_still_arrive_are_no_answer_to_a_message() -> None:
    network, one, other = linked(faults=Faults(delay=10 * MILLISECOND))
    network.run(SECOND)
    for number in range(50):
        other.send(one, [number])
        network.run(MILLISECOND // 5)
    kill(network, other)
    one.tell(other, 3, b"build")
    assert noticed(network, one) <= GOAL
    assert len(one.got) == 50


def test_a_frozen_peer_is_noticed_and_its_messages_have_failed() -> None:
    network, one, other = linked()
    stream(network, one, other, 20 * MILLISECOND)
    network.run(SECOND)
    network.freeze(other.address)
    one.tell(other, 3, b"build")
    assert noticed(network, one) <= GOAL
    assert one.failed() == [(3, b"build")]
    assert one.links._table.by_index == {}


def test_a_peer_frozen_for_a_moment_is_kept() -> None:
    network, one, other = linked()
    stream(network, one, other, 10 * MILLISECOND)
    for _ in range(20):
        network.run(300 * MILLISECOND)
        network.freeze(other.address)
        network.run(250 * MILLISECOND)
        network.freeze(other.address, frozen=False)
    assert one.downs() == []


def test_an_idle_dead_peer_is_noticed_within_a_keepalive() -> None:
    network, one, other = linked()
    network.run(7 * SECOND)
    kill(network, other)
    took = noticed(network, one, 6 * SECOND)
    assert took <= IDLE + GOAL


def test_an_idle_link_costs_a_ping_every_five_seconds_and_no_more() -> None:
    network, one, other = linked()
    network.run(10 * SECOND)
    tap = Tap(network)
    network.run(MINUTE)
    assert 20 <= len(tap.seen) <= 50
    assert (one.downs(), other.downs()) == ([], [])


def test_pings_and_acknowledgements_do_not_keep_each_other_going() -> None:
    network, one, other = linked()
    network.run(SECOND)
    tap = Tap(network)
    one.send(other, [1])
    one.tell(other, 9, b"x")
    network.run(4 * SECOND)
    # The cells, one acknowledgement of each, and nothing for four seconds.
    assert len(tap.seen) <= 5


def test_one_way_traffic_is_answered_by_signs_of_life_not_by_probes() -> None:
    network, one, other = linked()
    network.run(SECOND)
    stream(network, one, other, MILLISECOND)
    network.run(SECOND)
    tap = Tap(network)
    network.run(2 * SECOND)
    answers = len(tap.of(other, 4))
    assert 2 * SECOND // (SIGN_OF_LIFE + SLACK) <= answers <= 2 * SECOND // SIGN_OF_LIFE
    assert len(tap.of(one, 4)) == 2000


def test_an_icmp_hint_is_followed_at_once() -> None:
    network, one, other = linked()
    network.run(2 * SECOND)
    kill(network, other)
    one.links.hint(other.address, network.now)
    network.poke(one.address)
    assert noticed(network, one) == 3 * LEAST_PAUSE


def test_forged_hints_neither_end_a_link_nor_make_us_shout() -> None:
    network, one, other = linked()
    network.run(2 * SECOND)
    tap = Tap(network)
    for _ in range(1000):
        one.links.hint(other.address, network.now)
        one.links.hint(("203.0.113.9", 1), network.now)
        network.poke(one.address)
        network.run(MILLISECOND)
    assert one.downs() == []
    assert len(tap.of(one, 4)) <= 11


def test_a_hint_for_a_link_that_is_being_tried_changes_nothing() -> None:
    network, one, other = linked()
    kill(network, other)
    network.run(6 * SECOND)
    one.events.clear()
    one.connect(other)
    one.links.hint(other.address, network.now)
    network.run(4 * SECOND)
    assert one.events == []


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("every", [1, 100, 1000, None])
def test_losing_every_tenth_datagram_does_not_end_a_link(seed: int, every: int | None) -> None:
    faults = Faults(loss=0.1, delay=MILLISECOND)
    network, one, other = linked(seed, faults)
    if every is not None:
        stream(network, one, other, every * MILLISECOND)
    network.run({1: 20 * SECOND, None: 10 * MINUTE}.get(every, 2 * MINUTE))
    assert (one.downs(), other.downs()) == ([], [])


def test_a_slow_network_is_given_more_time() -> None:
    network, one, other = linked(faults=Faults(delay=200 * MILLISECOND))
    stream(network, one, other, 30 * MILLISECOND)
    network.run(20 * SECOND)
    assert (one.downs(), other.downs()) == ([], [])
    link = one.link(other)
    assert link.rtt == 400 * MILLISECOND
    kill(network, other)
    took = noticed(network, one, 10 * SECOND)
    assert 2_000 * MILLISECOND < took <= (4 * 3 * 400 + 400) * MILLISECOND // 2 + 400 * MILLISECOND


def test_one_end_asleep_does_not_blame_the_other() -> None:
    network, one, other = linked()
    stream(network, one, other, 10 * MILLISECOND)
    network.run(SECOND)
    # The process of one stands still for a while: it neither reads nor ticks, then does all at
    # once, timers first. What came meanwhile lies in its socket.
    unread: list[object] = []
    real = one.from_wire
    for _ in range(30):
        one.from_wire = lambda *arguments: unread.append(arguments)  # type: ignore[method-assign]
        network.run(70 * MILLISECOND)
        one.from_wire = real  # type: ignore[method-assign]
        network.run(70 * MILLISECOND)
    assert one.downs() == []


# --- the machine alone


def machine(now: int = 0) -> Liveness:
    liveness = Liveness(now)
    liveness.sample(MILLISECOND)
    return liveness


def test_three_rounds_of_pings_then_death() -> None:
    liveness = machine()
    liveness.sent(10)
    due = 10 + LEAST_PAUSE
    assert liveness.deadline() == due
    assert liveness.step(due - 1) == 0
    for pings in PINGS:
        assert liveness.step(due) == pings
        due += LEAST_PAUSE
        assert liveness.deadline() == due
        assert liveness.step(due - 1) == 0
    assert liveness.step(due) is None


def test_anything_heard_ends_the_rounds() -> None:
    liveness = machine()
    liveness.sent(0)
    now = LEAST_PAUSE
    for _ in range(50):
        for _ in PINGS:
            assert liveness.step(now)
            now += LEAST_PAUSE
        liveness.heard(now - 1)
        assert liveness.step(now) == 0
        liveness.sent(now)
        now += LEAST_PAUSE


def test_patience_follows_the_round_trip() -> None:
    liveness = machine()
    assert liveness.patience() == LEAST_PAUSE
    liveness = Liveness(0)
    liveness.assume(80 * MILLISECOND)
    assert liveness.patience() == 240 * MILLISECOND
    liveness.sample(50 * MILLISECOND)
    assert liveness.rtt == 50 * MILLISECOND
    liveness.assume(500 * MILLISECOND)
    liveness.sample(130 * MILLISECOND)
    assert liveness.rtt == 60 * MILLISECOND
    liveness.sample(20 * MILLISECOND)
    assert liveness.rtt == 40 * MILLISECOND


def test_a_late_step_is_repeated_once_and_only_once() -> None:
    liveness = machine()
    now = liveness.deadline()
    assert liveness.step(now) == PINGS[0]
    seen = []
    for _ in range(7):
        now = liveness.deadline() + LATE + 1
        seen.append(liveness.step(now))
    assert seen == [PINGS[0], PINGS[1], PINGS[1], PINGS[2], PINGS[2], None, None]


def test_what_is_sent_later_does_not_put_off_the_question() -> None:
    liveness = machine()
    for now in range(0, LEAST_PAUSE, MILLISECOND):
        liveness.sent(now)
    assert liveness.deadline() == LEAST_PAUSE
