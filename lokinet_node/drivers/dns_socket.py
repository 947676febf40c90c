"""The DNS listener: UDP and TCP on loopback addresses.

Rules: a datagram that is no question gets nothing, a stream that brings none is closed. An answer
too long for a datagram says so, and is had over TCP. Clients of TCP are counted and may not idle;
what waits is the resolver's to bound.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import os
from collections.abc import Sequence
from typing import TYPE_CHECKING, cast

from lokinet_node.base.addresses import Endpoint
from lokinet_node.base.errors import OperatorError, WireError
from lokinet_node.dns.message import decode_query

if TYPE_CHECKING:
    from lokinet_node.drivers.dns_resolver import Resolver

MAX_TCP_CLIENTS = 64
TCP_IDLE_S = 10.0
"""A TCP client that says nothing for this long is closed (RFC 7766, 6.2.3)."""

_LENGTH = 2  # RFC 1035, 4.2.2
_PORT_TRIES = 16


class DnsServer:
    """Every listening socket of one node."""

    def __init__(self, resolver: Resolver) -> None:
        """Nothing is opened yet."""
        self._resolver = resolver
        self._talks: set[asyncio.Task[None]] = set()
        self._sockets: list[asyncio.DatagramTransport] = []
        self._servers: list[asyncio.Server] = []

    async def open(self, endpoints: Sequence[Endpoint]) -> list[Endpoint]:
        """Listen; the endpoints with the ports they got. OperatorError where one is not free."""
        try:
            return [await self._open_one(endpoint) for endpoint in endpoints]
        except OperatorError:
            await self.close()
            raise

    async def close(self) -> None:
        """Close every socket; the resolver is closed by whoever made it."""
        for server in self._servers:
            server.close()
        for transport in self._sockets:
            transport.close()
        for task in self._talks:
            task.cancel()
        await asyncio.gather(*self._talks, return_exceptions=True)
        await asyncio.sleep(0)  # transports give their sockets back one turn later

    async def _open_one(self, endpoint: Endpoint) -> Endpoint:
        """Both sockets of one endpoint, on the same port."""
        for attempt in range(_PORT_TRIES):
            try:
                return await self._open_pair(endpoint)
            except OSError as error:
                # with port 0 the port that UDP got may be taken for TCP: try another
                if endpoint.port or attempt == _PORT_TRIES - 1:
                    raise _unbound(endpoint, error) from error
        raise AssertionError

    async def _open_pair(self, endpoint: Endpoint) -> Endpoint:
        loop = asyncio.get_running_loop()
        transport, _ = await loop.create_datagram_endpoint(
            lambda: _Udp(self._resolver), local_addr=endpoint
        )
        bound = Endpoint(*transport.get_extra_info("sockname"))
        try:
            self._servers.append(await asyncio.start_server(self._accept, *bound))
        except OSError:
            transport.close()
            raise
        self._sockets.append(transport)
        return bound

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = cast("asyncio.Task[None]", asyncio.current_task())
        self._talks.add(task)
        try:
            if len(self._talks) <= MAX_TCP_CLIENTS:
                await self._talk(reader, writer)
        except (ConnectionError, TimeoutError, asyncio.IncompleteReadError):
            pass  # the client left, or has nothing to say
        finally:
            self._talks.discard(task)
            writer.close()

    async def _talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One question after the other; answers in the same order."""
        while True:
            async with asyncio.timeout(TCP_IDLE_S):
                size = int.from_bytes(await reader.readexactly(_LENGTH), "big")
                data = await reader.readexactly(size)
            try:
                query = decode_query(data)
            except WireError:
                return
            found = await self._resolver.ask(query, is_stream=True)
            writer.write(len(found).to_bytes(_LENGTH, "big") + found)
            async with asyncio.timeout(TCP_IDLE_S):
                await writer.drain()


class _Udp(asyncio.DatagramProtocol):
    """One UDP socket: datagrams in, datagrams out."""

    def __init__(self, resolver: Resolver) -> None:
        self._resolver = resolver
        self._transport: asyncio.DatagramTransport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.DatagramTransport", transport)

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        try:
            query = decode_query(data)
        except WireError:
            return
        self._resolver.begin(query, lambda reply: self._send(reply, addr))

    def _send(self, reply: bytes, addr: tuple[str, int]) -> None:
        transport = self._transport
        if transport is not None and not transport.is_closing():
            with contextlib.suppress(OSError):
                transport.sendto(reply, addr)


def _unbound(endpoint: Endpoint, error: OSError) -> OperatorError:
    hint = _HINTS.get(error.errno or 0, "")
    return OperatorError(f"[dns] bind={endpoint}: {os.strerror(error.errno or 0)}{hint}")


_HINTS = {
    errno.EADDRINUSE: "; is lokinet already running?",
    errno.EACCES: "; ports below 1024 need CAP_NET_BIND_SERVICE",
    errno.EADDRNOTAVAIL: "; is the loopback device up?",
}
