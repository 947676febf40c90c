"""A node's control socket, asked from outside: one JSON object a line."""

from __future__ import annotations

import json
import socket
import time
from typing import Any, Protocol

from orchestrator.errors import CheckFailed

__all__ = ["LineClient", "Ways", "ask", "connected", "full_status"]

TIMEOUT_S = 2.0
RECEIVE_BYTES = 1 << 16


class Ways(Protocol):
    """How control sockets are reached; a backend is one."""

    def control(self, node: str, path: str) -> socket.socket:
        """A connection to a node's control socket; raises OSError while nobody listens."""


def connected(path: str) -> socket.socket:
    """A connection to a Unix socket; raises OSError."""
    line = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
    try:
        line.connect(path)
    except OSError:
        line.close()
        raise
    return line


class LineClient:
    """A connection that never blocks: `send` a request, then `poll` until the reply is there."""

    def __init__(self, line: socket.socket) -> None:
        """`line` is closed with it."""
        line.setblocking(False)
        self.socket = line
        self._buffer = b""

    def send(self, method: str) -> None:
        """One request without parameters; small enough for any socket buffer."""
        line = json.dumps({"id": 1, "method": method, "params": {}}).encode() + b"\n"
        self.socket.sendall(line)

    def poll(self) -> dict[str, Any] | None:
        """The reply if it is complete; raises OSError when the node hung up or sent no JSON."""
        try:
            data = self.socket.recv(RECEIVE_BYTES)
        except BlockingIOError:
            return None
        if not data:
            raise ConnectionResetError("the node hung up")
        self._buffer += data
        line, newline, rest = self._buffer.partition(b"\n")
        if not newline:
            return None
        self._buffer = rest
        try:
            reply = json.loads(line)
        except ValueError as error:
            raise ConnectionAbortedError("the node did not answer in JSON") from error
        if not isinstance(reply, dict):
            raise ConnectionAbortedError("the node did not answer with an object")
        return reply

    def close(self) -> None:
        """Hang up."""
        self.socket.close()


def ask(
    ways: Ways, node: str, path: str, method: str, timeout_s: float = TIMEOUT_S
) -> dict[str, Any]:
    """One request and its result, waited for; raises CheckFailed."""
    deadline = time.monotonic() + timeout_s
    try:
        client = LineClient(ways.control(node, path))
    except OSError as error:
        raise CheckFailed(f"{path}: nobody answers: {error.strerror}") from error
    try:
        client.send(method)
        while True:
            client.socket.settimeout(max(0.001, deadline - time.monotonic()))
            reply = client.poll()
            if reply is not None:
                break
    except OSError as error:
        raise CheckFailed(f"{path}: no answer to {method}: {error}") from error
    finally:
        client.close()
    if "error" in reply:
        raise CheckFailed(f"{path}: {method}: {reply['error']}")
    result: dict[str, Any] = reply["result"]
    return result


def full_status(ways: Ways, node: str, path: str) -> dict[str, Any]:
    """`llarp.status` with `llarp.get_status` laid over it."""
    return {
        **ask(ways, node, path, "llarp.status"),
        **ask(ways, node, path, "llarp.get_status"),
    }
