"""`python -m orchestrator.world.forwarder NODE HOST PORT [--detach LOG]`: carries TCP into a node.

It runs inside a node's namespaces, where HOST means what it means to the node's programs, and
accepts on descriptor 0, a listening socket that was made outside, in the host's network. So it
belongs to the world and ends with it. Standard library only, as everything in the world.

1. look HOST up once, and say on standard output how that went: `{"ok": …}` or `{"error": text}`;
2. with --detach leave the caller: fork, a session of its own, output to LOG;
3. for each connection connect to HOST and copy both ways until both have said all.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import socket
import sys

__all__ = ["main"]

BLOCK_BYTES = 1 << 16
MOST_CONNECTIONS = 256
"""At once; further ones wait in the listener's queue."""


def main() -> int:
    """Serve until a signal comes."""
    arguments = _arguments()
    try:
        found = socket.getaddrinfo(
            arguments.host, arguments.port, socket.AF_INET, socket.SOCK_STREAM
        )
    except OSError as error:
        text = f"{arguments.node} cannot resolve {arguments.host}: {error.strerror}"
        print(json.dumps({"error": text}), flush=True)
        return 1
    if arguments.detach is not None and not _detach(arguments.detach):
        return 0
    print(json.dumps({"ok": str(found[0][4][0])}), flush=True)
    if arguments.detach is not None:
        os.dup2(2, 1)
    asyncio.run(_serve(arguments.host, arguments.port))
    return 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(allow_abbrev=False)
    parser.add_argument("node", help="whose namespaces these are: it is shown in lists")
    parser.add_argument("local", help="where the listener listens: it is shown in lists")
    parser.add_argument("host", help="whom to connect to")
    parser.add_argument("port", type=int, help="its port")
    parser.add_argument("--detach", metavar="LOG", help="go on alone, with output to LOG")
    return parser.parse_args()


def _detach(log: str) -> bool:
    """True in the process that goes on, in a session of its own: nobody hangs up on that."""
    flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC | os.O_NOFOLLOW
    output = os.open(log, flags, 0o600)
    if os.fork():
        return False
    os.setsid()
    os.dup2(output, 2)
    os.close(output)
    return True


async def _serve(host: str, port: int) -> None:
    places = asyncio.Semaphore(MOST_CONNECTIONS)

    async def carry(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        async with places:
            await _carry(reader, writer, host, port)

    server = await asyncio.start_server(carry, sock=socket.socket(fileno=0), limit=BLOCK_BYTES)
    await server.serve_forever()


async def _carry(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, host: str, port: int
) -> None:
    try:
        inside = await asyncio.open_connection(host, port, family=socket.AF_INET)
    except OSError as error:
        print(f"{host}:{port}: {error.strerror or error}", file=sys.stderr, flush=True)
        writer.close()
        return
    await asyncio.gather(_copy(reader, inside[1]), _copy(inside[0], writer))
    for each in (writer, inside[1]):
        each.close()


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """One direction; its end is passed on, as the other may go on."""
    try:
        while data := await reader.read(BLOCK_BYTES):
            writer.write(data)
            await writer.drain()
        if writer.can_write_eof():
            writer.write_eof()
    except OSError:
        writer.transport.abort()  # one end broke off: the other learns it at once


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)
