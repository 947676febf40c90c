"""Questions to upstream resolvers go the way of exits, or not at all; with the kernel as judge."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from ipaddress import ip_network

import dnslib
import pytest

from lokinet_node.base.addresses import Endpoint
from lokinet_node.dns.inside import Inside
from lokinet_node.dns.message import decode_query
from lokinet_node.drivers import dns_upstream
from lokinet_node.drivers.dns_upstream import Forwarder
from lokinet_node.drivers.log import Log
from lokinet_node.drivers.tun import Tun
from lokinet_node.node.config import Role, Source, Surroundings, parse_config
from lokinet_node.routing import Routing
from lokinet_node.session.packets import NO_OFFLOAD, VNET_HEADER
from lokinet_node.wire.ip import UDP, checksum
from tests.integration.drivers.namespaces import Namespace, join, two_namespaces

NEAR = "192.0.2.2"
"""A resolver on the link itself, like most people's."""
FAR = "203.0.113.53"
PORT = 5300
WAIT_S = 10.0


@pytest.fixture
def world() -> Iterator[tuple[Namespace, Namespace]]:
    with two_namespaces() as (host, outside):
        join(host, outside)
        outside.run(f"ip address add {FAR}/32 dev lo")
        host.run(f"ip route add default via {NEAR}")
        yield host, outside


class Node:
    """What of a node concerns upstream questions, and an exit that answers or does not."""

    def __init__(self, options: str) -> None:
        around = Surroundings("/", "/", lambda _: True)
        text = f"[network]\n{options}[bootstrap]\nseed-node=1\n"
        config = parse_config([Source("lokinet.ini", text)], Role.CLIENT, around)
        self.tun = Tun("loki0")
        self.routing = Routing(config, Log("none"))
        self.routing.use_tun(self.tun)
        self.has_exit = True
        self.carried: list[str] = []
        """Servers whose questions came through the tun."""

    def close(self) -> None:
        self.routing.release()
        self.routing.close()
        self.tun.close()

    async def ask(self, server: str) -> str | None:
        """The address an upstream resolver names, or None."""
        query = decode_query(dnslib.DNSRecord.question("www.example").pack())
        forwarder = Forwarder(
            [Endpoint(server, PORT)], lambda: Inside(), self.routing.device_towards
        )
        loop = asyncio.get_running_loop()
        loop.add_reader(self.tun.fileno(), self._exit)
        try:
            reply = await forwarder.ask(query, is_stream=False)
        finally:
            loop.remove_reader(self.tun.fileno())
        return None if reply is None else str(dnslib.DNSRecord.parse(reply).rr[0].rdata)

    def _exit(self) -> None:
        buffer = bytearray(1 << 16)
        while size := self.tun.read_into(buffer):
            packet = buffer[VNET_HEADER:size]
            if packet[0] != 0x45 or packet[9] != UDP:
                continue
            self.carried.append(socket.inet_ntoa(packet[16:20]))
            if not self.has_exit:
                continue
            answer = named(bytes(packet[28:]), "198.51.100.2")
            ends = packet[16:20] + packet[12:16]
            header = bytearray(packet[:12] + ends)
            header[2:4] = (28 + len(answer)).to_bytes(2, "big")
            header[10:12] = bytes(2)
            header[10:12] = checksum(header).to_bytes(2, "big")
            ports = packet[22:24] + packet[20:22]
            datagram = ports + (8 + len(answer)).to_bytes(2, "big") + bytes(2)
            self.tun.write(NO_OFFLOAD + header + datagram + answer)


def named(question: bytes, address: str) -> bytes:
    query = dnslib.DNSRecord.parse(question)
    return bytes(query.replyZone(f"{query.q.qname} 60 A {address}").pack())


@contextlib.asynccontextmanager
async def in_clear(outside: Namespace) -> AsyncIterator[list[str]]:
    """Resolvers of the underlay; what they were asked from where."""
    asked: list[str] = []
    loop = asyncio.get_running_loop()
    sockets = []
    for address in (NEAR, FAR):
        with outside.entered():
            sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
        sock.bind((address, PORT))
        sockets.append(sock)
        loop.add_reader(sock, respond, sock, asked)
    try:
        yield asked
    finally:
        for sock in sockets:
            loop.remove_reader(sock)
            sock.close()


def respond(sock: socket.socket, asked: list[str]) -> None:
    data, peer = sock.recvfrom(2048)
    asked.append(peer[0])
    sock.sendto(named(data, "198.51.100.1"), peer)


Body = Callable[[Node, list[str]], Awaitable[None]]


def run(world: tuple[Namespace, Namespace], options: str, body: Body) -> None:
    host, outside = world

    async def main() -> None:
        async with asyncio.timeout(WAIT_S), in_clear(outside) as asked:
            with host.entered(), contextlib.closing(Node(options)) as node:
                await body(node, asked)

    asyncio.run(main())


@pytest.mark.parametrize("server", [NEAR, FAR])
@pytest.mark.parametrize("options", ["", "auto-routing=0\n"])
def test_what_is_mapped_to_an_exit_is_asked_through_it(
    world: tuple[Namespace, Namespace], options: str, server: str
) -> None:
    async def body(node: Node, asked: list[str]) -> None:
        assert await node.ask(server) == "198.51.100.1"
        assert asked == ["192.0.2.1"]
        node.routing.exits_changed([ip_network("::/0")])
        assert await node.ask(server) == "198.51.100.2"
        assert (asked, node.carried) == (["192.0.2.1"], [server])
        node.routing.exits_changed([])
        assert await node.ask(server) == "198.51.100.1"

    run(world, options, body)


@pytest.mark.parametrize("server", [NEAR, FAR])
def test_while_the_exit_is_down_nobody_is_asked(
    world: tuple[Namespace, Namespace], server: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dns_upstream, "TRY_S", 0.1)

    async def body(node: Node, asked: list[str]) -> None:
        node.routing.exits_changed([ip_network("0.0.0.0/0")])
        node.has_exit = False
        assert await node.ask(server) is None
        assert (asked, node.carried) == ([], [server] * dns_upstream.ROUNDS)
        host = world[0]
        host.run("ip link set loki0 down")
        assert await node.ask(server) is None
        assert asked == []

    run(world, "", body)


def test_a_resolver_that_is_not_mapped_is_asked_in_clear(
    world: tuple[Namespace, Namespace],
) -> None:
    async def body(node: Node, asked: list[str]) -> None:
        node.routing.exits_changed([ip_network("198.51.100.0/24")])
        assert await node.ask(FAR) == "198.51.100.1"
        assert node.carried == []

    run(world, "", body)
