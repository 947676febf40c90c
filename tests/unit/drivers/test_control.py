"""The control socket: who is answered, what, and what it leaves behind."""

from __future__ import annotations

import asyncio
import json
import os
import socket
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from lokinet_node.base.errors import OperatorError
from lokinet_node.drivers import control
from lokinet_node.drivers.control import MAX_LINE, MAX_UNREAD, Client, ControlSocket
from lokinet_node.drivers.log import Log


async def later(params: dict[str, Any]) -> Any:
    await asyncio.sleep(0)
    return ["later", params]


def refuse(_: dict[str, Any]) -> None:
    raise OperatorError("not now")


BAD_ID = "id is neither an integer, a string nor null"

HANDLERS: dict[str, Callable[[dict[str, Any]], Any]] = {
    "llarp.version": lambda _: {"version": "lokinet-0.1.0"},
    "echo": lambda params: params,
    "later": later,
    "refuse": refuse,
    "bug": lambda _: 1 // 0,
    "unwritable": lambda _: object(),
}


def tell(params: dict[str, Any], client: Client) -> str:
    """Push as many lines as asked for; then say how many lines this client has missed."""
    for number in range(params.get("lines", 0)):
        client.push("told", {"number": number, "text": "x" * params.get("size", 0)})
    return f"{client.missed} missed"


ENDED: list[str] = []


def note_end(params: dict[str, Any], client: Client) -> None:
    client.at_end(lambda: ENDED.append(params["who"]))


SUBSCRIPTIONS: dict[str, Callable[[dict[str, Any], Client], Any]] = {
    "tell": tell,
    "note_end": note_end,
}


def with_socket(tmp_path: Path, body: Callable[[str], Awaitable[None]]) -> str:
    """Run `body` beside an open control socket; the log's text."""
    path, log_path = str(tmp_path / "rpc.sock"), tmp_path / "log"

    async def main() -> None:
        log = Log("info", str(log_path))
        server = ControlSocket(path, HANDLERS, log, SUBSCRIPTIONS)
        await server.open()
        try:
            await body(path)
        finally:
            await server.close()
            log.close()

    asyncio.run(main())
    assert not os.path.exists(path)
    return log_path.read_text()


async def ask(path: str, data: bytes, answers: int = 1) -> list[Any]:
    reader, writer = await asyncio.open_unix_connection(path)
    writer.write(data)
    found = [json.loads(await reader.readline()) for _ in range(answers)]
    writer.close()
    return found


def line(**fields: object) -> bytes:
    return json.dumps(fields).encode() + b"\n"


def test_questions_are_answered_in_order(tmp_path: Path) -> None:
    async def body(path: str) -> None:
        assert os.stat(path).st_mode & 0o777 == 0o600
        data = line(id=1, method="later", params={"a": 1}) + line(id="x", method="llarp.version")
        assert await ask(path, data, 2) == [
            {"id": 1, "result": ["later", {"a": 1}]},
            {"id": "x", "result": {"version": "lokinet-0.1.0"}},
        ]

    assert with_socket(tmp_path, body) == ""


@pytest.mark.parametrize(
    ("data", "answer"),
    [
        (b"junk\n", {"id": None, "error": "not a line of JSON"}),
        (b"\xff\n", {"id": None, "error": "not a line of JSON"}),
        (b"[" * 60_000 + b"\n", {"id": None, "error": "not a line of JSON"}),
        (b"[]\n", {"id": None, "error": "not a JSON object"}),
        (line(id=[1], method="echo"), {"id": None, "error": BAD_ID}),
        (b'{"id": NaN, "method": "echo"}\n', {"id": None, "error": BAD_ID}),
        (line(id=2), {"id": 2, "error": "method is missing or no string"}),
        (line(id=2, method="echo", params=[1]), {"id": 2, "error": "params is no object"}),
        (line(id=2, method="nope"), {"id": 2, "error": "unknown method 'nope'"}),
        (line(id=2, method="refuse"), {"id": 2, "error": "not now"}),
    ],
)
def test_what_cannot_be_answered_is_an_error_and_the_talk_goes_on(
    tmp_path: Path, data: bytes, answer: object
) -> None:
    async def body(path: str) -> None:
        found = await ask(path, data + line(id=9, method="echo"), 2)
        assert found == [answer, {"id": 9, "result": {}}]

    with_socket(tmp_path, body)


@pytest.mark.parametrize(
    ("method", "error"), [("bug", "ZeroDivisionError"), ("unwritable", "TypeError")]
)
def test_a_bug_in_a_handler_is_told_and_logged_and_survived(
    tmp_path: Path, method: str, error: str
) -> None:
    async def body(path: str) -> None:
        found = await ask(path, line(id=1, method=method) + line(id=2, method="echo"), 2)
        assert found == [{"id": 1, "error": f"internal error: {error}"}, {"id": 2, "result": {}}]

    assert f"control.failed method={method}" in with_socket(tmp_path, body)


def test_a_line_without_end_is_refused_and_closed(tmp_path: Path) -> None:
    async def body(path: str) -> None:
        reader, writer = await asyncio.open_unix_connection(path)
        writer.write(b"x" * (MAX_LINE + 10) + b"\n")
        assert "at most" in json.loads(await reader.readline())["error"]
        assert await reader.read() == b""
        writer.close()

    with_socket(tmp_path, body)


def test_lines_are_pushed_between_answers(tmp_path: Path) -> None:
    async def body(path: str) -> None:
        data = line(id=1, method="tell", params={"lines": 2}) + line(id=2, method="echo")
        found = await ask(path, data, 4)
        assert found == [
            {"method": "told", "params": {"number": 0, "text": ""}},
            {"method": "told", "params": {"number": 1, "text": ""}},
            {"id": 1, "result": "0 missed"},
            {"id": 2, "result": {}},
        ]

    with_socket(tmp_path, body)


def test_who_does_not_read_misses_lines_and_is_told_how_many(tmp_path: Path) -> None:
    size = 1000

    async def body(path: str) -> None:
        reader, writer = await asyncio.open_unix_connection(path)
        writer.write(line(id=1, method="tell", params={"lines": 5000, "size": size}))
        answered, told = {}, 0
        while "id" not in answered:
            answered = json.loads(await reader.readline())
            told += 1
        missed = int(answered["result"].split()[0])
        assert told + missed == 5000 + 1
        assert missed > 1000
        assert told * size < 2 * MAX_UNREAD + 500_000  # and what the kernel keeps
        writer.write(line(id=2, method="tell", params={"lines": 2}))
        pushed = [json.loads(await reader.readline())["params"] for _ in range(2)]
        assert [one.get("missed") for one in pushed] == [missed, None]
        writer.close()

    with_socket(tmp_path, body)


def test_whoever_asked_hears_of_the_end_of_a_connection(tmp_path: Path) -> None:
    ENDED.clear()

    async def body(path: str) -> None:
        await ask(path, line(id=1, method="note_end", params={"who": "one"}))
        await ask(
            path, line(id=1, method="note_end", params={"who": "two"}) + b"x" * (MAX_LINE * 2)
        )

    with_socket(tmp_path, body)
    assert sorted(ENDED) == ["one", "two"]


def test_other_users_are_not_answered(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stranger = control._CREDENTIALS.pack(1, 4711, 4711)

    async def body(path: str) -> None:
        monkeypatch.setattr(socket.socket, "getsockopt", lambda *_: stranger)
        reader, writer = await asyncio.open_unix_connection(path)
        assert await reader.read() == b""
        writer.close()

    assert "control.refused uid=4711" in with_socket(tmp_path, body)


def test_the_kernels_credentials_are_read_as_it_writes_them(tmp_path: Path) -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        raw = ours.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, control._CREDENTIALS.size)
    assert control._CREDENTIALS.unpack(raw) == (os.getpid(), os.getuid(), os.getgid())


def test_connections_beyond_the_limit_are_closed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(control, "MAX_CLIENTS", 1)

    async def body(path: str) -> None:
        reader, writer = await asyncio.open_unix_connection(path)
        writer.write(line(id=1, method="echo"))
        await reader.readline()
        second, second_writer = await asyncio.open_unix_connection(path)
        assert await second.read() == b""
        second_writer.close()
        writer.close()

    with_socket(tmp_path, body)


def test_a_socket_whose_owner_died_is_taken_over(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(tmp_path / "rpc.sock"))

    async def body(path: str) -> None:
        assert await ask(path, line(id=1, method="echo")) == [{"id": 1, "result": {}}]

    with_socket(tmp_path, body)


def opening_fails(path: Path, words: str) -> None:
    async def main() -> None:
        await ControlSocket(str(path), {}, Log("none")).open()

    with pytest.raises(OperatorError, match=words) as caught:
        asyncio.run(main())
    assert str(caught.value).startswith(str(path))


def test_a_path_that_is_taken_or_impossible_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("keep")
    opening_fails(tmp_path / "file", "is not a socket")
    opening_fails(tmp_path / "no" / "where", "cannot listen: No such file")
    opening_fails(tmp_path / ("x" * 120), "cannot listen")
    with socket.socket(socket.AF_UNIX) as alive:
        alive.bind(str(tmp_path / "alive"))
        alive.listen()
        opening_fails(tmp_path / "alive", "already running")
    assert (tmp_path / "file").read_text() == "keep"


def test_closing_does_not_remove_a_successors_socket(tmp_path: Path) -> None:
    path = tmp_path / "rpc.sock"

    async def main() -> None:
        server = ControlSocket(str(path), {}, Log("none"))
        await server.open()
        path.unlink()
        path.write_text("somebody else's")
        await server.close()

    asyncio.run(main())
    assert path.read_text() == "somebody else's"
