"""HTTP/1.1 over a socket that was made elsewhere: one request at a time, the connection kept."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from dataclasses import dataclass, field

import h11

__all__ = ["Exchange", "Stale"]

RECEIVE_BYTES = 1 << 16
AGENT = "lokinet-testnet"


class Stale(ConnectionError):
    """The server had ended a kept connection before it saw the request."""


@dataclass(slots=True)
class Exchange:
    """A connection to one server."""

    made: socket.socket
    """Connected, and not blocking."""
    took: Callable[[int], None]
    """Told of each part of a body: how many bytes."""
    protocol: h11.Connection = field(default_factory=lambda: h11.Connection(h11.CLIENT))
    answers: int = 0

    @classmethod
    async def to(
        cls, made: socket.socket, address: tuple[str, int], took: Callable[[int], None]
    ) -> Exchange:
        """Connect; raises OSError, and closes the socket then."""
        try:
            made.setblocking(False)
            made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            await asyncio.get_running_loop().sock_connect(made, address)
        except BaseException:
            made.close()
            raise
        return cls(made, took)

    async def get(self, host: str, path: str) -> int:
        """Ask for a page and take all of it; its status.

        Raises OSError, h11.RemoteProtocolError, or Stale if another connection may be tried.
        """
        headers = [("Host", host), ("User-Agent", AGENT), ("Accept", "*/*")]
        request = h11.Request(method="GET", target=path, headers=headers)
        data = self.protocol.send(request) + self.protocol.send(h11.EndOfMessage())
        loop = asyncio.get_running_loop()
        status, has_begun = 0, False
        try:
            await loop.sock_sendall(self.made, data)
            while True:
                event = self.protocol.next_event()
                if event is h11.NEED_DATA:
                    received = await loop.sock_recv(self.made, RECEIVE_BYTES)
                    if not received and not has_begun:
                        raise ConnectionResetError("the server hung up")
                    has_begun = True
                    self.protocol.receive_data(received)
                elif isinstance(event, h11.Response):
                    status = event.status_code
                elif isinstance(event, h11.Data):
                    self.took(len(event.data))
                elif isinstance(event, h11.EndOfMessage):
                    break
        except ConnectionError as error:
            if self.answers and not has_begun:
                raise Stale from error
            raise
        self.answers += 1
        return status

    def may_go_on(self) -> bool:
        """Whether another request may follow; the connection is ready for it then."""
        try:
            self.protocol.start_next_cycle()
        except h11.LocalProtocolError:
            return False
        return True

    def close(self) -> None:
        """Hang up."""
        self.made.close()
