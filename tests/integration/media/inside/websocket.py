"""A WebSocket's client, for the distribution's Python: a text and bytes must come back."""

import asyncio
import sys

import websockets

DEADLINE_S = 20.0


async def talk(url: str) -> None:
    async with websockets.connect(url) as connection:
        for message in ("grüße" * 1000, bytes(range(256)) * 300):
            await connection.send(message)
            if await connection.recv() != message:
                sys.exit("something else came back")
    print("text and bytes came back")


asyncio.run(asyncio.wait_for(talk(sys.argv[1]), DEADLINE_S))
