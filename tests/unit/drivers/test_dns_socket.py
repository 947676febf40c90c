"""The DNS listener and forwarder on real loopback sockets."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Awaitable, Callable
from typing import Any

import dnslib
import pytest

from lokinet_node.base.addresses import Endpoint, parse_ipv4
from lokinet_node.base.errors import LokinetError, OperatorError
from lokinet_node.base.ids import LokiAddress, RouterID
from lokinet_node.base.names import parse_key
from lokinet_node.base.srv import SrvRecord, parse_srv
from lokinet_node.base.units import SECOND, Micros
from lokinet_node.dns.inside import Inside
from lokinet_node.drivers import dns_resolver, dns_socket, dns_upstream
from lokinet_node.drivers.dns_resolver import Resolver
from lokinet_node.drivers.dns_socket import DnsServer
from lokinet_node.drivers.dns_upstream import Forwarder
from lokinet_node.drivers.log import Log
from tests.unit.dns.zones import OWN, REMOTE, ROUTER, ROUTER_NAME, KnownZone

Resolve = Callable[[str, bytes], Awaitable[str | None]]
ANYWHERE = Endpoint("127.0.0.1", 0)
NAME = REMOTE + ".loki"


class Datagrams(asyncio.DatagramProtocol):
    """A UDP socket whose datagrams wait in a queue."""

    def __init__(self, respond: Callable[[bytes], bytes | None] | None = None) -> None:
        self.received: asyncio.Queue[bytes] = asyncio.Queue()
        self.respond = respond

    def connection_made(self, transport: Any) -> None:
        self.transport = transport

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        self.received.put_nowait(data)
        reply = self.respond(data) if self.respond else None
        if reply is not None:
            self.transport.sendto(reply, addr)


async def connect(server: Endpoint) -> Datagrams:
    loop = asyncio.get_running_loop()
    _, protocol = await loop.create_datagram_endpoint(Datagrams, remote_addr=server)
    return protocol


async def upstream(respond: Callable[[bytes], bytes | None]) -> tuple[Endpoint, Datagrams]:
    loop = asyncio.get_running_loop()
    transport, protocol = await loop.create_datagram_endpoint(
        lambda: Datagrams(respond), local_addr=ANYWHERE
    )
    return Endpoint(*transport.get_extra_info("sockname")), protocol


def packed(name: str = NAME, qtype: str = "A") -> bytes:
    return bytes(dnslib.DNSRecord.question(name, qtype).pack())


def outcome(reply: bytes) -> tuple[str, list[str]]:
    message = dnslib.DNSRecord.parse(reply)
    return dnslib.RCODE[message.header.rcode], [str(rr.rdata) for rr in message.rr]


async def ask(server: Endpoint, data: bytes) -> tuple[str, list[str]]:
    client = await connect(server)
    client.transport.sendto(data)
    reply = await client.received.get()
    assert reply[:2] == data[:2]
    client.transport.close()
    return outcome(reply)


class Asker:
    """Facts that are there at once, or whatever a test makes of `address`."""

    def __init__(self, resolve: Resolve) -> None:
        self.resolve = resolve

    async def address(self, kind: str, key: bytes) -> int | None:
        found = await self.resolve(kind, key)
        return None if found is None else parse_ipv4(found)

    async def name(self, name: str) -> LokiAddress | None:
        return LokiAddress(parse_key(REMOTE)) if name == "web.loki" else None

    async def services(self, address: LokiAddress) -> tuple[SrvRecord, ...] | None:
        return (parse_srv("_http._tcp 1 2 80"),) + (parse_srv("_many._tcp 1 2 3 x.loki"),) * 60

    async def contact(self, router: RouterID) -> str | None:
        return "x" * 300

    async def random_router(self) -> RouterID | None:
        return ROUTER


def serve(
    body: Callable[[Endpoint], Awaitable[None]],
    resolve: Resolve,
    forwarder: Forwarder | None = None,
    timeout: Micros = 20 * SECOND,
) -> None:
    async def main() -> None:
        resolver = Resolver(KnownZone(), Asker(resolve), forwarder, timeout, Log("none"))
        server = DnsServer(resolver)
        (bound,) = await server.open([ANYWHERE])
        try:
            async with asyncio.timeout(20):
                await body(bound)
        finally:
            await server.close()
            await resolver.close()

    asyncio.run(main())


def resolver(forwarder: Forwarder | None) -> Resolver:
    return Resolver(KnownZone(), Asker(nobody), forwarder, SECOND, Log("none"))


async def ask_stream(server: Endpoint, data: bytes) -> tuple[str, list[str]]:
    reader, writer = await asyncio.open_connection(*server)
    writer.write(len(data).to_bytes(2, "big") + data)
    reply = await reader.readexactly(int.from_bytes(await reader.readexactly(2), "big"))
    writer.close()
    return outcome(reply)


async def nobody(_kind: str, _key: bytes) -> str | None:
    return None


async def nine(_kind: str, _key: bytes) -> str | None:
    return "172.16.0.9"


def test_what_is_known_is_answered_over_udp_and_tcp_alike() -> None:
    async def body(server: Endpoint) -> None:
        expected = ("NOERROR", [OWN + ".", "172.16.0.1"])
        assert await ask(server, packed("localhost.loki")) == expected
        reader, writer = await asyncio.open_connection(*server)
        for data in (packed("localhost.loki"), packed(NAME)):
            writer.write(len(data).to_bytes(2, "big") + data)
        size = int.from_bytes(await reader.readexactly(2), "big")
        assert outcome(await reader.readexactly(size)) == expected
        size = int.from_bytes(await reader.readexactly(2), "big")
        assert outcome(await reader.readexactly(size)) == ("NXDOMAIN", [])
        writer.close()

    serve(body, nobody)


def test_everybody_who_waits_for_a_name_shares_one_search_and_is_answered_at_once() -> None:
    searches: list[tuple[str, bytes]] = []
    found: asyncio.Queue[str | None] = asyncio.Queue()
    begun = asyncio.Event()

    async def resolve(kind: str, key: bytes) -> str | None:
        searches.append((kind, key))
        begun.set()
        return await found.get()

    async def body(server: Endpoint) -> None:
        clients = [await connect(server) for _ in range(3)]
        for number, client in enumerate(clients):
            client.transport.sendto(packed(f"w{number}.{NAME}"))
        await begun.wait()
        # a round trip through the same socket: the questions before it have been read
        assert await ask(server, packed("localhost.loki", "CNAME")) == ("NOERROR", [OWN + "."])
        assert all(client.received.empty() for client in clients)
        found.put_nowait("172.16.0.9")
        for client in clients:
            assert outcome(await client.received.get()) == ("NOERROR", ["172.16.0.9"])
            client.transport.close()
        assert len(searches) == 1
        found.put_nowait(None)
        assert await ask(server, packed()) == ("NXDOMAIN", [])
        assert len(searches) == 2

    serve(body, resolve)


async def fails(_kind: str, _key: bytes) -> str | None:
    raise LokinetError("no path could be built")


async def breaks(_kind: str, _key: bytes) -> str | None:
    raise ZeroDivisionError


async def hangs(_kind: str, _key: bytes) -> str | None:
    await asyncio.Event().wait()
    return None


@pytest.mark.parametrize("resolve", [fails, breaks])
def test_a_search_that_could_not_be_made_is_a_failure(resolve: Resolve) -> None:
    async def body(server: Endpoint) -> None:
        assert await ask(server, packed()) == ("SERVFAIL", [])

    serve(body, resolve)


def test_a_search_ends_at_its_deadline() -> None:
    async def body(server: Endpoint) -> None:
        assert await ask(server, packed()) == ("SERVFAIL", [])

    serve(body, hangs, timeout=SECOND // 50)


def test_what_waits_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    async def body(server: Endpoint) -> None:
        waiting = await connect(server)
        waiting.transport.sendto(packed())
        monkeypatch.setattr(dns_resolver, "MAX_SEARCHES", 1)
        assert await ask(server, packed("y" * 52 + ".loki")) == ("SERVFAIL", [])
        monkeypatch.setattr(dns_resolver, "MAX_WAITING", 1)
        assert await ask(server, packed()) == ("SERVFAIL", [])
        assert await ask(server, packed("localhost.loki", "CNAME")) == ("NOERROR", [OWN + "."])
        waiting.transport.close()

    serve(body, hangs)


def test_noise_is_not_answered_and_does_no_harm() -> None:
    async def body(server: Endpoint) -> None:
        client = await connect(server)
        for data in (b"", b"x", packed()[:-3], dnslib.DNSRecord().reply().pack()):
            client.transport.sendto(data)
        client.transport.sendto(packed("localhost.loki", "CNAME"))
        assert outcome(await client.received.get()) == ("NOERROR", [OWN + "."])
        client.transport.close()
        _, writer = await asyncio.open_connection(*server)
        writer.write(b"\0\x03abc")
        writer.close()

    serve(body, nobody)


def test_silent_and_surplus_tcp_clients_are_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    async def body(server: Endpoint) -> None:
        monkeypatch.setattr(dns_socket, "MAX_TCP_CLIENTS", 1)
        monkeypatch.setattr(dns_socket, "TCP_IDLE_S", 0.2)
        silent, silent_writer = await asyncio.open_connection(*server)
        silent_writer.write(b"\0")
        surplus, surplus_writer = await asyncio.open_connection(*server)
        assert await surplus.read() == b""
        assert await silent.read() == b""
        silent_writer.close()
        surplus_writer.close()

    serve(body, nobody)


def test_other_names_fail_without_an_upstream() -> None:
    async def body(server: Endpoint) -> None:
        assert await ask(server, packed("example.com")) == ("SERVFAIL", [])

    serve(body, nobody)


def test_other_names_are_forwarded_and_ours_never_are() -> None:
    def respond(data: bytes) -> bytes:
        query = dnslib.DNSRecord.parse(data)
        return bytes(query.replyZone(f"{query.q.qname} 60 A 192.0.2.7").pack())

    async def main() -> None:
        dead, dead_protocol = await upstream(lambda _: None)
        dead_protocol.transport.close()
        address, protocol = await upstream(respond)
        forwarder = Forwarder([dead, address], Inside)
        server = DnsServer(resolver(forwarder))
        (bound,) = await server.open([ANYWHERE])
        async with asyncio.timeout(20):
            assert await ask(bound, packed("Example.com")) == ("NOERROR", ["192.0.2.7"])
            for ours in (
                NAME,
                "no.LOKI",
                "x.snode",
                "4.0.16.172.in-addr.arpa",
                "lb.1.0.16.172.in-addr.arpa",
            ):
                assert (await ask(bound, packed(ours)))[0] == "NXDOMAIN"
        await server.close()
        protocol.transport.close()
        assert protocol.received.qsize() == 1

    asyncio.run(main())


def test_what_takes_several_searches_is_answered_after_the_last() -> None:
    async def body(server: Endpoint) -> None:
        assert await ask(server, packed("www.Web.loki")) == ("NOERROR", ["172.16.0.9"])
        assert await ask(server, packed("_http._tcp.web.loki", "SRV")) == (
            "NOERROR",
            ["1 2 80 web.loki."],
        )
        code, records = await ask(server, packed("random.snode"))
        assert (code, records) == ("NOERROR", [ROUTER_NAME + ".", "172.16.0.9"])
        code, (text,) = await ask(server, packed(ROUTER_NAME, "TXT"))
        assert text == '"' + "x" * 255 + '","' + "x" * 45 + '"'

    serve(body, nine)


def test_an_answer_too_long_for_a_datagram_is_had_over_tcp() -> None:
    question = packed("_many._tcp.web.loki", "SRV")

    async def body(server: Endpoint) -> None:
        client = await connect(server)
        client.transport.sendto(question)
        reply = dnslib.DNSRecord.parse(await client.received.get())
        assert (reply.header.tc, reply.rr) == (1, [])
        client.transport.close()
        code, records = await ask_stream(server, question)
        assert (code, len(records)) == ("NOERROR", 60)

    serve(body, nine)


def test_what_is_asked_over_tcp_is_forwarded_over_tcp() -> None:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        data = await reader.readexactly(int.from_bytes(await reader.readexactly(2), "big"))
        query = dnslib.DNSRecord.parse(data)
        zone = "\n".join(f"{query.q.qname} 60 A 192.0.2.{host}" for host in range(1, 101))
        reply = query.replyZone(zone).pack()
        writer.write(len(reply).to_bytes(2, "big") + reply)
        writer.close()

    async def main() -> None:
        upstream_server = await asyncio.start_server(answer, *ANYWHERE)
        address = Endpoint(*upstream_server.sockets[0].getsockname())
        forwarder = Forwarder([address], Inside)
        server = DnsServer(resolver(forwarder))
        (bound,) = await server.open([ANYWHERE])
        async with asyncio.timeout(20):
            code, records = await ask_stream(bound, packed("example.com"))
        assert (code, len(records)) == ("NOERROR", 100)
        await server.close()
        upstream_server.close()

    asyncio.run(main())


def test_an_upstream_that_lies_or_sleeps_is_waited_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dns_upstream, "TRY_S", 0.1)

    def lie(data: bytes) -> bytes:
        query = dnslib.DNSRecord.parse(data)
        reply = query.replyZone(f"{query.q.qname} 60 A 192.0.2.7").pack()
        return bytes([reply[0] ^ 1]) + bytes(reply[1:])

    async def main() -> None:
        address, protocol = await upstream(lie)
        forwarder = Forwarder([address], Inside)
        server = DnsServer(resolver(forwarder))
        (bound,) = await server.open([ANYWHERE])
        assert await ask(bound, packed("example.com")) == ("SERVFAIL", [])
        await server.close()
        protocol.transport.close()
        asked = [protocol.received.get_nowait() for _ in range(protocol.received.qsize())]
        assert len(asked) == dns_upstream.ROUNDS
        assert asked[0][2:] == asked[1][2:]

    asyncio.run(main())


def test_questions_upstream_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dns_upstream, "MAX_PENDING", 0)
    forwarder = Forwarder([Endpoint("127.0.0.1", 9)], Inside)

    async def body(server: Endpoint) -> None:
        assert await ask(server, packed("example.com")) == ("SERVFAIL", [])

    serve(body, nobody, forwarder)


def test_an_address_that_is_taken_is_named_and_nothing_stays_open() -> None:
    async def main() -> None:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as taken:
            taken.bind(("127.0.0.1", 0))
            server = DnsServer(resolver(None))
            free = Endpoint("127.0.0.2", taken.getsockname()[1])
            with pytest.raises(OperatorError, match="already running") as caught:
                await server.open([free, Endpoint(*taken.getsockname())])
            assert str(taken.getsockname()[1]) in str(caught.value)
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as again:
                again.bind(free)

    asyncio.run(main())
