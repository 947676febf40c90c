"""Forwards into nodes that do not see this machine's files: a `socat` in the node a connection.

They belong to the command that began them and end with it.
"""

from __future__ import annotations

import os
import select
import socket
import threading
from contextlib import suppress

from orchestrator.backends import Backend, Running, captured
from orchestrator.errors import CheckFailed, OperatorError

__all__ = ["Relay", "start_relay"]

RESOLVE_S = 20.0
LINGER_S = 30
"""How long a connection of which one half has ended may still bring the other."""


class Relay:
    """A listener whose connections are carried on; see `Running`."""

    def __init__(
        self, backend: Backend, node: str, listener: socket.socket, target: tuple[str, int]
    ) -> None:
        """The listener stays the caller's."""
        self._backend = backend
        self._node = node
        self._listener = listener.dup()
        self._argv = ["socat", f"-t{LINGER_S}", "-", f"TCP4:{target[0]}:{target[1]}"]
        self._wake = os.pipe()
        self._running: set[Running] = set()
        self._lock = threading.Lock()
        self._ended = threading.Event()
        threading.Thread(target=self._accept, daemon=True).start()

    def signal(self, number: int) -> None:
        """Whatever it is, it ends the relay."""
        with suppress(OSError):
            os.write(self._wake[1], b"\0")

    def wait(self, timeout_s: float | None = None) -> int:
        """1 once it was ended, as nothing else ends it; raises TimeoutError."""
        if not self._ended.wait(timeout_s):
            raise TimeoutError
        return 1

    def close(self) -> None:
        """End it and what it carries."""
        self.signal(0)
        self._ended.wait()
        with self._lock:
            running = list(self._running)
        for each in running:
            each.close()

    def _accept(self) -> None:
        poll = select.poll()
        poll.register(self._listener, select.POLLIN)
        poll.register(self._wake[0], select.POLLIN)
        try:
            while all(descriptor != self._wake[0] for descriptor, _ in poll.poll()):
                connection, _ = self._listener.accept()
                threading.Thread(target=self._carry, args=(connection,), daemon=True).start()
        finally:
            self._listener.close()
            self._ended.set()

    def _carry(self, connection: socket.socket) -> None:
        with connection, open(os.devnull, "wb") as nothing:
            both = connection.fileno()
            try:
                running = self._backend.exec(
                    self._node, self._argv, (both, both, nothing.fileno()), {}
                )
            except OperatorError:
                return  # who connected sees the end of the connection
        with self._lock:
            self._running.add(running)
        try:
            running.wait()
        except OperatorError:
            pass
        finally:
            running.close()
            with self._lock:
                self._running.discard(running)


def start_relay(
    backend: Backend, node: str, listener: socket.socket, target: tuple[str, int]
) -> Relay:
    """Begin, once the node knows the target; raises CheckFailed."""
    try:
        found = captured(backend, node, ["getent", "ahostsv4", target[0]], RESOLVE_S)
    except TimeoutError:
        raise CheckFailed(f"{node}'s resolver does not answer {target[0]}") from None
    if found.code != 0:
        raise CheckFailed(f"{node} cannot resolve {target[0]}")
    return Relay(backend, node, listener, target)
