"""Routes for exits with the kernel as judge; what leaves is captured at the gateway."""

from __future__ import annotations

import contextlib
import errno
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from ipaddress import ip_network
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest

from lokinet_node.drivers import exit_routes, netlink
from lokinet_node.drivers.exit_routes import ExitRoutes, observe
from lokinet_node.drivers.log import Log
from lokinet_node.drivers.tun import Tun
from lokinet_node.drivers.udp import UdpSocket
from lokinet_node.exits.routes import Route
from lokinet_node.link.events import LinkDown, Reason
from lokinet_node.link.link import Link
from lokinet_node.node.config import Role, Source, Surroundings, parse_config
from lokinet_node.routing import Routing
from tests.integration.drivers.namespaces import Namespace, join, two_namespaces
from tests.integration.drivers.routing_node import RELAY

PROGRAM = Path(__file__).with_name("routing_node.py")
SERVER, SERVER6 = "203.0.113.80", "2001:db8::80"
"""Behind the gateway, as is RELAY."""
LATER = "198.51.100.8"
"""Another relay behind the gateway."""
SECOND = "192.0.2.3"
"""The other gateway."""
WAIT_S = 10.0
OURS = "ip -4 route show proto 108"


@pytest.fixture
def world() -> Iterator[tuple[Namespace, Namespace]]:
    """A host, and a gateway with two addresses that leads to the server and the relay."""
    with two_namespaces() as (host, gateway):
        _, first = join(host, gateway)
        for address in (SERVER, RELAY, LATER):
            gateway.run(f"ip address add {address}/32 dev lo")
        gateway.run(f"ip address add {SECOND}/24 dev v0")
        gateway.run("ip -6 address add 2001:db8:1::2/64 dev v0 nodad")
        gateway.run(f"ip -6 address add {SERVER6}/128 dev lo nodad")
        host.run("ip -6 address add 2001:db8:1::1/64 dev v0 nodad")
        host.run("ip -6 route add default via 2001:db8:1::2")
        host.run(f"ip route add default via {first} metric 50")
        yield host, gateway


@contextmanager
def started(host: Namespace, *words: str) -> Iterator[subprocess.Popen[str]]:
    command = ["nsenter", f"--net=/proc/{host.pid}/ns/net", sys.executable, str(PROGRAM), *words]
    environment = {**os.environ, "PYTHONPATH": os.getcwd()}
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as child:
        try:
            yield child
        finally:
            child.kill()


def said(child: subprocess.Popen[str]) -> str:
    assert child.stdout is not None
    return child.stdout.readline().strip()


class Capture:
    """What the gateway hears from the host, as addresses and UDP payloads."""

    def __init__(self, gateway: Namespace) -> None:
        with gateway.entered():
            self._socket = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, 0x0300)  # any, big
            self._socket.bind(("v0", 3))
        self._socket.settimeout(WAIT_S)

    def until(self, last: bytes) -> list[bytes]:
        """Every packet up to the one that ends like this."""
        found: list[bytes] = []
        while not found or not found[-1].endswith(last):
            packet, (_, _, direction, *_) = self._socket.recvfrom(2048)
            if direction != socket.PACKET_OUTGOING:
                found.append(packet)
        self._socket.close()
        return found


def send(host: Namespace, address: str, data: bytes) -> int:
    """Send a datagram from the host; 0, or the number of the error."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with host.entered():
        sock = socket.socket(family, socket.SOCK_DGRAM)
    with sock:
        try:
            sock.sendto(data, (address, 9))
        except OSError as error:
            return error.errno or -1
    return 0


def leaked(host: Namespace, gateway: Namespace, *errors: int) -> list[bytes]:
    """What of two datagrams to the servers came past the gateway; one to the relay must."""
    capture = Capture(gateway)
    found = [send(host, SERVER, b"in clear"), send(host, SERVER6, b"in clear")]
    assert found == list(errors or (0, 0))
    assert send(host, RELAY, b"link") == 0
    return [packet for packet in capture.until(b"link") if packet.endswith(b"in clear")]


def eventually(holds: Callable[[], bool], what: str) -> None:
    until = time.monotonic() + WAIT_S
    while not holds():
        assert time.monotonic() < until, what


def test_without_an_exit_everything_goes_past_the_gateway(
    world: tuple[Namespace, Namespace],
) -> None:
    # what the other tests rely on: the capture does see what is in clear
    assert len(leaked(*world)) == 2


def test_a_default_exit_takes_all_but_links(world: tuple[Namespace, Namespace]) -> None:
    host, _ = world
    before = host.run(["ip route", " ip -6 route"][0]).stdout
    with started(host, "0.0.0.0/0") as node:
        assert said(node) == "mapped"
        assert leaked(*world, 0, errno.EINVAL) == []
        assert "dev loki0 src 172.16.0.1" in host.run(f"ip route get {SERVER}").stdout
        assert "via 192.0.2.2 dev v0" in host.run(f"ip route get {RELAY}").stdout
        assert "dev v0" in host.run("ip route get 192.0.2.9").stdout
        ours = host.run(OURS).stdout
        assert "blackhole 128.0.0.0/1 metric 4096" in ours
        assert before.splitlines()[0] in host.run("ip route").stdout
        node.terminate()
        assert node.wait(WAIT_S) == 0
    assert host.run(OURS).stdout == host.run("ip -6 route show proto 108").stdout == ""
    assert host.run("ip route").stdout == before


def test_kill_leaves_the_guard_and_a_restart_takes_it_over(
    world: tuple[Namespace, Namespace],
) -> None:
    host, _ = world
    with started(host, "::/0") as node:
        assert said(node) == "mapped"
        node.kill()
        node.wait(WAIT_S)
    assert leaked(*world, errno.EINVAL, errno.EINVAL) == []
    # the host route of the relay is lost meanwhile: the new run needs it before anything else
    host.run(f"ip route del {RELAY}")
    with started(host, "--restarted") as node:
        assert said(node) == "held"
        eventually(lambda: send(host, RELAY, b"again") == 0, "no way to the relay")
        assert leaked(*world, errno.EINVAL, errno.EINVAL) == []
        node.terminate()
        assert node.wait(WAIT_S) == 0
    assert len(leaked(*world)) == 2


def test_a_narrow_range_leaves_the_rest_in_clear(world: tuple[Namespace, Namespace]) -> None:
    host, _ = world
    with started(host, "203.0.113.0/24") as node:
        assert said(node) == "mapped"
        (in_clear,) = leaked(*world)
        assert in_clear[0] >> 4 == 6


def test_another_gateway_is_followed_and_a_lost_one_lets_nothing_out(
    world: tuple[Namespace, Namespace],
) -> None:
    host, _ = world
    with started(host, "0.0.0.0/0") as node:
        assert said(node) == "mapped"
        host.run(f"ip route add default via {SECOND} metric 10")
        eventually(lambda: SECOND in host.run(f"ip route get {RELAY}").stdout, "not followed")
        host.run(f"ip route del default via {SECOND}")
        eventually(lambda: SECOND not in host.run(f"ip route get {RELAY}").stdout, "not back")
        host.run("ip route del default")
        eventually(lambda: send(host, RELAY, b"link") == errno.EHOSTUNREACH, "into the tun")
        host.run("ip link set v0 down")
        host.run("ip link set v0 up")
        host.run("ip route add default via 192.0.2.2")
        eventually(lambda: send(host, RELAY, b"link") == 0, "the new gateway is not used")
        assert leaked(*world, 0, errno.EINVAL) == []


def test_a_route_of_ours_that_somebody_removes_comes_back(
    world: tuple[Namespace, Namespace],
) -> None:
    host, _ = world
    with started(host, "0.0.0.0/0") as node:
        assert said(node) == "mapped"
        host.run("ip route del 128.0.0.0/1 dev loki0")
        eventually(lambda: send(host, SERVER, b"in clear") == 0, "still blackholed")


def test_foreign_routes_are_never_touched(world: tuple[Namespace, Namespace]) -> None:
    host, _ = world
    foreign = (
        "0.0.0.0/1 via 192.0.2.2 dev v0",
        f"{RELAY} via {SECOND} dev v0",
        f"{SERVER} via {SECOND} dev v0",
        "blackhole 198.18.0.0/15 metric 4096",
        "multicast 239.0.0.0/8 dev v0",
        "203.0.113.0/24 nexthop via 192.0.2.2 dev v0 nexthop via 192.0.2.3 dev v0",
    )
    for route in foreign:
        host.run(f"ip route add {route}")
    before = host.run("ip route show table all").stdout
    with started(host, "0.0.0.0/0", "203.0.113.0/24", f"{SERVER}/32") as node:
        assert said(node) == "mapped"
        assert leaked(*world, 0, errno.EINVAL) == []
        assert SECOND in host.run(f"ip route get {RELAY}").stdout
        for line in before.splitlines():
            assert line in host.run("ip route show table all").stdout
        node.terminate()
        assert node.wait(WAIT_S) == 0
    assert host.run("ip route show table all").stdout == before


def test_two_nodes_do_not_share_a_hosts_routes(world: tuple[Namespace, Namespace]) -> None:
    host, _ = world
    with started(host, "0.0.0.0/0") as first:
        assert said(first) == "mapped"
        ours = host.run(OURS).stdout
        with host.entered():
            tun = Tun("loki1")
            second = ExitRoutes(_unexpected, has_guard=True)
            second.use_tun("loki1", carries_ipv6=False)
            assert not second.holds_guard
            assert not second.map([ip_network("203.0.113.0/24")])
            second.mend()
            second.release()
            second.close()
            tun.close()
        assert host.run(OURS).stdout == ours


def test_a_relay_on_the_link_is_reached_though_the_range_is_narrower(
    world: tuple[Namespace, Namespace],
) -> None:
    host, _ = world
    with host.entered():
        tun = Tun("loki0")
        routes = ExitRoutes(_unexpected, has_guard=True)
        routes.use_tun("loki0", carries_ipv6=False)
        routes.map([ip_network("192.0.2.0/28")])
        assert "dev loki0" in host.run(f"ip route get {SECOND}").stdout
        routes.add_relay(SECOND)
        assert "dev v0" in host.run(f"ip route get {SECOND}").stdout
        routes.keep_relays([])
        assert "dev loki0" in host.run(f"ip route get {SECOND}").stdout
        routes.map([])
        assert observe().ours == frozenset()
        routes.close()
        tun.close()


def test_what_the_kernel_refuses_is_told_once(world: tuple[Namespace, Namespace]) -> None:
    host, _ = world
    told: list[tuple[str, str]] = []
    with host.entered():
        tun = Tun("loki0")
        routes = ExitRoutes(
            lambda verb, route, _: told.append((verb, str(route.network))), has_guard=True
        )
        routes.use_tun("loki0", carries_ipv6=False)
        host.run("ip link set loki0 down")
        routes.map([ip_network("203.0.113.0/24")])
        routes.mend()
        assert told == [("add", "203.0.113.0/24")]
        assert routes.refused == 1
        assert send(host, SERVER, b"in clear") == errno.EINVAL
        host.run("ip link set loki0 up")
        routes.heard()
        routes.mend()
        assert routes.refused == 0
        assert "dev loki0" in host.run(f"ip route get {SERVER}").stdout
        routes.release()
        routes.close()
        tun.close()


@pytest.mark.parametrize("options", ["", "blackhole-routes=0\n", "auto-routing=0\n"])
def test_a_nodes_links_go_past_the_tun_for_as_long_as_they_are_links(
    world: tuple[Namespace, Namespace], options: str
) -> None:
    host, gateway = world
    around = Surroundings("/", "/", lambda _: True)
    text = f"[network]\n{options}[bootstrap]\nseed-node=1\n"
    config = parse_config([Source("lokinet.ini", text)], Role.CLIENT, around)
    with contextlib.ExitStack() as stack:
        log = Log("none")
        with host.entered():
            tun = Tun("loki0")
            stack.callback(tun.close)
            socket_ = UdpSocket(("192.0.2.1", 0))
            stack.callback(socket_.close)
            routing = Routing(config, log)
            stack.callback(routing.close)
            relays = (RELAY, SECOND, LATER)
            links = [cast("Link", SimpleNamespace(address=(ip, 9))) for ip in relays]
            routing.use_links(links)
            send = routing.carried(socket_.send)
            routing.use_tun(tun)
            send((RELAY, 9), memoryview(b"before"))
            routing.exits_changed([ip_network("0.0.0.0/0")])
            capture = Capture(gateway)
            for address in (RELAY, SECOND, LATER):
                send((address, 9), memoryview(f"to {address}".encode()))
            found = capture.until(f"to {LATER}".encode())
            ended = [packet.split(b"to ")[1].decode() for packet in found if b"to " in packet]
            assert ended == [RELAY, SECOND, LATER]
            ours = host.run(OURS).stdout
            assert ("blackhole" in ours, "via 192.0.2.2" in ours) == {
                "": (True, True),
                "blackhole-routes=0\n": (False, True),
                "auto-routing=0\n": (False, False),
            }[options]
            del links[1:]
            routing.take(LinkDown(links[0], Reason.DEAD))
            ours = host.run(OURS).stdout
            assert LATER not in ours
            assert (RELAY in ours) == ("auto-routing" not in options)
            routing.release()
            assert host.run(OURS).stdout == ""


def test_a_node_that_fails_says_that_its_guard_stays_and_the_next_that_it_holds_it(
    world: tuple[Namespace, Namespace], tmp_path: Path
) -> None:
    host, _ = world
    around = Surroundings("/", "/", lambda path: path == "/")
    text = "[bootstrap]\nseed-node=1\n"
    config = parse_config([Source("lokinet.ini", text)], Role.CLIENT, around)
    said_: list[list[str]] = []
    with host.entered():
        for is_told in (False, True):
            log = Log("warn", str(tmp_path / "log"))
            routing = Routing(config, log)
            with contextlib.closing(Tun("loki0")) as tun:
                routing.use_tun(tun)
                routing.exits_changed([ip_network("::/0")])
                if is_told:
                    routing.release()
                routing.close()
            said_.append([line.split()[2] for line in log.recent()])
            log.close()
    assert said_ == [["routes.ipv6", "routes.left"], ["routes.held", "routes.ipv6"]]


def test_a_kernel_without_ipv6_has_nothing_to_close(
    world: tuple[Namespace, Namespace], monkeypatch: pytest.MonkeyPatch
) -> None:
    host, _ = world

    def ask(kind: int, flags: int, body: bytes) -> Iterator[tuple[int, bytes]]:
        if body[0] == socket.AF_INET6:
            raise OSError(errno.EAFNOSUPPORT, "as such a kernel says")
        return netlink.ask(kind, flags, body)

    monkeypatch.setattr(exit_routes, "ask", ask)
    with host.entered(), contextlib.ExitStack() as stack:
        tun = stack.enter_context(contextlib.closing(Tun("loki0")))
        routes = stack.enter_context(contextlib.closing(ExitRoutes(_unexpected, has_guard=True)))
        routes.use_tun(tun.name, carries_ipv6=False)
        routes.map([ip_network("0.0.0.0/0")])
        assert "blackhole" in host.run(OURS).stdout
        assert host.run("ip -6 route show proto 108").stdout == ""
        routes.release()


def _unexpected(verb: str, route: Route, error: OSError) -> None:
    raise AssertionError(f"{verb} {route}: {error}")
