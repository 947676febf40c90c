"""The DNS listener: UDP and TCP on loopback addresses.

Rules: what can be answered at once is; questions that need an address wait for it, all who ask
for the same one together, until the deadline the caller set, and are answered the moment it is
known. Everything that waits is bounded; what is too much gets SERVFAIL at once. A datagram that
is no question gets nothing.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import os
from collections.abc import Awaitable, Callable, Sequence
from enum import Enum, auto
from typing import TYPE_CHECKING, Final, Literal, TypeAlias, cast

from lokinet_node.base.addresses import Endpoint, parse_ipv4
from lokinet_node.base.errors import LokinetError, OperatorError, WireError
from lokinet_node.base.units import SECOND, Micros
from lokinet_node.dns.answer import Forward, NeedAddress, Zone, answer, fail, finish
from lokinet_node.dns.message import Query, decode_query

if TYPE_CHECKING:
    from lokinet_node.drivers.dns_upstream import Forwarder
    from lokinet_node.drivers.log import Log

Resolve: TypeAlias = Callable[[str, bytes], Awaitable[str | None]]
"""("loki" or "snode", 32 bytes) -> dotted tun address; None: no such remote. It may wait for the
node to become ready; a LokinetError means that nobody could look."""

MAX_WAITING = 1024
"""Questions that wait for an address or an upstream answer."""
MAX_NAMES = 256
"""Different identities being resolved: each may cost path builds."""
MAX_TCP_CLIENTS = 64
TCP_IDLE_S = 10.0
"""A TCP client that says nothing for this long is closed (RFC 7766, 6.2.3)."""

_LENGTH = 2  # RFC 1035, 4.2.2
_PORT_TRIES = 16


class _Failed(Enum):
    FAILED = auto()


_FAILED: Final = _Failed.FAILED

Found: TypeAlias = int | Literal[_Failed.FAILED] | None
"""A tun address; or nobody could look; or there is no such remote."""


class DnsServer:
    """Every listening socket of one node, and the questions that wait."""

    def __init__(
        self,
        zone: Zone,
        resolve: Resolve,
        forwarder: Forwarder | None,
        timeout: Micros,
        log: Log,
    ) -> None:
        """Nothing is opened yet; `timeout` is how long a name may take to resolve."""
        self._zone = zone
        self._resolve = resolve
        self._forwarder = forwarder
        self._timeout_s = timeout / SECOND
        self._log = log
        self._names: dict[tuple[str, bytes], asyncio.Task[Found]] = {}
        self._waiting: set[asyncio.Task[None]] = set()
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
        """Close every socket and drop every question that waits."""
        for server in self._servers:
            server.close()
        for transport in self._sockets:
            transport.close()
        tasks = [*self._waiting, *self._talks, *self._names.values()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await asyncio.sleep(0)  # transports give their sockets back one turn later

    def begin(self, data: bytes, reply: Callable[[bytes], None]) -> None:
        """Answer a datagram now, or once what it needs is known."""
        try:
            query = decode_query(data)
        except WireError:
            return
        found = answer(query, self._zone)
        if isinstance(found, bytes):
            reply(found)
        elif len(self._waiting) >= MAX_WAITING:
            reply(fail(query))
        else:
            task = asyncio.get_running_loop().create_task(self._finish_later(query, found, reply))
            self._waiting.add(task)
            task.add_done_callback(self._waiting.discard)

    async def _finish_later(
        self, query: Query, found: NeedAddress | Forward, reply: Callable[[bytes], None]
    ) -> None:
        reply(await self._finished(query, found))

    async def _finished(self, query: Query, found: NeedAddress | Forward) -> bytes:
        if isinstance(found, Forward):
            passed = await self._forwarder.ask(query) if self._forwarder is not None else None
            return fail(query) if passed is None else passed
        ip = await self._address(found)
        return fail(query) if ip is _FAILED else finish(query, found, ip)

    async def _address(self, need: NeedAddress) -> Found:
        """The address of an identity; everybody who asks for it shares one search."""
        name = (need.kind, need.key)
        task = self._names.get(name)
        if task is None:
            if len(self._names) >= MAX_NAMES:
                return _FAILED
            task = asyncio.get_running_loop().create_task(self._search(*name))
            self._names[name] = task
            task.add_done_callback(lambda _: self._names.pop(name, None))
        return await asyncio.shield(task)

    async def _search(self, kind: str, key: bytes) -> Found:
        try:
            async with asyncio.timeout(self._timeout_s):
                ip = await self._resolve(kind, key)
            return None if ip is None else parse_ipv4(ip)
        except (LokinetError, TimeoutError) as error:
            self._log.debug("dns.unresolved", kind=kind, name=key, reason=str(error) or "timeout")
        except Exception as error:  # a bug of ours must not leave an application hanging
            self._log.error("dns.failed", kind=kind, error=repr(error))
        return _FAILED

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
        transport, _ = await loop.create_datagram_endpoint(lambda: _Udp(self), local_addr=endpoint)
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
            found = answer(query, self._zone)
            if not isinstance(found, bytes):
                found = await self._finished(query, found)
            writer.write(len(found).to_bytes(_LENGTH, "big") + found)
            await writer.drain()


class _Udp(asyncio.DatagramProtocol):
    """One UDP socket: datagrams in, datagrams out."""

    def __init__(self, server: DnsServer) -> None:
        self._server = server
        self._transport: asyncio.DatagramTransport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.DatagramTransport", transport)

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        self._server.begin(data, lambda reply: self._send(reply, addr))

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
