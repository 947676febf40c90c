"""Everything is renewed several times a minute: streams do not notice, nothing piles up."""

from __future__ import annotations

from collections import Counter

from lokinet_node.base.units import MILLISECOND, SECOND
from lokinet_node.testing.builders import World
from lokinet_node.testing.streams import seconds
from tests.unit.sim.networks import ROUGH, SHORT, pair, talk


def counts(world: World) -> Counter[str]:
    """How many of everything that could pile up; what a router holds is summed over all."""
    found: Counter[str] = Counter()
    for machine in world.routers:
        role, links = machine.role, machine.node.network.links
        found["hops"] += len(role.transit.hops)
        found["builds under way"] += len(role.transit._building)
        found["builds seen"] += len(role.transit._seen)
        found["handles"] += len(machine.node.pump.handles)
        found["requests"] += len(role._pending)
        found["introsets"] += len(role.store)
        found["onion keys"] += len(role.transit.onion_keys)
        found["mapped addresses"] += len(machine.traffic.addresses.by_ip)
        found["links"] += len(links.by_key)
        found["link indices"] += len(links._table.by_index)
        found["lanes"] += sum(len(link.paths) for link in links.by_key.values())
    for client in world.clients.values():
        sessions, links = client.role.sessions, client.node.network.links
        found["paths"] += len(client.role.own.paths)
        found["sessions"] += len(sessions.by_remote)
        found["session streams"] += len(sessions.streams)
        found["session keys"] += sum(len(one.epochs) for one in sessions.by_remote.values())
        found["handshakes awaited"] += len(sessions._home.pending)
        found["invitations"] += len(sessions._reception._invitations)
        found["openings seen"] += len(sessions._reception._seen)
        found["links of clients"] += len(links.by_key)
        found["lanes of clients"] += sum(len(link.paths) for link in links.by_key.values())
        publisher = client.role.directory.publisher
        found["publications awaited"] += len(publisher._requests) if publisher else 0
        found["lookups"] += len(client.role.directory.lookups)
    return found


def most(world: World, duration: int) -> Counter[str]:
    """The most of everything there was in a while, looked at every second."""
    found: Counter[str] = Counter()
    for _ in range(duration):
        world.run(1)
        found |= counts(world)
    return found


def test_streams_do_not_notice_that_everything_is_renewed_and_nothing_piles_up() -> None:
    world = World(seed=1, timing=SHORT)
    web, alice = pair(world)
    streams = talk(world, alice, web, interval=100 * MILLISECOND)
    keys = {id(machine): dict(machine.role.transit.onion_keys) for machine in world.routers}
    issued = {machine.name: machine.contact.issued for machine in world.routers}
    first_paths = set(web.role.own.paths) | set(alice.role.own.paths)
    start = world.network.now
    most(world, 24)  # until the first of everything has ended
    early = most(world, 16)
    unpublished = 0
    late: Counter[str] = Counter()
    for _ in range(16):
        late |= most(world, 1)
        unpublished += not (web.is_published and alice.is_published)
    gaps = {stream.name: stream.gap(start, world.network.now) for stream in streams}
    assert max(gaps.values()) < SECOND, {name: seconds(gap) for name, gap in gaps.items()}
    lost = [stream.lost(start, world.network.now - SECOND) for stream in streams]
    assert lost == [0, 0], "not even one packet"
    assert unpublished == 0
    piled = {
        name: (early[name], late[name])
        for name in late
        if late[name] > early[name] + max(4, early[name] // 5)
    }
    assert piled == {}, f"(most in seconds 24-40, most in seconds 40-56): {piled}"
    for machine in world.routers:
        assert not set(machine.role.transit.onion_keys) & set(keys[id(machine)]), "all replaced"
        assert len(machine.role.transit.onion_keys) == 2, "this one and the one before"
        assert machine.contact.issued > issued[machine.name] + 40 * SECOND
        assert len(machine.node.network.book.fresh(world.network.now)) == 8
    assert not first_paths & {*web.role.own.paths, *alice.role.own.paths}


def test_what_a_dead_client_left_is_gone_soon() -> None:
    world = World(seed=2)
    web, alice = pair(world)
    talk(world, alice, web)
    alice.kill()
    world.run(8)
    hops = sum(len(machine.role.transit.hops) for machine in world.routers)
    assert hops == sum(len(path.routers) for path in web.role.own.paths)
    assert sum(len(machine.node.pump.handles) for machine in world.routers) == len(
        web.role.own.paths
    )


def test_an_idle_session_is_forgotten_by_both_and_comes_back_when_it_is_used() -> None:
    world = World(seed=3, timing=SHORT)
    web, alice = pair(world)
    streams = talk(world, alice, web, interval=200 * MILLISECOND)
    for stream in streams:
        stream.stop()
    world.run(35)
    for client in (web, alice):
        assert not client.role.sessions.by_remote
        assert not client.role.sessions.streams
        assert not client.traffic.flows
    address = alice.map(web.remote)
    talk(world, alice, web)
    assert alice.map(web.remote) == address


def test_a_quiet_network_sends_little_and_wakes_seldom() -> None:
    world = World(seed=4)
    pair(world)
    world.run(30)
    before = world.network.delivered
    world.run(60)
    nodes = len(world.routers) + len(world.clients)
    assert (world.network.delivered - before) / 60 / nodes < 10, "datagrams a second and node"


def test_what_is_due_next_is_never_forgotten() -> None:
    """The quick answer against the slow one, after every event of some busy seconds."""
    world = World(seed=5, timing=SHORT, faults=ROUGH)
    web, alice = pair(world)
    talk(world, alice, web, interval=200 * MILLISECOND)
    world.by_router(world.path(alice, web).routers[1]).kill()
    checked = 0

    def differs() -> bool:
        nonlocal checked
        checked += 1
        owners = [client.role.own for client in world.clients.values()]
        return any(
            transit.deadline() != transit.reckon()
            for transit in (machine.role.transit for machine in world.routers)
        ) or any(own.deadline() != own.reckon() for own in owners)

    world.network.run_until(differs, 8 * SECOND, required=False)
    assert not differs()
    assert checked > 1500
