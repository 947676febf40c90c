"""Both ends start at once: whatever order the datagrams take, one link with one way to send."""

from __future__ import annotations

from itertools import product

import pytest

from lokinet_node.base.units import MILLISECOND, SECOND
from lokinet_node.burst import DATAGRAM
from lokinet_node.testing.fakenet import FakeNetwork, Faults
from tests.unit.link.world import Node, Tap, feed, two


def sends_on_the_lower_start(node: Node, peer: Node) -> bool:
    current = node.link(peer).current
    assert current is not None
    return current.ends.initiated == (node.key < peer.key)


def works_both_ways(network: FakeNetwork, one: Node, other: Node) -> None:
    one.send(other, range(5))
    other.send(one, range(5))
    one.tell(other, 9, b"there")
    other.tell(one, 9, b"back")
    network.run(2 * SECOND)
    assert one.numbers() == other.numbers() == list(range(5))
    assert (one.heard(), other.heard()) == ([(9, b"back")], [(9, b"there")])


class Shuffler:
    """Datagrams in flight, of which a test chooses the next to arrive; time stands still."""

    def __init__(self, seed: int) -> None:
        self.network, self.one, self.other = two(seed)
        self.flying: list[tuple[Node, Node, bytes]] = []
        self.network.on_datagrams = self._send
        self.network.freeze(self.one.address)
        self.network.freeze(self.other.address)

    def _send(self, source: tuple[str, int], target: tuple[str, int], data: bytes) -> None:
        pair = (self.one, self.other)
        sender, receiver = pair if source == self.one.address else pair[::-1]
        assert target == receiver.address
        for start in range(0, len(data), DATAGRAM):
            self.flying.append((sender, receiver, data[start : start + DATAGRAM]))

    def deliver(self, choice: int) -> None:
        sender, receiver, data = self.flying.pop(choice % len(self.flying))
        feed(receiver, [data], sender.address)

    def calm(self) -> None:
        """All that is left arrives in order; then the network works again."""
        while self.flying:
            self.deliver(0)
        self.network.on_datagrams = None
        self.network.freeze(self.one.address, frozen=False)
        self.network.freeze(self.other.address, frozen=False)


@pytest.mark.parametrize("first", range(2))
def test_in_every_order_both_send_on_the_handshake_of_the_lower_key(first: int) -> None:
    for seed, choices in enumerate(product(range(4), repeat=4)):
        world = Shuffler(seed)
        nodes = (world.one, world.other)
        nodes[first].connect(nodes[1 - first])
        nodes[1 - first].connect(nodes[first])
        for choice in choices:
            if world.flying:
                world.deliver(choice)
        world.calm()
        one, other = nodes
        assert sends_on_the_lower_start(one, other), choices
        assert sends_on_the_lower_start(other, one), choices
        assert (one.ups(), other.ups(), one.downs(), other.downs()) == (1, 1, [], []), choices


@pytest.mark.parametrize("lag", [0, 100, 400, 600, 1100, 1600, 2400])
def test_shortly_after_one_another_is_at_once_too(lag: int) -> None:
    for early in (0, 1):
        network, *nodes = two(seed=2 * lag + early)
        nodes[early].connect(nodes[1 - early])
        network.run(lag)
        nodes[1 - early].connect(nodes[early])
        network.run(SECOND)
        one, other = nodes
        assert (one.ups(), other.ups()) == (1, 1)
        current = one.link(other).current, other.link(one).current
        assert current[0] is not None
        assert current[1] is not None
        assert current[0].ends.initiated != current[1].ends.initiated, "the same keypair"
        works_both_ways(network, one, other)


@pytest.mark.parametrize("seed", range(12))
def test_over_a_bad_network_the_link_comes_up_and_works(seed: int) -> None:
    faults = Faults(loss=0.2, duplicate=0.2, delay=5 * MILLISECOND, jitter=40 * MILLISECOND)
    network, one, other = two(seed, faults)
    one.connect(other)
    other.connect(one)
    network.run_until(lambda: one.is_up(other) and other.is_up(one), 4 * SECOND)
    network.faults = Faults()
    network.run(SECOND)
    works_both_ways(network, one, other)


def test_a_link_the_peer_brought_up_needs_no_further_tries_of_our_own() -> None:
    network, low, high = two()
    low.deaf_to = high.deaf_to = {2}
    low.connect(high)
    high.connect(low)
    network.run(MILLISECOND)
    for starter, other in ((high, low), (low, high)):
        starter.deaf_to = set()
        tap = Tap(network)
        network.run_until(lambda s=starter, o=other: o.is_up(s), SECOND)  # type: ignore[misc]
        tap.clear()
        network.run(10 * SECOND)
        assert tap.of(low, 1) == tap.of(high, 1) == []
        assert (low.link(high).attempt, high.link(low).attempt) == (None, None)
        low.deaf_to = high.deaf_to = {2}
        low.links.disconnect(low.link(high), network.now)
        high.links.disconnect(high.link(low), network.now)
        low.connect(high)
        high.connect(low)
        network.run(MILLISECOND)
