"""One POST of JSON to an address that is known beforehand: a connection of its own, no redirects.

What is not a whole reply with status 200, within its limit, is no answer: OSError where there is
no connection, WireError for the rest. Time is the caller's to limit.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

import h11

from lokinet_node.base.errors import WireError

if TYPE_CHECKING:
    from lokinet_node.base.addresses import Endpoint

_READ: Final = 64 << 10


async def post(endpoint: Endpoint, target: str, body: bytes, limit: int, *, who: str) -> bytes:
    """The body of the reply, at most `limit` bytes; `who` is asked, for error messages."""
    reader, writer = await asyncio.open_connection(*endpoint)
    try:
        http = h11.Connection(h11.CLIENT)
        headers = [
            ("Host", str(endpoint)),
            ("Content-Type", "application/json"),
            ("Content-Length", str(len(body))),
            ("Connection", "close"),
        ]
        request = h11.Request(method="POST", target=target, headers=headers)
        for event in (request, h11.Data(data=body), h11.EndOfMessage()):
            writer.write(http.send(event) or b"")
        return await _reply(http, reader, limit, who)
    finally:
        writer.close()


async def _reply(http: h11.Connection, reader: asyncio.StreamReader, limit: int, who: str) -> bytes:
    found = bytearray()
    try:
        while True:
            event = http.next_event()
            if event is h11.NEED_DATA:
                http.receive_data(await reader.read(_READ))
            elif isinstance(event, h11.Response) and event.status_code != 200:
                raise WireError(f"{who} answers HTTP {event.status_code}")
            elif isinstance(event, h11.Data):
                found += event.data
                if len(found) > limit:
                    raise WireError(f"{who}'s reply is too long")
            elif isinstance(event, h11.EndOfMessage):
                return bytes(found)
            elif isinstance(event, h11.ConnectionClosed):
                raise WireError(f"{who} hung up")
    except h11.RemoteProtocolError as error:
        raise WireError(f"{who} speaks no HTTP: {error}") from error
