"""Who a node knows and is linked to: from one contact to all, never to the dead, and back."""

from __future__ import annotations

from lokinet_node.base.ids import LinkKey
from lokinet_node.base.units import SECOND
from lokinet_node.testing.builders import World
from lokinet_node.wire.contact import decode_contact
from lokinet_node.wire.control import LinkKind, encode_gossip
from tests.unit.sim.networks import SHORT


def test_a_client_is_in_nobodys_book() -> None:
    world = World(seed=1)
    alice = world.client("alice")
    world.settle()
    key = LinkKey(alice.node.network.links.static.public)
    linked = 0
    for machine in world.routers:
        network = machine.node.network
        assert len(network.book) == 8
        if key in network.links.by_key:
            linked += 1
            assert network.router_of(network.links.by_key[key]) is None
    assert linked >= 2


def test_an_expired_bootstrap_contact_still_opens_the_first_link() -> None:
    world = World(seed=2, timing=SHORT)
    old = world.routers[0].contact
    world.run(60)
    assert old.expires < world.network.now
    alice = world.client("alice")
    alice.kill()
    alice.bootstrap = [old]
    alice.starts = 0
    alice.start()
    world.wait(lambda: alice.is_settled, 10, "it finds everybody")


def test_the_dead_are_asked_seldom_and_taken_back_when_they_live() -> None:
    world = World(seed=3)
    world.settle()
    victim, others = world.routers[4], [m for m in world.routers if m.number != 5]
    victim.kill()
    world.run(8)
    for machine in others:
        network = machine.node.network
        assert victim.router not in {router for router, _ in network.linked_routers()}
    sent = [0]

    def count(source: tuple[str, int], target: tuple[str, int], data: bytes) -> None:
        sent[0] += target == victim.address

    world.network.on_datagrams = count
    world.run(60)
    assert sent[0] / 60 / len(others) < 1, "datagrams a second from each"
    world.network.on_datagrams = None
    victim.start()
    world.wait(lambda: len(victim.node.network.linked_routers()) >= 6, 30, "it is linked again")


def test_nobody_links_to_himself_or_to_a_stranger() -> None:
    world = World(seed=4)
    world.settle()
    network, now = world.routers[0].node.network, world.network.now
    assert network.own is not None
    assert network.connect(network.own, now) is None
    stranger = World(seed=5, routers=1).routers[0].router
    assert network.connect(stranger, now) is None


def test_a_router_that_is_missing_is_asked_for_without_patience() -> None:
    world = World(seed=6)
    alice = world.client("alice")
    world.settle()
    world.run(60)
    network, now = alice.node.network, world.network.now
    stranger = World(seed=5, routers=1).routers[0].router
    assert network.connect(stranger, now) is None
    assert network.deadline() <= now + SECOND // 10


def test_the_list_of_contacts_is_the_same_for_everybody_who_asks() -> None:
    world = World(seed=7)
    world.client("alice"), world.client("bob")
    world.settle()
    now = world.network.now
    lists = {tuple(sorted(machine.node.network.book.records(now))) for machine in world.routers}
    assert len(lists) == 1
    assert {decode_contact(raw).router for raw in next(iter(lists))} == {
        machine.router for machine in world.routers
    }


def test_a_contact_of_another_network_or_with_a_bad_signature_is_refused_and_counted() -> None:
    world = World(seed=8, routers=2)
    world.settle()
    one, other = world.routers
    (link,) = (link for _, link in other.node.network.linked_routers())
    forged = bytearray(World(seed=9, routers=1).routers[0].contact.raw)
    forged[20] ^= 1
    other.node.network.send_message(
        link, LinkKind.GOSSIP, encode_gossip([bytes(forged)]), world.network.now
    )
    world.network.poke(other.address)
    world.run(1)
    assert one.node.network.refused_contacts == 1
    assert len(one.node.network.book) == 2
