"""What a node tells of itself: all that is promised, as JSON, and no secret."""

from __future__ import annotations

import json
from typing import Any

import pytest

from lokinet_node.base.names import format_loki, format_snode
from lokinet_node.node.status import client_report, router_report, summary
from lokinet_node.testing.builders import ClientMachine, RouterMachine, World
from lokinet_node.testing.packets import echo, udp


@pytest.fixture(scope="module")
def world() -> World:
    """A network in which something went on."""
    made = World(seed=1)
    web, alice = made.client("web"), made.client("alice")
    made.settle()
    made.connect(alice, web)
    alice.send(udp(alice.own, alice.map(web.remote), b"hello"))
    alice.send(udp(alice.own, bytes([172, 16, 200, 1]), b"nobody"))
    router = made.connect_router(alice, made.routers[2])
    alice.send(echo(alice.own, router, b"hello"))
    made.run(1)
    return made


def of_client(world: World, name: str = "alice") -> dict[str, Any]:
    client = world.clients[name]
    return client_report(client.node, client.role, world.network.now)


def of_router(machine: RouterMachine) -> dict[str, Any]:
    return router_report(machine.node, machine.role)


def test_a_router_reports_links_transit_and_store(world: World) -> None:
    report = of_router(world.routers[0])
    assert report["role"] == "router"
    assert report["identity"] == format_snode(world.routers[0].router)
    assert (report["netid"], report["numNodesKnown"]) == ("testnet", 8)
    assert "services" not in report
    links = report["links"]
    assert {link["state"] for link in links} == {"up"}
    named = [link["router"] for link in links if link["router"]]
    assert set(named) <= {format_snode(machine.router) for machine in world.routers}
    assert all(link["cells_in"] and link["cells_out"] and link["rtt_ms"] >= 0 for link in links)
    reports = [of_router(machine) for machine in world.routers]
    paths = [path for client in world.clients.values() for path in client.role.own.paths]
    assert sum(one["transit"]["paths"] for one in reports) == 4 * len(paths)
    assert sum(one["dht"]["stored"] for one in reports) == 8
    assert of_router(world.routers[2])["snodeSessions"] == 1


def test_a_client_reports_paths_introset_sessions_and_addresses(world: World) -> None:
    alice, web = world.clients["alice"], world.clients["web"]
    service = of_client(world)["services"]["default"]
    assert service["identity"] == format_loki(alice.role.address)
    assert service["networkReady"] is True
    assert len(service["paths"]) == len(alice.role.own.paths)
    known = {format_snode(machine.router): machine for machine in world.routers}
    for path in service["paths"]:
        assert (path["status"], path["ready"], len(path["hops"])) == ("ready", True, 4)
        assert [hop["ip"] for hop in path["hops"]] == [
            known[hop["router"]].address[0] for hop in path["hops"]
        ]
        assert 0 < path["expiresAt"] * 1000 - world.network.now <= world.timing.path_lifetime
    assert service["introset"]["published"] * 1000 <= world.network.now
    assert service["introset"]["holders"] == 4
    assert len(service["introset"]["intros"]) == 6
    (session,) = service["remoteSessions"]
    assert (session["remote"], session["ready"]) == (format_loki(web.role.address), True)
    assert session["route"] == [format_snode(r) for r in world.path(alice, web).routers]
    (snode,) = service["snodeSessions"]
    assert snode == {"remote": format_snode(world.routers[2].router), "ready": True}
    assert service["ourIP"] == "172.16.0.1"
    assert service["addrs"][session["ip"]] == {"remote": session["remote"]}
    assert service["buildStats"]["success"] == service["buildStats"]["attempts"]


def test_drops_are_named_and_only_those_that_happened(world: World) -> None:
    assert of_client(world)["drops"] == {"tun.no_remote": 1}
    assert of_client(world, "web")["drops"] == {}


def test_the_summary_counts_what_is_up(world: World) -> None:
    alice, router = world.clients["alice"], world.routers[0]
    told = summary(alice.node, alice.role, 5_000_000, world.network.now)
    assert told["lokiAddress"] == format_loki(alice.role.address)
    assert (told["uptime"], told["numRoutersKnown"], told["ratio"]) == (5000, 8, 1.0)
    assert told["numPathsBuilt"] == len(alice.role.own.paths)
    assert told["networkReady"] is True
    told = summary(router.node, router.role, 0, world.network.now)
    assert told["lokiAddress"] == format_snode(router.router)
    assert told["numPeersConnected"] >= 3
    assert told["networkReady"] is True


def test_a_node_that_has_just_started_is_not_ready() -> None:
    world = World(seed=2, routers=1)
    alice = world.client("alice")
    now = world.network.now
    assert summary(alice.node, alice.role, 0, now)["networkReady"] is False
    assert summary(alice.node, alice.role, 0, now)["ratio"] == 1.0
    lone = world.routers[0]
    assert summary(lone.node, lone.role, 0, now)["networkReady"] is False
    world.run(2)
    service = client_report(alice.node, alice.role, world.network.now)["services"]["default"]
    seen = service["introset"]
    assert (seen["published"], seen["holders"], seen["intros"]) == (0, 0, [])
    assert seen["exitPolicy"] is None
    assert service["pathProblem"] == "1 usable routers, a path has 4 hops"
    assert summary(lone.node, lone.role, 0, world.network.now)["networkReady"] is False


def secrets_of(client: ClientMachine) -> set[int | bytes]:
    """Numbers and keys that tie captures to paths, or open them."""
    found: set[int | bytes] = {client.role._identity.secret[:32]}
    found.add(client.node.network.links.static.secret)
    for path in client.role.own.paths:
        found |= {int(path.path_id), int(path.handle)}
        for key in path.keys:
            found |= {key.forward_layer, key.backward_layer, key.control_forward, key.broken}
    for stream in client.role.sessions.streams.values():
        found.add(stream.index)
    return found


def test_no_report_tells_a_secret_in_any_spelling(world: World) -> None:
    told = ""
    for router in world.routers:
        told += json.dumps(of_router(router)) + repr(router.role.contact._keys)
    for client in world.clients.values():
        told += json.dumps(of_client(world, client.name))
        told += json.dumps(summary(client.node, client.role, 0, world.network.now))
        told += "".join(map(repr, client.role.own.paths))
    for client in world.clients.values():
        for secret in secrets_of(client):
            spellings = (
                [str(secret), f"{secret:x}"]
                if isinstance(secret, int)
                else [secret.hex(), repr(secret)[2:-1], secret[:8].hex()]
            )
            assert [one for one in spellings if len(one) > 6 and one in told] == []
