"""The way to an access service: what it is asked, and every answer that lets nobody in."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from lokinet_node.base.addresses import Endpoint
from lokinet_node.base.errors import WireError
from lokinet_node.drivers import access_service
from lokinet_node.drivers.access_service import LIMIT, ask_service
from lokinet_node.session.auth_messages import AuthCode

QUESTION = {"address": "a.loki", "token": 't"\u00e9', "service": "s.loki"}


def http(body: bytes, head: str = "200 OK") -> bytes:
    return b"HTTP/1.1 %s\r\nContent-Length: %d\r\n\r\n%s" % (head.encode(), len(body), body)


def ask(reply: bytes | None) -> tuple[tuple[AuthCode, str], str, Any]:
    """Ask a service that replies so (None: never); the decision, request line and question."""
    heard: list[tuple[str, Any]] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        size = int(head.lower().partition("content-length:")[2].split()[0])
        heard.append((head.splitlines()[0], json.loads(await reader.readexactly(size))))
        if reply is None:
            await reader.read()
        else:
            writer.write(reply)
        writer.close()

    async def scenario() -> tuple[AuthCode, str]:
        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        async with server:
            endpoint = Endpoint(*server.sockets[0].getsockname())
            return await ask_service(endpoint, "/allow?v=1", QUESTION)

    decision = asyncio.run(scenario())
    assert len(heard) == 1
    return decision, *heard[0]


@pytest.mark.parametrize("code", [AuthCode.OKAY, AuthCode.REJECT, AuthCode.PAYME, AuthCode.LIMITED])
def test_a_decision_and_its_reason(code: AuthCode) -> None:
    body = json.dumps({"result": code.name, "reason": "\u00e9t\u00e9", "more": 1}).encode()
    decision, line, question = ask(http(body))
    assert decision == (code, "\u00e9t\u00e9")
    assert line == "POST /allow?v=1 HTTP/1.1"
    assert question == QUESTION


def test_what_no_text_can_hold_is_replaced_in_a_reason() -> None:
    body = b'{"result":"REJECT","reason":"no \\ud800 way"}'
    assert ask(http(body))[0] == (AuthCode.REJECT, "no ? way")


def test_a_reason_may_be_left_out() -> None:
    assert ask(http(b'{"result":"OKAY"}'))[0] == (AuthCode.OKAY, "")


@pytest.mark.parametrize(
    ("reply", "reason"),
    [
        (http(b"", "302 Found\r\nLocation: http://127.0.0.1:1/"), "answers HTTP 302"),
        (http(b'{"result":"OKAY"}', "500 Oops"), "answers HTTP 500"),
        (http(b"OKAY"), "no JSON"),
        (http(b"[" * 4000), "no JSON"),
        (http(b'"OKAY"'), "neither OKAY nor REJECT"),
        (http(b'{"result":"okay"}'), "neither"),
        (http(b'{"result":"FAILED"}'), "neither"),
        (http(b'{"result":["OKAY"]}'), "neither"),
        (http(b'{"result":"OKAY","reason":5}'), "neither"),
        (http(b'{"result":"OKAY"}'.ljust(LIMIT + 1)), "too long"),
        (b'HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n{"result":"OKAY"}', "no HTTP"),
        (b"", "speaks no HTTP"),
        (b"220 mail\r\n\r\n", "no HTTP"),
    ],
)
def test_whatever_else_it_says_is_no_decision(reply: bytes, reason: str) -> None:
    with pytest.raises(WireError, match=reason):
        ask(reply)


def test_silence_is_no_decision(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(access_service, "TIME_S", 0.05)
    with pytest.raises(TimeoutError):
        ask(None)


def test_nobody_there_is_no_decision() -> None:
    with pytest.raises(OSError, match="Connect call failed"):
        asyncio.run(ask_service(Endpoint("127.0.0.1", 1), "/", QUESTION))
