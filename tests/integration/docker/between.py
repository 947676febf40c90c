"""Somebody between `testnet` and the engine: sees each request, may hold it or hang up for good."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

ENGINE = "/var/run/docker.sock"
BLOCK_BYTES = 1 << 16
LENGTH = "content-length: "

Rule = Callable[[str], None]
"""Hears of each request (`POST /v1.41/containers/create?name=…`) before the engine does."""


@dataclass
class Between:
    """One socket that leads to the engine's."""

    path: Path
    rule: Rule = lambda _: None
    _listener: socket.socket = field(default_factory=lambda: socket.socket(socket.AF_UNIX))
    _open: list[socket.socket] = field(default_factory=list)
    _threads: list[threading.Thread] = field(default_factory=list)

    def begin(self) -> None:
        self._listener.bind(str(self.path))
        self._listener.listen(64)
        self._begin(self._accept)

    def end(self) -> None:
        """As if the engine had died: nobody listens, and whoever asked is hung up on."""
        self.path.unlink(missing_ok=True)
        for each in [self._listener, *self._open]:
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        self.end()
        for thread in self._threads:
            thread.join()
        for each in [self._listener, *self._open]:
            each.close()

    def busy(self) -> bool:
        """Whether the engine is at something that was asked through here."""
        return any(thread.is_alive() for thread in self._threads[1:])

    def _begin(self, work: Callable[..., None], *ends: socket.socket) -> None:
        thread = threading.Thread(target=work, args=ends, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                engine = socket.socket(socket.AF_UNIX)
                engine.connect(ENGINE)
                self._open += [client, engine]
                for work, one, other in (
                    (self._requests, client, engine),
                    (self._answers, engine, client),
                ):
                    self._begin(work, one, other)

    def _requests(self, client: socket.socket, engine: socket.socket) -> None:
        data = b""
        with suppress(OSError):
            while True:
                while b"\r\n\r\n" not in data:
                    block = client.recv(BLOCK_BYTES)
                    if not block:
                        engine.shutdown(socket.SHUT_WR)
                        return
                    data += block
                head, _, data = data.partition(b"\r\n\r\n")
                request = head.decode().split("\r\n")
                sizes = [line[16:] for line in request if line.lower().startswith(LENGTH)]
                length = int(sizes[0]) if sizes else 0
                while len(data) < length:
                    data += client.recv(BLOCK_BYTES)
                self.rule(request[0])
                engine.sendall(head + b"\r\n\r\n" + data[:length])
                data = data[length:]

    @staticmethod
    def _answers(engine: socket.socket, client: socket.socket) -> None:
        with suppress(OSError):
            while block := engine.recv(BLOCK_BYTES):
                client.sendall(block)
            client.shutdown(socket.SHUT_WR)


@contextmanager
def between(folder: Path) -> Iterator[Between]:
    """Until the block ends."""
    opened = Between(folder / "docker.sock")
    opened.begin()
    try:
        yield opened
    finally:
        opened.close()
