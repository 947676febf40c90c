"""What is only asked of the engine, and commands in containers: by hand, on connections kept.

Whoever waits for a network, or finds nothing to change, does nothing else: a question through
docker-py costs ten times as much, after 0.2 s to import it. Rules: each thread has a connection of
its own; the engine hangs up on idle ones, so a question on a kept one that broke is asked again,
and what is not only asked gets a new one.
"""

from __future__ import annotations

import http.client
import json
import socket
import threading
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

__all__ = ["Questions"]

OK = 200
BROKEN = (http.client.HTTPException, BrokenPipeError, ConnectionResetError)


class _Connection(http.client.HTTPConnection):
    """Over a UNIX socket."""

    def __init__(self, path: str, timeout_s: float) -> None:
        super().__init__("docker", timeout=timeout_s)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self._path)


class Questions:
    """Connected when the first one is asked; raises OSError or HTTPException."""

    def __init__(self, path: str, timeout_s: float) -> None:
        """The engine's socket."""
        self._path = path
        self._timeout_s = timeout_s
        self._own = threading.local()
        self._open: list[_Connection] = []
        self._version = ""

    def ask(self, path: str, **query: Mapping[str, Any] | bool) -> tuple[int, Any]:
        """Status and answer of a `GET`; words that are not yes or no are sent as JSON."""
        words = urlencode({name: json.dumps(value) for name, value in query.items()})
        url = f"{self.prefix()}{path}{'?' if words else ''}{words}"
        connection: _Connection | None = getattr(self._own, "connection", None)
        if connection is not None and connection.sock is not None:
            try:
                return _read(*_answered(connection, "GET", url))
            except BROKEN:
                connection.close()
        return _read(*self._anew("GET", url))

    def tell(self, path: str, body: Mapping[str, Any]) -> tuple[int, Any]:
        """Status and answer of a `POST`."""
        return _read(*self._anew("POST", f"{self.prefix()}{path}", json.dumps(body).encode()))

    def close(self) -> None:
        """Hang up, for all threads."""
        for connection in self._open:
            connection.close()
        self._open.clear()
        self._own = threading.local()

    def prefix(self) -> str:
        """Of paths: the newest version the engine speaks, as what is asked here is in all."""
        if not self._version:
            # for /version the engine runs other programs, which takes it ten times as long
            response, _ = self._anew("GET", "/_ping")
            version = response.getheader("Api-Version")
            if response.status != OK or version is None:
                words = f"GET /_ping was answered with {response.status}, version {version}"
                raise http.client.HTTPException(words)
            self._version = f"/v{version}"
        return self._version

    def _anew(
        self, method: str, url: str, body: bytes | None = None
    ) -> tuple[http.client.HTTPResponse, bytes]:
        connection: _Connection | None = getattr(self._own, "connection", None)
        if connection is None:
            connection = self._own.connection = _Connection(self._path, self._timeout_s)
            self._open.append(connection)
        connection.close()
        try:
            return _answered(connection, method, url, body)
        except BaseException:
            connection.close()
            raise


def _answered(
    connection: _Connection, method: str, url: str, body: bytes | None = None
) -> tuple[http.client.HTTPResponse, bytes]:
    headers = {"Content-Type": "application/json"} if body is not None else {}
    connection.request(method, url, body, headers)
    response = connection.getresponse()
    return response, response.read()


def _read(response: http.client.HTTPResponse, text: bytes) -> tuple[int, Any]:
    try:
        return response.status, json.loads(text)
    except ValueError:
        return response.status, {"message": text.decode(errors="replace").strip()}
