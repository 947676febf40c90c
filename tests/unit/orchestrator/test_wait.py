"""Waiting that ends: with everybody ready, with a crash, or with who is missing what."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from orchestrator.apply import apply
from orchestrator.backends.memory import MemoryBackend
from orchestrator.directories import Places
from orchestrator.errors import NotReady
from orchestrator.load import parse
from orchestrator.ops import Desired, NodeSpec, ProcessSpec
from orchestrator.plan import plan
from orchestrator.readiness.wait import last_log_lines, pairs_to_try, wait_until_ready
from orchestrator.render import render

TEXT = "name: n\nhops: 2\nnodes:\n  r: {role: router, count: 2}\n"


@pytest.fixture
def routers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Desired:
    """Two routers whose control sockets and logs are relative to a short-named directory."""
    monkeypatch.chdir(tmp_path)
    places = Places("n", tmp_path, Path())
    desired = render(parse(TEXT.encode(), "x"), places, "python3")
    for node in desired.nodes:
        Path(node.directory).mkdir(parents=True)
        Path(node.processes[0].log).write_text(f"first\n{node.name} last line\n\n")
    return desired


def running(desired: Desired) -> MemoryBackend:
    backend = MemoryBackend()
    apply(plan(desired, backend.observe()), backend)
    return backend


def serve(path: str, status: Mapping[str, object]) -> Iterator[None]:
    """One control socket that always says the same."""
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(path)
    listener.listen()

    def answer() -> None:
        client, _ = listener.accept()
        with client, client.makefile("rb") as requests:
            for line in requests:
                reply = {"id": json.loads(line)["id"], "result": status}
                client.sendall(json.dumps(reply).encode() + b"\n")

    thread = threading.Thread(target=answer, daemon=True)
    thread.start()
    yield
    thread.join(timeout=10)
    listener.close()


def test_a_timeout_names_the_layer_the_nodes_and_their_last_log_lines(routers: Desired) -> None:
    with pytest.raises(NotReady) as caught:
        wait_until_ready(routers, running(routers), 0.15, lambda _: None)
    assert str(caught.value).splitlines() == [
        "not ready after 0.15 s: control socket: r-1, r-2",
        "  r-1: control socket: not there yet; last log line: r-1 last line",
        "  r-2: control socket: not there yet; last log line: r-2 last line",
    ]


def test_only_who_is_missing_is_named_and_with_the_layer_it_misses(routers: Desired) -> None:
    ready = {"numPeersConnected": 1, "networkReady": True}
    alone = {"numPeersConnected": 0, "networkReady": False}
    servers = [serve("r-1.sock", ready), serve("r-2.sock", alone)]
    for server in servers:
        next(server)
    told: list[str] = []
    with pytest.raises(NotReady, match=r"not ready after 0\.30 s: links: r-2\n"):
        wait_until_ready(routers, running(routers), 0.3, told.append)
    assert any("control socket: 2 of 2" in line for line in told)
    assert not any("links" in line for line in told)
    for server in servers:
        assert next(server, None) is None


def test_everybody_ready_ends_the_wait_and_gives_the_addresses(routers: Desired) -> None:
    status = {"numPeersConnected": 1, "networkReady": True, "lokiAddress": "x.snode"}
    servers = [serve(f"r-{number}.sock", status) for number in (1, 2)]
    for server in servers:
        next(server)
    ready = wait_until_ready(routers, running(routers), 10, lambda _: None)
    assert ready.addresses == {"r-1": "x.snode", "r-2": "x.snode"}
    assert ready.pairs == ()
    for server in servers:
        assert next(server, None) is None


@pytest.mark.parametrize(
    ("code", "how"), [(1, "ended with exit code 1"), (-9, "was killed by signal 9")]
)
def test_a_dead_program_ends_the_wait_at_once_with_its_last_words(
    routers: Desired, code: int, how: str
) -> None:
    backend = running(routers)
    backend.crash("r-2", "lokinet", code)
    with pytest.raises(NotReady) as caught:
        wait_until_ready(routers, backend, 60, lambda _: None)
    expected = f"process: r-2: lokinet {how}; its last words:\n  first\n  r-2 last line"
    assert str(caught.value) == expected


def test_a_network_that_went_away_is_no_endless_wait(routers: Desired) -> None:
    with pytest.raises(NotReady, match="process: r-1: lokinet is gone: the network went down"):
        wait_until_ready(routers, MemoryBackend(), 60, lambda _: None)


def test_every_client_and_every_service_is_in_a_pair_and_no_pair_is_too_many() -> None:
    def names(clients: int, services: int) -> list[str]:
        program = ProcessSpec("lokinet", (), "")
        node = NodeSpec("", "client", "", "", "", {}, (), (program,), "", "")
        nodes = [replace(node, name=f"c{number}") for number in range(clients)]
        nodes += [replace(node, name=f"s{n}", role="service") for n in range(services)]
        return [f"{client.name}{service.name}" for client, service in pairs_to_try(nodes)]

    assert names(3, 1) == ["c0s0", "c1s0", "c2s0"]
    assert names(1, 2) == ["c0s0", "c0s1"]
    assert names(2, 0) == names(0, 2) == []


def test_last_log_lines_are_short_and_never_fail(tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_bytes(b"x" * 100_000 + b"\n\xff\n\nlast\n")
    assert last_log_lines(str(log), 2) == ["\ufffd", "last"]
    assert last_log_lines(str(tmp_path / "none"), 2) == []
