"""One end starts anew or gives the other up: channels and paths of both must begin afresh."""

from __future__ import annotations

import pytest

from lokinet_node.base.units import MILLISECOND, SECOND
from lokinet_node.link.links import LinkDown, LinkUp, Reason
from lokinet_node.testing.fakenet import FakeNetwork
from tests.unit.link.world import Node, Tap, feed, linked


def restarted(network: FakeNetwork, node: Node) -> Node:
    """Another process with the same key and address."""
    network.leave(node.address)
    number = int(node.address[0].rpartition(".")[2])
    return Node(network, number, static=node.static, seed=1_000 + number)


def talk(network: FakeNetwork, one: Node, other: Node) -> None:
    """Cells and messages go through, once each; the channels are in step."""
    for node in (one, other):
        node.got.clear()
    before = len(one.heard()), len(other.heard())
    said = [(9, bytes([number]) * 1500) for number in range(10)]
    for message in said:
        one.tell(other, *message)
        other.tell(one, *message)
    one.send(other, range(45))
    other.send(one, range(45))
    network.run(SECOND)
    assert one.numbers() == other.numbers() == list(range(45))
    assert one.heard()[before[0] :] == said
    assert other.heard()[before[1] :] == said


def test_a_restarted_peer_that_calls_ends_the_old_link_and_starts_a_new_one() -> None:
    network, one, other = linked()
    old = one.link(other)
    old.paths[3] = "path"
    network.run(SECOND)
    again = restarted(network, other)
    one.events.clear()
    again.connect(one)
    network.run(100 * MILLISECOND)
    new = one.link(again)
    assert new is not old
    assert one.events == [LinkDown(old, Reason.RESTARTED), LinkUp(new)]
    assert (old.is_up, new.is_up) == (False, True)
    assert new.paths == {}
    assert new.boot_id == again.link(one).local_boot != old.boot_id
    talk(network, one, again)


def test_messages_for_a_peer_that_restarted_have_failed() -> None:
    network, one, other = linked()
    network.run(SECOND)
    network.freeze(other.address)
    one.tell(other, 9, b"to the old one")
    network.freeze(other.address, frozen=False)
    again = restarted(network, other)
    again.connect(one)
    network.run(50 * MILLISECOND)
    assert one.failed() == [(9, b"to the old one")]
    network.run(6 * SECOND)
    assert again.heard() == []


def test_a_restarted_peer_that_waits_is_found_dead_and_linked_anew() -> None:
    network, one, other = linked()
    network.run(SECOND)
    again = restarted(network, other)
    one.send(other, [1])
    took = network.run_until(lambda: bool(one.downs()), SECOND)
    assert took <= 450 * MILLISECOND
    assert one.downs() == [Reason.DEAD]
    assert set(again.drops()) == {"UNKNOWN_INDEX"}
    one.connect(again)
    network.run(SECOND)
    talk(network, one, again)


def test_one_that_gave_the_other_up_by_mistake_starts_afresh_on_both_sides() -> None:
    network, one, other = linked()
    network.run(SECOND)
    old = other.link(one)
    one.tell(other, 9, b"before")
    network.run(10 * MILLISECOND)
    one.deaf_to = {4}
    one.send(other, [1])
    network.run_until(lambda: bool(one.downs()), SECOND)
    one.deaf_to = set()
    assert other.link(one) is old
    one.connect(other)
    network.run(100 * MILLISECOND)
    assert other.downs() == [Reason.RESTARTED]
    assert other.link(one) is not old
    talk(network, one, other)
    assert one.link(other).local_boot != old.boot_id


def test_a_rekey_that_meets_one_who_gave_us_up_starts_afresh_too() -> None:
    network, one, other = linked()
    network.run(SECOND)
    old = one.link(other)
    other.links.disconnect(other.link(one), network.now)
    # one does not know yet; its next handshake is a mere rekey to it.
    one.links._handshaker.begin(old, network.now, patience=None)
    network.run(100 * MILLISECOND)
    assert one.downs() == [Reason.RESTARTED]
    assert one.link(other) is not old
    talk(network, one, other)


def test_a_keypair_offered_to_one_we_gave_up_is_void() -> None:
    network, one, other = linked()
    network.run(SECOND)
    other.deaf_to = {4}
    one.links._handshaker.begin(one.link(other), network.now, patience=None)
    network.run(10 * MILLISECOND)
    other.links.disconnect(other.link(one), network.now)
    other.deaf_to = set()
    # The pings of one on the new keys would bring up a link with a channel out of step.
    assert network.run_until(lambda: bool(one.downs()), SECOND) <= 450 * MILLISECOND
    assert one.downs() == [Reason.DEAD]
    assert other.ups() == 1
    assert set(other.drops()) == {"UNKNOWN_INDEX"}


def test_a_keypair_offered_to_a_new_life_outlasts_the_link_to_the_old_one() -> None:
    network, one, other = linked()
    network.run(SECOND)
    again = restarted(network, other)
    one.deaf_to = {4}
    one.send(again, [1])
    network.run(250 * MILLISECOND)
    again.connect(one)
    network.run_until(lambda: bool(one.downs()), SECOND)
    one.deaf_to = set()
    assert network.run_until(lambda: one.is_up(again), SECOND) < 250 * MILLISECOND
    assert again.downs() == []
    talk(network, one, again)


def test_both_giving_each_other_up_and_calling_at_once_ends_with_one_link() -> None:
    network, one, other = linked()
    network.run(SECOND)
    one.links.disconnect(one.link(other), network.now)
    other.links.disconnect(other.link(one), network.now)
    one.connect(other)
    other.connect(one)
    network.run(SECOND)
    assert (one.ups(), other.ups()) == (2, 2)
    talk(network, one, other)


@pytest.mark.parametrize("delay", [0, 200, 700, 1200, 5000])
def test_a_restart_while_both_call_ends_in_step(delay: int) -> None:
    network, one, other = linked(seed=delay)
    network.run(SECOND)
    again = restarted(network, other)
    again.connect(one)
    network.run(delay)
    link = one.links.by_key[other.key]
    one.links._handshaker.begin(link, network.now, patience=None)
    network.poke(one.address)
    network.run(2 * SECOND)
    if not one.is_up(again):
        one.connect(again)
        network.run(SECOND)
    talk(network, one, again)


def test_an_old_initiation_played_again_does_not_end_a_link() -> None:
    network = FakeNetwork()
    one = Node(network, 1)
    tap = Tap(network)
    client = Node(network, 7, is_router=False)
    client.connect(one)
    network.run(SECOND)
    (old,) = tap.of(client, 1)
    client.links.disconnect(client.link(one), network.now)
    client.connect(one)
    network.run(SECOND)
    link = one.link(client)
    feed(one, [old], client.address)
    network.run(SECOND)
    assert one.link(client) is link
    assert one.drops() == {"STALE_HANDSHAKE": 1}
    talk(network, one, client)


def test_cells_of_the_old_life_do_not_open_after_a_restart() -> None:
    network, one, other = linked()
    tap = Tap(network)
    network.freeze(one.address)
    other.send(one, range(3))
    old = tap.of(other, 4)
    network.freeze(one.address, frozen=False)
    again = restarted(network, other)
    again.connect(one)
    network.run(SECOND)
    feed(one, old, other.address)
    assert one.numbers() == []
    assert one.drops() == {"UNKNOWN_INDEX": 3}
