"""A client dials; it answers nobody, so no stranger chooses an address it sends to."""

from __future__ import annotations

from lokinet_node.base.units import SECOND
from lokinet_node.link.links import Drop
from lokinet_node.testing.fakenet import FakeNetwork, Faults
from tests.unit.link.world import Node, Tap, feed

VICTIM = ("203.0.113.66", 53)


def test_nothing_a_stranger_sends_makes_a_client_send_to_him() -> None:
    network = FakeNetwork(0, Faults())
    client, router, stranger = (
        Node(network, 1, is_router=False),
        Node(network, 2),
        Node(network, 3),
    )
    tap = Tap(network)
    client.connect(router)
    network.run_until(lambda: client.is_up(router), SECOND)
    stranger.connect(client)
    network.run(SECOND)
    genuine = tap.of(stranger, 1)
    assert genuine, "the stranger did try"
    tap.clear()
    feed(client, genuine[:1] * 44, VICTIM)  # past the rate, where cookies are asked for
    feed(client, [b"\1\2\0\0" + genuine[0][4:]], VICTIM)  # another version, which has no mac1
    network.run(SECOND)
    assert {target for source, target, _ in tap.seen if source == client.address} <= {
        router.address
    }
    assert client.is_up(router)
    assert not client.is_up(stranger)
    assert client.drop(Drop.VERSION) == 0, "a stranger does not write the log"
    assert set(client.drops()) == {"NOT_A_RESPONDER"}


def test_a_router_answers_as_before() -> None:
    network = FakeNetwork(0, Faults())
    router, other = Node(network, 2), Node(network, 3)
    tap = Tap(network)
    other.connect(router)
    network.run_until(lambda: other.is_up(router), SECOND)
    feed(router, [b"\1\2\0\0" + tap.of(other, 1)[0][4:]], VICTIM)
    assert [target for _, target, data in tap.seen if data[0] == 5] == [VICTIM]
