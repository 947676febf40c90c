"""The chain's shell: its listeners, its connections and the timer that closes blocks.

One thread and one event loop do everything, so calls are answered one after the other and a
write is on the disk before its answer is handed to the socket.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import stat
from collections.abc import Callable
from functools import partial

from lokinet_node.base.errors import OperatorError
from lokinet_node.chain.database import DiskFull, StoreFailed
from lokinet_node.chain.door import Door
from lokinet_node.chain.listeners import Listener, UnixPath
from lokinet_node.chain.service import Service

MAX_CONNECTIONS = 512
"""At a time and listener; more are closed at once. A router holds one."""
IDLE_S = 60.0
"""A connection that says nothing for this long is closed."""
RETRY_S = 1.0
"""Between two tries to close a block on a full disk."""
_READ_SIZE = 64 << 10

Tell = Callable[[str, str], None]
"""Event and text -> the log."""


class Server:
    """Serves until it is told to stop or the store fails."""

    def __init__(
        self, service: Service, rpc: Listener, admin: Listener, block_time_s: float, tell: Tell
    ) -> None:
        self._service = service
        self._listeners = ((rpc, False), (admin, True))
        self._block_time_s = block_time_s
        self._tell = tell
        self._servers: list[asyncio.Server] = []
        self._connections: tuple[set[asyncio.Task[None]], ...] = (set(), set())
        """Of each listener: readers cannot use up the writers'."""
        self._failed = asyncio.Event()
        service.when_failed = self._failed.set

    async def open(self) -> list[str]:
        """Listen; where, as `rpc=... admin=...` values. OperatorError where it cannot be had."""
        bound = []
        for (listener, may_write), connections in zip(
            self._listeners, self._connections, strict=True
        ):
            answer = partial(self._service.answer, may_write=may_write)
            listening = _listen(listener)
            bound.append(_where(listener, listening))
            accept = partial(self._accept, answer, connections)
            self._servers.append(await asyncio.start_server(accept, sock=listening))
        return bound

    async def run(self, told_to_stop: asyncio.Event) -> None:
        """Close blocks when they are due, until told to stop; StoreFailed ends it, too."""
        timer = asyncio.create_task(self._make_blocks())
        ends = [asyncio.create_task(event.wait()) for event in (told_to_stop, self._failed)]
        try:
            await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in (timer, *ends):
                task.cancel()
        if self._service.failure is not None:
            raise self._service.failure

    async def close(self) -> None:
        """Stop listening, end every connection, leave no socket behind."""
        for server in self._servers:
            server.close()
        everybody = [task for connections in self._connections for task in connections]
        for task in everybody:
            task.cancel()
        await asyncio.gather(*everybody, return_exceptions=True)
        for listener, _ in self._listeners:
            if isinstance(listener, UnixPath):
                with contextlib.suppress(OSError):
                    os.unlink(listener.path)

    async def _make_blocks(self) -> None:
        while self._block_time_s:
            await asyncio.sleep(self._block_time_s)
            await self._make_block()

    async def _make_block(self) -> None:
        while True:
            try:
                self._service.close_block()
            except DiskFull as error:
                self._tell("chain.disk_full", str(error))
                await asyncio.sleep(RETRY_S)
            except StoreFailed:
                return  # `run` was told
            else:
                return

    async def _accept(
        self,
        answer: Callable[[bytes], bytes],
        connections: set[asyncio.Task[None]],
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
    ) -> None:
        task = asyncio.current_task()
        assert task is not None
        connections.add(task)
        try:
            if len(connections) <= MAX_CONNECTIONS:
                await self._converse(Door(answer), reader, writer)
        except (ConnectionError, TimeoutError):
            pass  # the other end left or fell silent; nothing is owed to it
        finally:
            connections.discard(task)
            writer.close()

    async def _converse(
        self, door: Door, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        while door.is_open:
            async with asyncio.timeout(IDLE_S):  # wait_for of 3.11 can swallow a cancellation
                data = await reader.read(_READ_SIZE)
                writer.write(door.receive(data))
                await writer.drain()


def _listen(listener: Listener) -> socket.socket:
    if isinstance(listener, UnixPath):
        return _listen_unix(listener.path)
    listening = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind(listener)
        listening.listen()
    except OSError as error:
        listening.close()
        raise OperatorError(f"{listener}: cannot listen: {error.strerror}") from error
    return listening


def _listen_unix(path: str) -> socket.socket:
    """A listening socket of mode 0600; one that a dead chain left behind is replaced.

    Nobody can be listening there still: the lock on the chain's file has been taken before.
    """
    listening = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        with contextlib.suppress(FileNotFoundError):
            if not stat.S_ISSOCK(os.lstat(path).st_mode):
                raise OperatorError(f"{path}: exists and is not a socket; remove it")
            os.unlink(path)
        mask = os.umask(0o177)  # the mode must be right from the first moment
        try:
            listening.bind(path)
        finally:
            os.umask(mask)
        listening.listen()
    except OSError as error:
        listening.close()
        raise OperatorError(f"{path}: cannot listen: {error.strerror}") from error
    except OperatorError:
        listening.close()
        raise
    return listening


def _where(listener: Listener, listening: socket.socket) -> str:
    """The address there is now, with the port the kernel chose if it was left to it."""
    if isinstance(listener, UnixPath):
        return str(listener)
    ip, port = listening.getsockname()
    return f"{ip}:{port}"
