"""The way to a chain: what is asked over HTTP, and every way in which it may not be answered."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from lokinet_node.base.addresses import Endpoint
from lokinet_node.base.ids import RouterID
from lokinet_node.base.units import MILLISECOND, SECOND
from lokinet_node.drivers import lokid as driver
from lokinet_node.drivers.log import Log
from lokinet_node.drivers.lokid import Lokid
from lokinet_node.ons.desk import NO_WORD, ChainSays
from lokinet_node.wire.control import Status
from lokinet_node.wire.oxend import ServiceNodes

HASH = bytes(range(32))
VALUE = bytes(range(72))
KEY = RouterID(b"k" * 32)
OWNED = {"encrypted_value": VALUE[:48].hex(), "nonce": VALUE[48:].hex()}
BLOCK = "cd" * 32
LIST = {
    "height": 7,
    "block_hash": BLOCK,
    "service_node_states": [{"pubkey_ed25519": KEY.hex(), "funded": True, "active": True}],
}


def http(body: bytes, status: str = "200 OK") -> bytes:
    return b"HTTP/1.1 %s\r\nContent-Length: %d\r\n\r\n%s" % (status.encode(), len(body), body)


def good(result: object) -> bytes:
    return http(json.dumps({"jsonrpc": "2.0", "id": "0", "result": result}).encode())


class StandIn:
    """A chain that says what the test wants."""

    def __init__(self) -> None:
        self.requests: list[tuple[bytes, dict[str, Any]]] = []
        self.name: bytes | Callable[[], Awaitable[bytes]] = good({})
        self.list = good(LIST)
        self.open = self.most_open = 0
        self.told: list[tuple[bytes, ChainSays]] = []
        self.heard: list[ServiceNodes] = []
        self._changed = asyncio.Event()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.open += 1
        self.most_open = max(self.open, self.most_open)
        try:
            head = await reader.readuntil(b"\r\n\r\n")
            size = next(
                int(line.split(b":")[1])
                for line in head.split(b"\r\n")
                if line.lower().startswith(b"content-length")
            )
            call = json.loads(await reader.readexactly(size))
            self.requests.append((head, call))
            self._changed.set()
            reply = self.list if call["method"] == "get_service_nodes" else self.name
            writer.write(reply if isinstance(reply, bytes) else await reply())
            await writer.drain()
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass
        finally:
            self.open -= 1
            writer.close()

    def on_told(self, name_hash: bytes, says: ChainSays) -> None:
        self.told.append((name_hash, says))
        self._changed.set()

    def on_heard(self, nodes: ServiceNodes) -> None:
        self.heard.append(nodes)
        self._changed.set()

    async def until(self, seen: Callable[[], bool]) -> None:
        async with asyncio.timeout(20):
            while not seen():
                self._changed.clear()
                await self._changed.wait()


Scenario = Callable[[StandIn, Lokid], Awaitable[None]]


def run(
    scenario: Scenario, *, poll: int = SECOND, log: Log | None = None, is_there: bool = True
) -> StandIn:
    async def main() -> StandIn:
        chain = StandIn()
        server = await asyncio.start_server(chain.serve, "127.0.0.1", 0)
        endpoint = Endpoint(*server.sockets[0].getsockname()[:2])
        if not is_there:
            server.close()
            await server.wait_closed()
        lokid = Lokid(endpoint, poll, chain.on_heard, chain.on_told, log or Log("none"))
        try:
            await scenario(chain, lokid)
        finally:
            await lokid.close()
            server.close()
        return chain

    return asyncio.run(main())


def asked(reply: bytes | Callable[[], Awaitable[bytes]], *, is_there: bool = True) -> ChainSays:
    async def scenario(chain: StandIn, lokid: Lokid) -> None:
        chain.name = reply
        lokid.ask(HASH)
        assert not chain.told, "it returns at once"
        await chain.until(lambda: bool(chain.told))

    ((name_hash, says),) = run(scenario, is_there=is_there).told
    assert name_hash == HASH
    return says


def test_a_name_is_asked_for_as_oxend_is() -> None:
    async def scenario(chain: StandIn, lokid: Lokid) -> None:
        lokid.ask(HASH)
        await chain.until(lambda: bool(chain.told))

    ((head, call),) = run(scenario).requests
    assert head.startswith(b"POST /json_rpc HTTP/1.1\r\n")
    assert call["method"] == "ons_resolve"
    assert call["params"] == {"type": 2, "name_hash": HASH.hex()}


def test_the_chains_word_is_handed_on() -> None:
    assert asked(good(OWNED)) == ChainSays(Status.OK, 0, VALUE)
    assert asked(good({})) == ChainSays(Status.NOT_FOUND)


async def _silence() -> bytes:
    await asyncio.Event().wait()
    return b""


@pytest.mark.parametrize(
    "reply",
    [
        b"",
        b"nonsense\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n{}",
        http(b"{}", "500 Internal Server Error"),
        http(b"{}", "302 Found"),
        http(b"not json"),
        http(b'{"id": "0", "error": {"code": -5, "message": "locked"}}'),
        http(b" " * (driver.NAME_LIMIT + 1)),
        good({"encrypted_value": "00", "nonce": "00"}),
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
    ],
)
def test_whatever_is_no_good_reply_is_no_word_and_no_denial(reply: bytes) -> None:
    assert asked(reply) == NO_WORD


def test_a_chain_that_is_not_there_is_no_word() -> None:
    assert asked(b"", is_there=False) == NO_WORD


def test_a_chain_that_says_nothing_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(driver, "NAME_TIME_S", 0.05)
    assert asked(_silence) == NO_WORD


HASHES = [bytes([n]) * 32 for n in range(50)]


def test_few_questions_run_at_once_and_all_are_answered() -> None:
    async def scenario(chain: StandIn, lokid: Lokid) -> None:
        gate = asyncio.Event()

        async def patient() -> bytes:
            await gate.wait()
            return good(OWNED)

        chain.name = patient
        for name_hash in HASHES:
            lokid.ask(name_hash)
        await chain.until(lambda: len(chain.requests) == driver.MOST_AT_ONCE)
        gate.set()
        await chain.until(lambda: len(chain.told) == len(HASHES))

    chain = run(scenario)
    assert sorted(name_hash for name_hash, _ in chain.told) == HASHES
    assert {says.status for _, says in chain.told} == {Status.OK}
    assert chain.most_open == driver.MOST_AT_ONCE


def test_questions_that_wait_their_turn_have_no_more_time_than_others(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(driver, "NAME_TIME_S", 0.2)

    async def scenario(chain: StandIn, lokid: Lokid) -> None:
        chain.name = _silence
        for name_hash in HASHES:
            lokid.ask(name_hash)
        await chain.until(lambda: len(chain.told) == len(HASHES))

    chain = run(scenario)
    assert {says for _, says in chain.told} == {NO_WORD}
    assert len(chain.requests) == driver.MOST_AT_ONCE, "the others were not even asked"


def test_the_list_is_asked_for_again_with_the_block_it_had() -> None:
    async def scenario(chain: StandIn, lokid: Lokid) -> None:
        lokid.start()
        await chain.until(lambda: len(chain.heard) == 1)
        chain.list = good({"height": 9, "block_hash": BLOCK, "unchanged": True})
        await chain.until(lambda: len(chain.heard) == 2)
        chain.name = good(OWNED)
        lokid.ask(HASH)
        await chain.until(lambda: bool(chain.told))

    chain = run(scenario, poll=20 * MILLISECOND)
    first, second = (call["params"].get("poll_block_hash") for _, call in chain.requests[:2])
    assert (first, second) == (None, BLOCK)
    assert chain.heard[0].active == {KEY}
    assert chain.heard[1].is_unchanged
    assert chain.told[0][1].height == 9


def test_a_chain_that_goes_and_comes_back_is_told_of_once_each(
    capfd: pytest.CaptureFixture[str],
) -> None:
    async def scenario(chain: StandIn, lokid: Lokid) -> None:
        chain.list = http(b"", "500 Broken")
        lokid.start()
        await chain.until(lambda: len(chain.requests) >= 3)
        assert not lokid.is_reachable
        chain.list = good(LIST)
        await chain.until(lambda: len(chain.heard) >= 2)
        assert lokid.is_reachable

    run(scenario, poll=20 * MILLISECOND, log=Log("info"))
    lines = capfd.readouterr().err.splitlines()
    assert [line.split()[2] for line in lines] == ["chain.away", "chain.reached"]
    assert "500" in lines[0]
