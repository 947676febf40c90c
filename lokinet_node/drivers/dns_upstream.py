"""Questions to other resolvers: over UDP, and over TCP where that is how we were asked.

Each question has a socket of its own, connected, so that its port is random and datagrams from
elsewhere never reach it. Servers are asked in turn, twice each, before the asker is told that
nobody answered. dns/upstream.py says which answer is believed. Over UDP the asker's own EDNS goes
along, so an answer too long for it says so, and the asker comes again over TCP.

A server in a range that is mapped to an exit is asked through the tun and no other device,
whatever the routes are: while the exit is down it is not asked at all.
"""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, TypeAlias

from lokinet_node.base.errors import WireError
from lokinet_node.dns.upstream import decode_forwarded, encode_forward

if TYPE_CHECKING:
    from lokinet_node.base.addresses import Endpoint
    from lokinet_node.dns.inside import Inside
    from lokinet_node.dns.message import Query

MAX_PENDING = 256
TRY_S = 2.0
"""How long one server has to answer; resolver libraries wait 5 s for us."""
ROUNDS = 2

_LENGTH = 2  # RFC 1035, 4.2.2

_Believe: TypeAlias = Callable[[bytes], bytes | None]


class Forwarder:
    """Asks upstream resolvers; holds nothing between questions."""

    def __init__(
        self,
        servers: Sequence[Endpoint],
        inside: Callable[[], Inside],
        device_towards: Callable[[str], str | None] = lambda _: None,
    ) -> None:
        """`inside` tells which answers are not handed on.

        `device_towards` names the device by which alone an address may be reached, if there is one.
        """
        self._servers = tuple(servers)
        self._inside = inside
        self._device_towards = device_towards
        self._pending = 0

    async def ask(self, query: Query, *, is_stream: bool) -> bytes | None:
        """The answer to hand on; None where nobody gave one that may be handed on."""
        if self._pending >= MAX_PENDING:
            return None
        self._pending += 1
        ask_one = self._ask_stream if is_stream else self._ask_datagram
        try:
            for server in self._servers * ROUNDS:
                try:
                    async with asyncio.timeout(TRY_S):
                        return await ask_one(query, server)
                except (OSError, EOFError, WireError):  # TimeoutError is an OSError: try the next
                    continue
            return None
        finally:
            self._pending -= 1

    async def _ask_datagram(self, query: Query, server: Endpoint) -> bytes | None:
        sent = encode_forward(query, os.urandom)
        loop = asyncio.get_running_loop()
        answered: asyncio.Future[bytes | None] = loop.create_future()
        transport, _ = await loop.create_datagram_endpoint(
            lambda: _Question(answered, self._believe(query, sent)),
            sock=await self._connected(server, socket.SOCK_DGRAM),
        )
        try:
            transport.sendto(sent)
            return await answered
        finally:
            transport.close()

    async def _ask_stream(self, query: Query, server: Endpoint) -> bytes | None:
        sent = encode_forward(query, os.urandom)
        sock = await self._connected(server, socket.SOCK_STREAM)
        reader, writer = await asyncio.open_connection(sock=sock)
        try:
            writer.write(len(sent).to_bytes(_LENGTH, "big") + sent)
            size = int.from_bytes(await reader.readexactly(_LENGTH), "big")
            return self._believe(query, sent)(await reader.readexactly(size))
        finally:
            writer.close()

    async def _connected(self, server: Endpoint, kind: socket.SocketKind) -> socket.socket:
        sock = socket.socket(socket.AF_INET, kind | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC)
        try:
            device = self._device_towards(server.ip)
            if device is not None:
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, device.encode())
            await asyncio.get_running_loop().sock_connect(sock, server)
        except BaseException:  # the deadline too
            sock.close()
            raise
        return sock

    def _believe(self, query: Query, sent: bytes) -> _Believe:
        return lambda received: decode_forwarded(query, sent, received, self._inside())


class _Question(asyncio.DatagramProtocol):
    """One connected socket that waits for one answer."""

    def __init__(self, answered: asyncio.Future[bytes | None], believe: _Believe) -> None:
        self._answered = answered
        self._believe = believe

    def datagram_received(self, data: bytes, _addr: tuple[str, int]) -> None:
        try:
            answer = self._believe(data)
        except WireError:
            return  # forged or late; the real one may still come
        if not self._answered.done():
            self._answered.set_result(answer)

    def error_received(self, exc: Exception) -> None:
        if not self._answered.done():
            self._answered.set_exception(exc)
