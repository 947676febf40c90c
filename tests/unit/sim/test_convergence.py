"""A network comes about from one contact, and every rule of hop choice holds in it."""

from __future__ import annotations

from lokinet_node.base.units import SECOND
from lokinet_node.netdb.choose import Rules
from lokinet_node.testing.builders import ClientMachine, World
from lokinet_node.testing.packets import udp
from tests.unit.sim.networks import ROUGH, pair


def all_paths(client: ClientMachine) -> list[tuple[int, ...]]:
    """The numbers of the routers of every path."""
    by_id = {machine.router: machine.number for machine in client.world.routers}
    return [tuple(by_id[router] for router in path.routers) for path in client.role.own.paths]


def test_eight_routers_and_two_clients_find_each_other_from_one_contact() -> None:
    world = World(seed=1)
    clients = [world.client("web"), world.client("alice")]
    assert world.settle() < 2 * SECOND
    assert all(len(machine.node.network.book) == 8 for machine in (*world.routers, *clients))
    for client in clients:
        assert len({path[-1] for path in all_paths(client)}) == 6, "six pivots"
        assert len({path[0] for path in all_paths(client)}) >= 2, "two first hops at least"
    world.wait(
        lambda: all(len(machine.node.network.linked_routers()) >= 6 for machine in world.routers),
        20,
        "every router has the links it wants",
    )


def test_it_comes_about_on_a_bad_network_too() -> None:
    world = World(seed=2, faults=ROUGH)
    web, alice = pair(world)
    alice.send(udp(alice.own, alice.map(web.remote), b"knock"))
    alice.send(udp(alice.own, alice.map(web.remote), b"knock"))
    alice.send(udp(alice.own, alice.map(web.remote), b"knock"))
    world.wait(lambda: bool(web.inbox), 5, "one of three packets arrives")


def test_a_path_has_distinct_routers_on_distinct_hosts() -> None:
    world = World(seed=3, routers=4)
    twins = [world.router(host="10.0.1.1") for _ in range(3)]
    world.router()
    client = world.client("alice")
    world.settle()
    numbers = {twin.number for twin in twins}
    seen: set[int] = set()
    for _ in range(12):
        for path in all_paths(client):
            assert len(set(path)) == 4
            assert len(set(path) & numbers) <= 1, "two routers of one host"
            seen |= set(path)
        for one in list(client.role.own.paths):
            client.role.own.close(one, world.network.now)
        client.role.tick(world.network.now)
        world.run(1)
    assert seen & numbers


def test_a_blacklisted_router_is_on_no_path() -> None:
    world = World(seed=4)
    banned = world.routers[2]
    client = world.client("alice", rules=Rules(blacklist=frozenset({banned.router})))
    world.settle()
    assert all(banned.number not in path for path in all_paths(client))
    assert {number for path in all_paths(client) for number in path} == {1, 2, 4, 5, 6, 7, 8}


def test_a_client_behind_strict_connect_enters_there_only_and_reaches_the_service() -> None:
    world = World(seed=5)
    entry = world.routers[4]
    web = world.client("web")
    alice = world.client("alice", strict=frozenset({entry.router}))
    world.settle()
    world.connect(alice, web)
    alice.send(udp(alice.own, alice.map(web.remote), b"hello"))
    world.wait(lambda: bool(web.inbox), 2, "the packet arrives")
    assert {path[0] for path in all_paths(alice)} == {entry.number}
    linked = {link.address for link in alice.node.network.links.by_key.values()}
    assert linked <= {entry.address, world.routers[0].address}, "the bootstrap router besides"


def test_the_same_seed_gives_the_same_run() -> None:
    runs = []
    for spare in range(2):
        world = World(seed=6)
        log: list[tuple[int, str, str, int]] = []

        def note(
            source: tuple[str, int],
            target: tuple[str, int],
            data: bytes,
            log: list[tuple[int, str, str, int]] = log,
            world: World = world,
        ) -> None:
            log.append((world.network.now, source[0], target[0], len(data)))

        world.network.on_datagrams = note
        web, alice = pair(world)
        world.by_router(world.path(alice, web).routers[1]).kill()
        world.run(3)
        runs.append(log)
        _shifts_addresses = [bytearray(size) for size in range(1000 * spare)]
    assert runs[0] == runs[1]
