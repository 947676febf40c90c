"""A wait that fails names the right layer and the right nodes, whatever was broken.

One network of real nodes; each test breaks one thing, waits, and mends it again. Faults that turn
these red stand in docs/testing.md.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.integration.network.real import READY_S, Network, new_network
from tests.integration.orchestrator.command import until

pytestmark = pytest.mark.anywhere

TOPOLOGY = """
name: broken
hops: 3
nodes:
  router: {role: router, count: 5}
  web: {role: service, app: nginx}
  alice: {role: client}
  chain: {role: chain, network-type: testnet}
names: {web.loki: web}
"""
NAME_LIVES = 720
"""Blocks, on a chain of that type (docs/chain.md)."""
READY = f"{READY_S:.0f}s"


@pytest.fixture(scope="module")
def network() -> Iterator[Network]:
    with new_network("broken") as network:
        network.up(network.configure(TOPOLOGY))
        yield network


@pytest.fixture(autouse=True)
def mended(network: Network) -> Iterator[None]:
    """Each test begins with a network that is ready, and leaves one."""
    yield
    done(network, "up", network.configure(TOPOLOGY), "--timeout", READY)


def done(network: Network, *words: str) -> str:
    result = network.run(*words, "--name", "broken")
    assert result.returncode == 0, f"{words}: {result.stderr}"
    return result.stdout


@dataclass(frozen=True)
class Failure:
    """What a failed wait said."""

    missing: dict[tuple[str, str], dict[str, Any]]
    """By (who, layer)."""
    text: str


def failed_wait(network: Network, timeout: str = "4s", *options: str) -> Failure:
    words = ("wait", "--name", "broken", "--timeout", timeout, "--json", *options)
    result = network.run(*words)
    assert result.returncode == 3, (result.stdout, result.stderr)
    missing = json.loads(result.stdout)["missing"]
    return Failure({(one["subject"], one["layer"]): one for one in missing}, result.stderr)


def only(failure: Failure, who: str, layer: str) -> dict[str, Any]:
    """The one thing that is missing; people are told the same."""
    assert list(failure.missing) == [(who, layer)], failure.text
    assert f"{layer}: {who}" in failure.text
    return failure.missing[who, layer]


def inside(network: Network, node: str, *argv: str) -> None:
    result = network.run_beside(node, *argv)
    assert result.returncode == 0, result.stderr


@contextmanager
def firewall(network: Network, node: str, hook: str, rule: str) -> Iterator[None]:
    """A rule in a node's own network, for the block."""
    inside(network, node, "nft", "add table inet fault")
    chain = f"{{ type filter hook {hook} priority 0; }}"
    inside(network, node, "nft", f"add chain inet fault {hook} {chain}")
    inside(network, node, "nft", f"add rule inet fault {hook} {rule}")
    try:
        yield
    finally:
        inside(network, node, "nft", "delete table inet fault")


def test_a_dead_router(network: Network) -> None:
    done(network, "kill", "router-3")
    missing = only(failed_wait(network, READY), "router-3", "process")
    assert missing["seen"] == "lokinet was killed by signal 9"


def test_a_frozen_router(network: Network) -> None:
    done(network, "kill", "router-3", "--signal", "STOP")
    try:
        missing = only(failed_wait(network, "8s"), "router-3", "control socket")
    finally:
        done(network, "kill", "router-3", "--signal", "CONT")
    assert missing["seen"] == "silent for 2 s"
    assert missing["last_log_line"]


@pytest.mark.netns
def test_a_router_whose_port_is_blocked(network: Network) -> None:
    with firewall(network, "router-3", "input", "udp dport 1090 drop"):
        done(network, "restart", "router-3", "--wait-for", "nodes")
        missing = only(failed_wait(network), "router-3", "links")
    assert missing["seen"] == "no link yet"


@pytest.mark.netns
def test_a_client_whose_cable_is_pulled(network: Network) -> None:
    inside(network, "alice", "ip", "link", "set", "eth0", "down")
    try:
        done(network, "restart", "alice", "--wait-for", "nodes")
        only(failed_wait(network), "alice", "links")
    finally:
        inside(network, "alice", "ip", "link", "set", "eth0", "up")
        done(network, "restart", "alice")


def test_too_few_routers_for_a_path(network: Network) -> None:
    frozen = ["router-2", "router-3", "router-4"]
    done(network, "kill", *frozen, "--signal", "STOP")
    try:
        done(network, "restart", "alice", "--wait-for", "links", "--timeout", READY)
        failure = failed_wait(network, "10s", "--wait-for", "paths")
    finally:
        done(network, "kill", *frozen, "--signal", "CONT")
    assert failure.missing.keys() >= {(router, "control socket") for router in frozen}
    assert "no path ready" in failure.missing["alice", "paths"]["seen"]
    assert not {who for who, _ in failure.missing} & {"router-1", "router-5"}


def test_a_bad_key(network: Network) -> None:
    key = network.state / "broken/nodes/web/service.key"
    good = key.read_bytes()
    done(network, "stop", "web")
    key.write_bytes(good[:20])
    try:
        started = network.run("start", "web", "--name", "broken")
        assert started.returncode == 3
        missing = only(failed_wait(network), "web", "process")
    finally:
        key.write_bytes(good)
    assert missing["seen"] == "lokinet ended with exit code 1"
    assert f"{key}: not a key file" in failed_wait(network).text


def test_a_line_the_node_refuses(network: Network) -> None:
    bad = TOPOLOGY.replace("role: client", "role: client, private-network: {path-lifetme: 5 min}")
    result = network.run("up", network.configure(bad), "--name", "broken")
    assert result.returncode == 3
    assert "process: alice: lokinet ended with exit code 1; its last words:" in result.stderr
    assert "path-lifetme" in result.stderr
    only(failed_wait(network), "alice", "process")


@pytest.mark.netns
def test_a_resolver_port_that_somebody_else_took(network: Network) -> None:
    done(network, "stop", "alice")
    taken = network.begin("alice", "socat", "UDP-LISTEN:53,bind=127.3.2.1", "EXEC:cat")
    try:
        until("it listens", lambda: "127.3.2.1:53" in network.execute("alice", "ss", "-uln").stdout)
        started = network.run("start", "alice", "--name", "broken")
        assert started.returncode == 3
        missing = only(failed_wait(network), "alice", "process")
    finally:
        taken.kill()
        taken.communicate()
    assert "127.3.2.1:53" in missing["last_log_line"]


def test_a_service_that_is_down(network: Network) -> None:
    done(network, "kill", "web", "--program", "nginx")
    missing = only(failed_wait(network, READY), "web", "process")
    assert missing["seen"] == "nginx was killed by signal 9"


def test_a_service_whose_port_is_blocked(network: Network) -> None:
    with firewall(network, "web", "input", "tcp dport 80 reject with tcp reset"):
        missing = only(failed_wait(network), "alice → web", "port answers")
    assert missing["seen"] == "Connection refused"


def test_a_resolver_nobody_can_reach(network: Network) -> None:
    with firewall(network, "alice", "output", "udp dport 53 drop"):
        only(failed_wait(network), "alice → web", "name resolves")


def test_a_chain_that_is_down(network: Network) -> None:
    done(network, "kill", "chain")
    missing = only(failed_wait(network, READY), "chain", "process")
    assert missing["seen"] == "oxend was killed by signal 9"


def test_a_chain_that_is_frozen(network: Network) -> None:
    done(network, "kill", "chain", "--signal", "STOP")
    try:
        only(failed_wait(network, "8s"), "chain", "control socket")
    finally:
        done(network, "kill", "chain", "--signal", "CONT")


def test_a_name_nobody_has_bought(network: Network) -> None:
    """It was, but its time is over."""
    done(network, "chain", "mine", str(NAME_LIVES + 1))
    failure = failed_wait(network)
    assert failure.missing["chain", "chain"]["seen"] == "web.loki not registered"
    assert {who for who, _ in failure.missing} <= {"chain", "alice → web"}


def test_a_control_socket_that_was_deleted(network: Network) -> None:
    Path(network.runtime / "broken" / "alice.sock").unlink()
    missing = only(failed_wait(network), "alice", "control socket")
    assert missing["seen"] == "not there yet"
    done(network, "restart", "alice", "--timeout", READY)
