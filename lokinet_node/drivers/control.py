"""The control socket: one JSON object a line each way, over a Unix socket of mode 0600.

    {"id": 1, "method": "llarp.version", "params": {}}
    {"id": 1, "result": ...}   or   {"id": 1, "error": "text"}
    {"method": "...", "params": {...}}        pushed, to who subscribed to something

Rules: only the user the node runs as, and root, are answered; a line has at most 64 KiB; what
cannot be understood is answered with an error and the connection goes on, unless the line was
too long to find its end. Answers come in the order of the questions. A client that does not read
what is pushed misses it: little is kept for it, and nobody waits.
"""

from __future__ import annotations

import asyncio
import contextlib
import inspect
import json
import os
import socket
import stat
import struct
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, TypeAlias

from lokinet_node.base.errors import LokinetError, OperatorError

if TYPE_CHECKING:
    from lokinet_node.drivers.log import Log

Handler: TypeAlias = Callable[[dict[str, Any]], Any]
"""Named parameters -> a JSON value or an awaitable of one; a LokinetError becomes its text."""
Subscription: TypeAlias = "Callable[[dict[str, Any], Client], Any]"
"""The same for methods that push lines to who called them."""

MAX_LINE = 64 << 10
MAX_CLIENTS = 64
"""Connections at a time; more are closed at once."""
MAX_UNREAD = 256 << 10
"""Bytes of pushed lines that wait for one client."""

_CREDENTIALS = struct.Struct("=iII")
"""struct ucred of unix(7): process, user, group."""


class Client:
    """One connection, as methods see it that push lines."""

    def __init__(self, writer: asyncio.StreamWriter) -> None:
        self._writer = writer
        self._endings: list[Callable[[], None]] = []
        self.missed = 0
        """Lines that were not pushed since the last that was."""

    def push(self, method: str, params: dict[str, Any]) -> None:
        """Send a line unless too much waits already."""
        transport = self._writer.transport
        if transport.is_closing() or transport.get_write_buffer_size() > MAX_UNREAD:
            self.missed += 1
            return
        if self.missed:
            params = {**params, "missed": self.missed}
            self.missed = 0
        self._writer.write(_line({"method": method, "params": params}))

    def at_end(self, act: Callable[[], None]) -> None:
        """Do this when the connection ends."""
        self._endings.append(act)

    def ended(self) -> None:
        """The connection is over."""
        for act in self._endings:
            act()


class ControlSocket:
    """A listening control socket; `open` makes one, `close` leaves nothing behind."""

    def __init__(
        self,
        path: str,
        handlers: Mapping[str, Handler],
        log: Log,
        subscriptions: Mapping[str, Subscription] | None = None,
    ) -> None:
        """Keep what is to be served; nothing is opened yet."""
        self._path = path
        self._handlers = handlers
        self._subscriptions = subscriptions or {}
        self._log = log
        self._clients: set[asyncio.Task[None]] = set()
        self._server: asyncio.Server | None = None
        self._identity: tuple[int, int] | None = None

    async def open(self) -> None:
        """Listen; OperatorError where the path cannot be had or somebody listens there."""
        listener = _listen(self._path)
        status = os.stat(self._path)
        self._identity = (status.st_dev, status.st_ino)
        self._server = await asyncio.start_unix_server(self._accept, sock=listener, limit=MAX_LINE)

    async def close(self) -> None:
        """Stop listening, end every connection, remove the path if it is still ours."""
        if self._server is not None:
            self._server.close()
        for client in self._clients:
            client.cancel()
        await asyncio.gather(*self._clients, return_exceptions=True)
        with contextlib.suppress(OSError):
            status = os.stat(self._path)
            if (status.st_dev, status.st_ino) == self._identity:
                os.unlink(self._path)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._clients.add(task)
        try:
            if len(self._clients) <= MAX_CLIENTS and self._may_ask(writer):
                await self._converse(reader, writer)
        except ConnectionError:
            pass  # the client left; nothing is owed to it
        finally:
            self._clients.discard(task)
            writer.close()

    def _may_ask(self, writer: asyncio.StreamWriter) -> bool:
        peer = writer.get_extra_info("socket")
        raw = peer.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
        _, user, _ = _CREDENTIALS.unpack(raw)
        if user in (0, os.getuid()):
            return True
        self._log.warn("control.refused", uid=user)
        return False

    async def _converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        client = Client(writer)
        try:
            while line := await _read_line(reader):
                writer.write(await self._answer(line, client))
                await writer.drain()
            if line is None:
                writer.write(_reply(None, error=f"a line has at most {MAX_LINE} bytes"))
                await writer.drain()
        finally:
            client.ended()

    async def _answer(self, line: bytes, client: Client) -> bytes:
        identity, method, params, wrong = _decode_request(line)
        if wrong is not None:
            return _reply(identity, error=wrong)
        handler = self._handler(method, client)
        if handler is None:
            return _reply(identity, error=f"unknown method {method!r}")
        try:
            result = handler(params)
            if inspect.isawaitable(result):
                result = await result
            return _reply(identity, result=result)
        except LokinetError as error:
            return _reply(identity, error=str(error))
        except Exception as error:  # a bug of ours must not end the node
            self._log.error("control.failed", method=method, error=type(error).__name__)
            return _reply(identity, error=f"internal error: {type(error).__name__}")

    def _handler(self, method: str, client: Client) -> Handler | None:
        subscription = self._subscriptions.get(method)
        if subscription is None:
            return self._handlers.get(method)
        return lambda params: subscription(params, client)


async def _read_line(reader: asyncio.StreamReader) -> bytes | None:
    """A line, nothing at the end, None for one that is too long."""
    try:
        return await reader.readline()
    except ValueError:
        return None


def _decode_request(line: bytes) -> tuple[object, str, dict[str, Any], str | None]:
    """(id, method, params, what is wrong) of one line; the last is None for a good one."""
    try:
        request = json.loads(line)
    except (ValueError, RecursionError):
        return None, "", {}, "not a line of JSON"
    if not isinstance(request, dict):
        return None, "", {}, "not a JSON object"
    identity = request.get("id")
    if not isinstance(identity, str | int | None):
        return None, "", {}, "id is neither an integer, a string nor null"
    method, params = request.get("method"), request.get("params")
    if not isinstance(method, str):
        return identity, "", {}, "method is missing or no string"
    if not isinstance(params, dict | None):
        return identity, "", {}, "params is no object"
    return identity, method, params or {}, None


def _reply(identity: object, *, result: object = None, error: str | None = None) -> bytes:
    outcome = {"result": result} if error is None else {"error": error}
    return _line({"id": identity, **outcome})


def _line(value: dict[str, object]) -> bytes:
    return json.dumps(value, allow_nan=False).encode() + b"\n"


def _listen(path: str) -> socket.socket:
    """A listening socket of mode 0600; a path whose listener died is taken over."""
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        _clear(path)
        # the mode must be right from the first moment; the loop has one thread
        mask = os.umask(0o177)
        try:
            listener.bind(path)
        finally:
            os.umask(mask)
        listener.listen()
    except OSError as error:
        listener.close()
        raise OperatorError(f"{path}: cannot listen: {error.strerror or error}") from error
    except OperatorError:
        listener.close()
        raise
    return listener


def _clear(path: str) -> None:
    """Remove a socket nobody listens on; OperatorError for anything else that is there."""
    try:
        mode = os.stat(path).st_mode
    except FileNotFoundError:
        return
    if not stat.S_ISSOCK(mode):
        raise OperatorError(f"{path}: exists and is not a socket; remove it")
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        try:
            probe.connect(path)
        except ConnectionRefusedError:
            os.unlink(path)
            return
    raise OperatorError(f"{path}: somebody listens there; is lokinet already running?")
