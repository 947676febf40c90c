"""Calls over the machine's loopback."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Iterator

import pytest

from orchestrator.backends import SocketKind
from orchestrator.checks.network import Network
from orchestrator.errors import CheckFailed
from orchestrator.traffic.calls import Calls
from orchestrator.traffic.line import dial
from orchestrator.traffic.loads import VoipLoad
from orchestrator.traffic.stream import PACKET_BYTES
from tests.unit.orchestrator import loopback
from tests.unit.orchestrator.loopback import until


@pytest.fixture
def network(monkeypatch: pytest.MonkeyPatch) -> Iterator[Network]:
    with loopback.resolver(monkeypatch) as resolver:
        resolver.records[(loopback.ADDRESSES["web"], "A")] = ["127.0.0.1"]
        yield loopback.network(monkeypatch)[0]


def calls(network: Network, many: int = 3) -> Calls:
    found = Calls(network, VoipLoad(many, ("alice",), ("web",), None))
    found.begin()
    return found


def test_both_ways_of_each_call_arrive(network: Network, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("orchestrator.traffic.calls.ARRIVES_WITHIN_US", 50_000)
    monkeypatch.setattr("orchestrator.traffic.stream.ARRIVES_WITHIN_US", 50_000)
    found = calls(network)
    asyncio.run(found.run(0.5))
    found.sample(0.5)
    figures = found.figures(0.5)
    times, loss = (chart.data()["series"] for chart in found.charts)
    assert set(times) == {"p50", "p95", "jitter"}
    assert loss == {"lost": [(0.5, 0.0)]}
    assert (figures["calls"], figures["setup"]["count"], figures["failures"]) == (3, 3, {})
    assert figures["sent"] == figures["received"] == figures["delay"]["count"] > 6
    assert (figures["lost"], figures["loss"], figures["unsent"]) == (0, 0.0, {})
    assert figures["mos"]["worst"] > 4
    ends = [(way["from"], way["to"]) for way in figures["ways"]]
    assert ends == [("alice", "web"), ("web", "alice")] * 3


def test_nobody_who_is_called_is_an_error_at_once(network: Network) -> None:
    with pytest.raises(CheckFailed, match=r"nobody\.loki: SERVFAIL"):
        Calls(network, VoipLoad(1, ("alice",), ("nobody.loki",), None)).begin()


def test_a_call_that_nobody_answers_is_dialled_again(
    network: Network, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("orchestrator.traffic.calls.ANSWER_S", 0.05)
    monkeypatch.setattr("orchestrator.traffic.line.encode", lambda _packet: bytes(PACKET_BYTES))
    found = calls(network, 1)

    async def ring() -> None:
        running = asyncio.create_task(found.run(None))
        await until(lambda: found.failures["alice → web: no answer"] >= 2)
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)

    asyncio.run(ring())
    assert (found.figures(1.0)["sent"], found.figures(1.0)["talking"]) == (0, 0)


def test_a_call_that_falls_silent_is_dialled_again_and_its_loss_stays(
    network: Network, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("orchestrator.traffic.calls.SILENCE_S", 0.2)
    monkeypatch.setattr("orchestrator.traffic.stream.ARRIVES_WITHIN_US", 50_000)
    found = calls(network, 1)

    async def cut() -> None:
        running = asyncio.create_task(found.run(None))
        await until(lambda: found.calls[0].ways()[1].received >= 5)
        first = found.calls[0].line
        assert first is not None
        first.near.peer = ("127.0.0.1", 9)  # its words go nowhere now
        await until(lambda: found.setup.count >= 2)
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)

    asyncio.run(cut())
    figures = found.figures(1.0)
    assert set(figures["failures"]) == {"alice ↔ web: silent for 0.2 s"}
    assert figures["ways"][0]["lost"] > 0
    assert figures["ways"][1]["lost"] == 0


def test_packets_of_others_are_not_heard(network: Network) -> None:
    one, other = dial(network, "alice", "web"), dial(network, "alice", "web")
    other.near.peer = one.near.peer
    other.near.talk()
    one.near.talk()
    one.far.socket.setblocking(True)  # both have come once the second has
    one.far.socket.settimeout(10)
    assert one.far.socket.recv(PACKET_BYTES, socket.MSG_PEEK)
    one.far.socket.setblocking(False)
    heard = 0
    while not heard:
        heard = one.far.hear(one.near.source)[1]
    assert one.far.incoming.received == 1
    one.close()
    other.close()


def test_an_end_that_cannot_be_made_leaves_none_behind(
    network: Network, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[socket.socket] = []
    backend = network.backend
    ask = backend.socket

    def fails_for_alice(node: str, kind: SocketKind) -> socket.socket:
        if node == "alice" and made:
            raise OSError("no room")
        made.append(ask(node, kind))
        return made[-1]

    def of_class(_self: object, node: str, kind: SocketKind) -> socket.socket:
        return fails_for_alice(node, kind)

    monkeypatch.setattr(type(backend), "socket", of_class)
    made.append(socket.socket())
    made[0].close()
    with pytest.raises((OSError, CheckFailed)):
        dial(network, "alice", "web")
    assert all(each.fileno() == -1 for each in made)
