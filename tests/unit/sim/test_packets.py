"""What users see: packets both ways, under addresses that only the session can give."""

from __future__ import annotations

from lokinet_node.node.traffic import Drop
from lokinet_node.session.addresses import remote_router
from lokinet_node.testing.builders import World
from lokinet_node.testing.packets import PORT, echo, udp
from lokinet_node.wire.ip import DESTINATION_UNREACHABLE, ECHO_REPLY, HOST_UNKNOWN, ICMP
from tests.unit.sim.networks import pair


def test_packets_go_both_ways_and_show_the_mapped_address_whatever_they_claim() -> None:
    world = World(seed=1)
    web, alice = pair(world)
    for forged in (bytes([10, 66, 66, 66]), web.own, bytes(4)):
        web.inbox.clear()
        alice.send(udp(forged, alice.map(web.remote), b"hello"))
        world.wait(lambda: bool(web.inbox), 2, "the packet arrives")
        (got,) = web.inbox
        assert got.payload == b"hello"
        assert (got.source, got.target) == (web.map(alice.remote), web.own)
    web.send(udp(bytes([8, 8, 8, 8]), web.map(alice.remote), b"welcome"))
    world.wait(lambda: bool(alice.inbox), 2, "the answer arrives")
    (got,) = alice.inbox
    assert got.payload == b"welcome"
    assert (got.source, got.target) == (alice.map(web.remote), alice.own)


def test_packets_sent_before_there_is_a_session_arrive_when_there_is() -> None:
    world = World(seed=2)
    web, alice = world.client("web"), world.client("alice")
    world.settle()
    for number in range(5):
        alice.send(udp(alice.own, alice.map(web.remote), bytes([number])))
    world.wait(lambda: len(web.inbox) == 5, 2, "all that waited arrive")
    assert [packet.payload[0] for packet in web.inbox] == [0, 1, 2, 3, 4]


def test_an_address_that_maps_to_nobody_is_answered_by_icmp_unreachable() -> None:
    world = World(seed=3)
    alice = world.client("alice")
    world.settle()
    nobody = bytes([172, 16, 9, 9])
    packet = udp(alice.own, nobody, b"anybody?")
    alice.send(packet)
    (answer,) = alice.inbox
    assert (answer.source, answer.target, answer.protocol) == (nobody, alice.own, ICMP)
    assert tuple(answer.content[:2]) == (DESTINATION_UNREACHABLE, HOST_UNKNOWN)
    assert answer.content[8:] == packet[:28], "header and ports are quoted"


def test_a_name_nobody_answers_to_leaves_its_packets_and_tells_nothing_false() -> None:
    world = World(seed=4)
    alice, hermit = world.client("alice"), world.client("hermit", reachable=False)
    world.settle()
    alice.send(udp(alice.own, alice.map(hermit.remote), b"hello?"))
    world.run(40)
    assert not hermit.inbox
    assert alice.traffic.drops[Drop.NOT_READY] == 1


def test_a_router_answers_echo_at_its_snode_address_and_tells_its_callers_apart() -> None:
    world = World(seed=5)
    clients = [world.client(name) for name in ("alice", "bob")]
    router = world.routers[3]
    world.settle()
    for client in clients:
        address = world.connect_router(client, router)
        client.send(echo(client.own, address, client.name.encode()))
    world.wait(lambda: all(client.inbox for client in clients), 2, "the router answers")
    for client in clients:
        (reply,) = client.inbox
        assert (reply.source, reply.content[0]) == (
            client.map(remote_router(router.router)),
            ECHO_REPLY,
        )
        assert reply.payload == client.name.encode()
    assert len(router.inbox) == 2
    callers = {packet.source for packet in router.inbox}
    assert len(callers) == 2, "each path is somebody of its own"
    assert {packet.target for packet in router.inbox} == {router.own}


def test_three_clients_over_one_introduction_each_get_what_is_theirs() -> None:
    world = World(seed=6)
    web = world.client("web", paths=1)
    clients = [world.client(name) for name in ("alice", "bob", "carol")]
    world.settle()
    for client in clients:
        world.connect(client, web)
    (own,) = (path for path in web.role.own.paths if not path.purpose)
    for number in range(10):
        for client in clients:
            client.send(
                udp(client.own, client.map(web.remote), client.name.encode() + b"%d" % number)
            )
    world.wait(lambda: len(web.inbox) == 30, 3, "all packets arrive")
    assert own.cells_in >= 30, "all came over one path"
    names = {web.map(client.remote): client for client in clients}
    assert len(names) == 3
    for packet in web.inbox:
        assert packet.payload[:-1] == names[packet.source].name.encode()
        web.send(udp(web.own, packet.source, b"to " + packet.payload, PORT))
    world.wait(lambda: all(len(client.inbox) == 10 for client in clients), 3, "all answers")
    for client in clients:
        assert {packet.payload[:-1] for packet in client.inbox} == {b"to " + client.name.encode()}
