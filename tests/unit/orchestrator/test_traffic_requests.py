"""Requests over the machine's loopback: what is counted, and from when."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from orchestrator.checks.network import Network
from orchestrator.traffic.loads import HttpLoad
from orchestrator.traffic.requests import Requests
from tests.unit.orchestrator import loopback
from tests.unit.orchestrator.loopback import until

MANY = 101
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc"
Serve = Callable[[socket.socket], None]


@contextmanager
def serving(serve: Serve) -> Iterator[int]:
    """Each connection in a thread of its own; gives the port."""
    listener = socket.create_server(("127.0.0.1", 0))

    def accept() -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            threading.Thread(target=serve_one, args=(connection,), daemon=True).start()

    def serve_one(connection: socket.socket) -> None:
        with connection:
            serve(connection)

    thread = threading.Thread(target=accept)
    thread.start()
    try:
        yield int(listener.getsockname()[1])
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        thread.join(timeout=10)
        listener.close()


def asked(connection: socket.socket) -> bool:
    """Whether a request came."""
    data = b""
    while not data.endswith(b"\r\n\r\n"):
        received = connection.recv(4096)
        if not received:
            return False
        data += received
    return True


def kept(connection: socket.socket) -> None:
    while asked(connection):
        connection.sendall(OK)


def work(network: Network, port: int, clients: int = 3, timeout_s: float = 30.0) -> Requests:
    load = HttpLoad(clients, 400.0, ("alice",), "web", port, "/", timeout_s, None)
    found = Requests(network, load)
    found.begin()
    return found


@pytest.fixture
def network(monkeypatch: pytest.MonkeyPatch) -> Iterator[Network]:
    with loopback.resolver(monkeypatch) as resolver:
        resolver.records[(loopback.ADDRESSES["web"], "A")] = ["127.0.0.1"]
        yield loopback.network(monkeypatch)[0]


def test_everything_that_arrives_is_answered_over_kept_connections(network: Network) -> None:
    connections: list[int] = []

    def serve(connection: socket.socket) -> None:
        connections.append(1)
        kept(connection)

    with serving(serve) as port:
        requests = work(network, port)
        asyncio.run(requests.run(0.3))
    assert requests.arrived == requests.response.count == requests.service.count > 0
    assert (len(connections), requests.size) == (3, 3 * requests.arrived)
    assert requests.figures(0.3)["failed"] == 0


def test_a_stalled_server_does_not_hide_by_being_asked_less(network: Network) -> None:
    requests: Requests
    first = threading.Lock()

    def serve(connection: socket.socket) -> None:
        while asked(connection):
            if first.acquire(blocking=False):  # held until a hundred others have arrived
                assert arrived.wait(timeout=30)
            connection.sendall(OK)

    arrived = threading.Event()

    async def stall() -> None:
        running = asyncio.create_task(requests.run(None))
        await until(lambda: requests.arrived >= MANY)
        arrived.set()
        await until(lambda: requests.response.count >= MANY)
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)

    with serving(serve) as port:
        requests = work(network, port, clients=1)
        asyncio.run(stall())
    # one request was slow to be served; those behind it waited for about half of that each
    assert requests.service.total_us < requests.response.total_us / 3


def answering(answer: bytes) -> Serve:
    def serve(connection: socket.socket) -> None:
        if asked(connection):
            connection.sendall(answer)

    return serve


@pytest.mark.parametrize(
    ("answer", "name"),
    [
        (b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n", "status 404"),
        (b"no web server\r\n\r\n", "no HTTP"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc", "no HTTP"),
        (b"", "the server hung up"),
    ],
)
def test_failures_have_names(network: Network, answer: bytes, name: str) -> None:
    with serving(answering(answer)) as port:
        requests = work(network, port)
        asyncio.run(requests.run(0.1))
    figures = requests.figures(0.1)
    assert figures["failures"] == {name: requests.arrived}
    assert (figures["answered"], figures["failed"]) == (0, requests.arrived)


def test_nobody_listens(network: Network) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    requests = work(network, port)
    asyncio.run(requests.run(0.1))
    assert set(requests.failures) == {"Connection refused"}


def test_a_kept_connection_that_the_server_ended_is_no_failure(network: Network) -> None:
    with serving(answering(OK)) as port:  # one answer each, and it says nothing of that
        requests = work(network, port)
        asyncio.run(requests.run(0.3))
    assert requests.arrived == requests.response.count > 3
    assert not requests.failures


def test_who_is_served_too_late_has_gone(network: Network) -> None:
    done = threading.Event()

    def serve(connection: socket.socket) -> None:
        done.wait(timeout=30)

    with serving(serve) as port:
        requests = work(network, port, timeout_s=0.05)
        asyncio.run(requests.run(0.1))
        done.set()
    assert requests.failures == {"timeout": requests.arrived}


def test_a_host_is_looked_up_again_once_it_cannot_be_reached(
    network: Network, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    requests = work(network, port)
    asked_for: list[str] = []
    resolve = Network.resolve

    def noted(self: Network, node: str, name: str) -> str:
        asked_for.append(name)
        return resolve(self, node, name)

    monkeypatch.setattr(Network, "resolve", noted)
    asyncio.run(requests.run(0.1))
    assert len(asked_for) >= requests.arrived - 3  # each client may have begun with what was known
    assert requests.arrived > 3
