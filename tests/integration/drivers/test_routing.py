"""What a node tells its routes, with the kernel as judge: strangers, failures, others' routes."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import functools
import time
from collections.abc import Callable, Coroutine, Iterator
from ipaddress import ip_network
from pathlib import Path
from types import SimpleNamespace
from typing import ParamSpec, cast

import pytest

from lokinet_node.base.errors import OperatorError
from lokinet_node.drivers import exit_routes
from lokinet_node.drivers.log import Log
from lokinet_node.drivers.tun import Tun
from lokinet_node.link.link import Address, Link
from lokinet_node.node.config import Role, Source, Surroundings, parse_config
from lokinet_node.routing import MOST_RELAYS, Routing
from tests.integration.drivers.namespaces import Namespace, join, two_namespaces

RELAY, STRANGER = "198.51.100.7", "203.0.113.66"
WAIT_S = 10.0
OURS = "ip -4 route show proto 108"
EVERYTHING = ip_network("0.0.0.0/0")
EXIT = "exit-node=" + "o" * 51 + "y.loki\n"


P = ParamSpec("P")


def in_loop(test: Callable[P, Coroutine[None, None, None]]) -> Callable[P, None]:
    """A test that follows what the kernel tells."""

    @functools.wraps(test)
    def run(*args: P.args, **kwargs: P.kwargs) -> None:
        asyncio.run(test(*args, **kwargs))

    return run


@pytest.fixture
def host() -> Iterator[Namespace]:
    with two_namespaces() as (host, gateway):
        _, first = join(host, gateway)
        host.run(f"ip route add default via {first}")
        yield host


class Node:
    """What of a node concerns its routes; `sent` is who got a datagram."""

    def __init__(self, log: Path, options: str = "") -> None:
        around = Surroundings("/", "/", lambda _: True)
        text = f"[network]\n{options}[bootstrap]\nseed-node=1\n"
        config = parse_config([Source("lokinet.ini", text)], Role.CLIENT, around)
        self.log = Log("warn", str(log))
        self.routing = Routing(config, self.log)
        self.links: dict[str, Link] = {}
        self.routing.use_links(self.links.values())
        self.sent: list[str] = []
        self._send = self.routing.carried(self._sent)

    def _sent(self, address: Address, view: memoryview) -> None:
        self.sent.append(address[0])

    def dial(self, ip: str) -> None:
        self.links[ip] = cast("Link", SimpleNamespace(address=(ip, 1090)))
        self.send(ip)

    def send(self, ip: str) -> None:
        self._send((ip, 1090), memoryview(b"datagram"))

    def events(self) -> list[str]:
        return [line.split()[2] for line in self.log.recent()]


@contextlib.contextmanager
def mapped(host: Namespace, path: Path, *ranges: str) -> Iterator[Node]:
    """A node in the host with these ranges mapped to an exit, following the kernel."""
    with contextlib.ExitStack() as stack:
        with host.entered():
            tun = stack.enter_context(contextlib.closing(Tun("loki0")))
            node = Node(path / "log")
            stack.callback(node.log.close)
            stack.callback(node.routing.close)
            node.routing.use_tun(tun)
            node.routing.serve()
            node.routing.exits_changed([ip_network(one) for one in ranges])
        yield node


async def eventually(host: Namespace, holds: Callable[[], bool], what: str) -> None:
    until = time.monotonic() + WAIT_S
    while not holds():
        assert time.monotonic() < until, what
        with host.entered():  # the node looks at the table of the thread's namespace
            await asyncio.sleep(0)


@in_loop
async def test_only_what_the_node_dials_gets_a_way_past_the_tun(
    host: Namespace, tmp_path: Path
) -> None:
    with mapped(host, tmp_path, "0.0.0.0/0") as node, host.entered():
        node.dial(RELAY)
        node.send(STRANGER)
        assert node.sent == [RELAY]
        ours = host.run(OURS).stdout
        assert RELAY in ours
        assert STRANGER not in ours
        for number in range(MOST_RELAYS):
            node.dial(f"198.18.0.{number}")
        assert len(node.sent) == host.run(OURS).stdout.count(" via ") == MOST_RELAYS


@in_loop
async def test_a_kernel_that_does_not_answer_costs_datagrams_and_not_the_node(
    host: Namespace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    observe = exit_routes.observe

    def fail() -> exit_routes.Table:
        raise OSError(errno.ENOBUFS, "as the kernel says")

    with mapped(host, tmp_path, "0.0.0.0/0") as node, host.entered():
        monkeypatch.setattr(exit_routes, "observe", fail)
        for _ in range(3):
            node.dial(RELAY)
        assert node.sent == []
        assert "No buffer space" in node.routing.problem
        assert node.events().count("routes.failed") == 1
        monkeypatch.setattr(exit_routes, "observe", observe)
        node.send(RELAY)
        assert node.sent == [RELAY]
        assert RELAY in host.run(OURS).stdout
        await eventually(host, lambda: node.routing.problem == "", "a problem that is over stays")


@in_loop
async def test_a_problem_ends_when_the_kernel_takes_the_routes(
    host: Namespace, tmp_path: Path
) -> None:
    with mapped(host, tmp_path) as node:
        host.run("ip link set loki0 down")
        with host.entered():
            node.routing.exits_changed([EVERYTHING])
        assert "refused" in node.routing.problem
        host.run("ip link set loki0 up")
        await eventually(host, lambda: node.routing.problem == "", "the problem stays")
        assert "0.0.0.0/1 dev loki0" in host.run(OURS).stdout


@in_loop
async def test_routes_follow_when_the_other_node_of_the_host_has_ended(
    host: Namespace, tmp_path: Path
) -> None:
    with host.entered():
        other = Tun("loki1")
    host.run("ip route add 0.0.0.0/1 dev loki1 proto 108")
    with mapped(host, tmp_path, "0.0.0.0/0") as node:
        assert "another node" in node.routing.problem
        other.close()
        await eventually(host, lambda: node.routing.problem == "", "the problem stays")
        assert "0.0.0.0/1 dev loki0" in host.run(OURS).stdout


@in_loop
async def test_routes_of_others_that_go_past_the_exit_are_told(
    host: Namespace, tmp_path: Path
) -> None:
    with mapped(host, tmp_path, "0.0.0.0/0") as node:
        assert node.events() == ["routes.ipv6"]
        host.run("ip route add 203.0.113.0/24 via 192.0.2.2")
        await eventually(host, lambda: "routes.passing" in node.events(), "nobody says so")
        assert "203.0.113.0/24" in node.log.recent()[-1]


@pytest.mark.parametrize("options", ["", EXIT])
def test_a_kernel_that_shows_no_routes_is_no_exit_in_clear(
    host: Namespace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, options: str
) -> None:
    def fail() -> exit_routes.Table:
        raise OSError(errno.EPERM, "as a sandbox says")

    monkeypatch.setattr(exit_routes, "observe", fail)
    with host.entered():
        if options:
            with pytest.raises(OperatorError, match=r"exit-node: .*Operation not permitted"):
                Node(tmp_path / "log", options)
            return
        node = Node(tmp_path / "log", options)
    assert node.events() == ["routes.unread"]
    node.routing.exits_changed([EVERYTHING])
    assert "not permitted" in node.routing.problem, "map_exit would say OK"
    node.routing.exits_changed([])
    assert node.routing.problem
    node.routing.close()
    node.log.close()
