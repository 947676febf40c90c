"""What somebody sees who watches every wire: datagrams of one size, and nothing in them."""

from __future__ import annotations

from lokinet_node.burst import DATAGRAM
from lokinet_node.testing.builders import World
from lokinet_node.testing.packets import echo, read_of, udp
from tests.unit.sim.networks import pair

MARK = b"a page that only its reader sees"


def test_nothing_readable_leaves_any_node_and_every_datagram_has_one_size() -> None:
    world = World(seed=1)
    seen: list[bytes] = []
    world.network.on_datagrams = lambda source, target, data: seen.append(data)
    web, alice = pair(world)
    router = world.connect_router(alice, world.routers[2])
    for number in range(20):
        alice.send(udp(alice.own, alice.map(web.remote), MARK * 30 + bytes([number])))
        alice.send(echo(alice.own, alice.map(web.remote), MARK))
        alice.send(echo(alice.own, router, MARK))
        web.send(udp(web.own, web.map(alice.remote), MARK))
    world.wait(lambda: len(web.inbox) == 40 and len(alice.inbox) == 60, 2, "all packets arrive")
    assert len(seen) > 800
    assert {len(data) % DATAGRAM for data in seen} == {0}
    wire = b"".join(seen)
    hidden = {
        "the content": MARK,
        "an address of a tun": web.own + alice.own,
        "who alice is": bytes(alice.role.address),
        "who web is": bytes(web.role.address),
    }
    for machine in world.routers:
        hidden[f"the id of {machine.name}"] = bytes(machine.router)
        hidden[f"the link key of {machine.name}"] = machine.node.network.links.static.public
        hidden[f"the contact of {machine.name}"] = machine.contact.signature
    for client in (web, alice):
        for path in client.role.own.paths:
            hidden[f"a path id of {client.name}"] = path.path_id.to_bytes(8, "big")
            hidden[f"a handle of {client.name}"] = path.handle.to_bytes(8, "big")
    assert [what for what, secret in hidden.items() if secret in wire] == []


def test_a_burst_stays_a_burst_of_single_datagrams_through_every_relay() -> None:
    """GSO and GRO carry whole bursts: a relay that split them would cost tenfold."""
    world = World(seed=2)
    web, alice = pair(world)
    sizes: list[int] = []
    now = world.network.now
    reads = [udp(alice.own, alice.map(web.remote), bytes(1000)) for _ in range(40)]
    world.network.on_datagrams = lambda source, target, data: sizes.append(len(data) // DATAGRAM)
    for packet in reads:
        read = read_of(packet)
        alice.node.from_tun(read, len(read), now)
    alice.node.flush_tun(now)
    world.network.poke(alice.address)
    world.wait(lambda: len(web.inbox) == 40, 1, "all packets arrive")
    assert sizes.count(40) >= 7, "four hops, the pivot, three hops and the end"
