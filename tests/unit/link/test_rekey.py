"""New keys under way: no cell is lost for them, old ones die in time, limits hold."""

from __future__ import annotations

import pytest

from lokinet_node.base.timing import Timing
from lokinet_node.base.units import MILLISECOND, MINUTE, SECOND
from lokinet_node.link.keypair import CELLS_LIMIT, REKEY_CELLS
from lokinet_node.link.links import Reason
from lokinet_node.testing.fakenet import Faults
from tests.unit.link.world import Node, Tap, captured, feed, linked

SHORT = Timing(link_rekey=2 * SECOND, link_reject=3 * SECOND)
REORDERING = Faults(delay=2 * MILLISECOND, jitter=20 * MILLISECOND, duplicate=0.05)


@pytest.mark.parametrize("faults", [Faults(), REORDERING], ids=["calm", "reordering"])
def test_no_cell_is_lost_while_keys_change_under_traffic(faults: Faults) -> None:
    network, one, other = linked(faults=faults, timing=SHORT)
    keypairs = set()
    for number in range(0, 20_000, 20):
        one.send(other, range(number, number + 20))
        other.send(one, range(number, number + 5))
        network.run(11 * MILLISECOND)
        keypairs.add(one.link(other).current)
    network.run(SECOND)
    assert len(keypairs) >= 5
    assert sorted(other.numbers()) == list(range(20_000))
    assert len(one.got) == 5000
    for node in (one, other):
        assert node.ups() == 1
        assert node.downs() == []
        assert len(node.links._table.by_index) <= 3
        assert set(node.drops()) <= {"REPLAYED", "STALE_HANDSHAKE", "UNEXPECTED_RESPONSE"}


def test_messages_and_paths_live_on_through_a_change_of_keys() -> None:
    network, one, other = linked(timing=SHORT)
    link = one.link(other)
    link.paths[5] = "kept"
    said = []
    for number in range(100):
        said.append((9, bytes([number]) * 2000))
        one.tell(other, *said[-1])
        network.run(97 * MILLISECOND)
    assert one.link(other) is link
    assert link.paths == {5: "kept"}
    assert sorted(other.heard()) == said


def test_only_the_initiator_of_the_current_keys_starts_the_next() -> None:
    network, one, other = linked(timing=SHORT)
    tap = Tap(network)
    network.run(21 * SECOND)
    assert len(tap.of(one, 1)) == 10
    assert tap.of(other, 1) == []


def test_by_default_keys_change_every_two_minutes() -> None:
    network, one, other = linked()
    tap = Tap(network)
    network.run(2 * MINUTE - SECOND)
    assert tap.of(one, 1) == []
    network.run(2 * SECOND)
    assert len(tap.of(one, 1)) == 1
    assert other.link(one).previous is not None


def test_a_lost_rekey_is_repeated_until_it_gets_through() -> None:
    network, one, other = linked(timing=SHORT)
    first = one.link(other).current
    network.run(1_900 * MILLISECOND)
    other.deaf_to = {1}
    network.run(600 * MILLISECOND)
    assert one.link(other).current is first
    other.deaf_to = set()
    network.run(500 * MILLISECOND)
    assert one.link(other).current is not first
    assert (one.downs(), other.downs()) == ([], [])


def test_keys_that_cannot_be_changed_die_and_the_link_with_them() -> None:
    network, one, other = linked(timing=SHORT)
    other.deaf_to = {1}
    network.run(2_990 * MILLISECOND)
    one.send(other, [1])
    network.run(5 * MILLISECOND)
    assert other.numbers() == [1]
    network.run(20 * MILLISECOND)
    assert one.downs() == other.downs() == [Reason.EXPIRED]


def test_a_keypair_older_than_the_reject_age_neither_opens_nor_seals() -> None:
    network, one, other = linked(timing=SHORT)
    link = one.link(other)
    datagrams = captured(network, one, other, range(3))
    keypair = other.link(one).current
    assert keypair is not None
    # Time passes, but nobody had the time to look after his links yet.
    network.now = keypair.expires - 1
    feed(other, datagrams[:1], one.address)
    assert other.numbers() == [0]
    network.now = keypair.expires
    feed(other, datagrams[1:], one.address)
    assert other.numbers() == [0]
    assert other.drops() == {"KEY_EXPIRED": 2}
    network.now += SECOND
    one.links.send_cells(link, one.cells, 0, 3, network.now)
    assert one.drops() == {"NOT_UP": 3}


def worn(node: Node, peer: Node, sent: int) -> None:
    current = node.link(peer).current
    assert current is not None
    assert current.reserve(sent - current.sent, node.network.now) is not None


@pytest.mark.parametrize("who", ["initiator", "responder"])
def test_after_2_to_the_27_cells_in_either_direction_keys_change(who: str) -> None:
    network, one, other = linked()
    sender, receiver = (one, other) if who == "initiator" else (other, one)
    first = one.link(other).current
    worn(sender, receiver, REKEY_CELLS - 1)
    for number in range(20):
        sender.send(receiver, [number])
        network.run(10 * MILLISECOND)
    assert one.link(other).current is not first
    assert receiver.numbers() == list(range(20))


def test_no_counter_from_2_to_the_28_on_is_sealed_or_opened() -> None:
    network, one, other = linked()
    network.run(SECOND)
    worn(one, other, CELLS_LIMIT - 3)
    one.send(other, [1, 2, 3])
    one.send(other, [4])
    network.run(MILLISECOND)
    assert other.numbers() == [1, 2, 3]
    assert one.drops() == {"NOT_UP": 1}
    worn(other, one, CELLS_LIMIT)
    keypair = other.link(one).current
    assert keypair is not None
    forged = other.links._sealer.seal_run(keypair, CELLS_LIMIT, other.cells, 0, 2)
    feed(one, [bytes(forged)[:1376]], other.address)
    assert one.drops()["KEY_EXPIRED"] == 1


def test_counters_are_reserved_even_when_nothing_is_sent() -> None:
    network, one, other = linked()
    current = one.link(other).current
    assert current is not None
    before = current.sent
    network.freeze(other.address)
    one.send(other, range(45))
    network.freeze(other.address, frozen=False)
    one.send(other, range(45, 50))
    assert current.sent == before + 50
