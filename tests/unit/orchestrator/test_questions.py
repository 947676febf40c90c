"""Questions to an engine that is none: what is sent, and what becomes of broken connections."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest

from orchestrator.engine import belongings
from orchestrator.engine.client import Engine, EngineAway, Refused

TIMEOUT_S = 20


@dataclass(slots=True)
class Listener:
    """Answers every request; hangs up after each, or keeps the connection."""

    server: socket.socket
    answers: dict[str, tuple[int, object]]
    hang_up: bool = False
    version: str = "1.99"
    """Of the API, in a header of each answer."""
    requests: list[str] = field(default_factory=list)
    connections: int = 0

    def serve(self) -> None:
        while True:
            try:
                channel, _ = self.server.accept()
            except OSError:
                return
            self.connections += 1
            threading.Thread(target=self._answer, args=(channel,), daemon=True).start()

    def _answer(self, channel: socket.socket) -> None:
        with channel, channel.makefile("rb") as file:
            while line := file.readline():
                length = 0
                while (header := file.readline().strip()) != b"":
                    name, _, value = header.partition(b":")
                    if name.lower() == b"content-length":
                        length = int(value)
                file.read(length)
                request = line.decode().rsplit(" ", 1)[0]
                self.requests.append(request)
                method, target = request.split(" ")
                path = urlsplit(target).path
                status, answer = self.answers.get(f"{method} {path}") or self.answers[path]
                body = json.dumps(answer).encode()
                head = f"HTTP/1.1 {status} So\r\nContent-Length: {len(body)}\r\n"
                head += f"Api-Version: {self.version}\r\n" if self.version else ""
                channel.sendall(f"{head}\r\n".encode() + body)
                if self.hang_up:
                    break


@pytest.fixture
def listener(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Listener]:
    path = tmp_path / "sock"
    monkeypatch.setenv("DOCKER_HOST", f"unix://{path}")
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(path))
        server.listen()
        found = Listener(server, {"/_ping": (200, "OK")})
        thread = threading.Thread(target=found.serve, daemon=True)
        thread.start()
        yield found
        server.shutdown(socket.SHUT_RDWR)
    thread.join(TIMEOUT_S)


def test_the_newest_version_is_asked_on_one_connection(listener: Listener) -> None:
    listener.answers["/v1.99/networks"] = (200, [])
    engine = Engine()
    for _ in range(3):
        assert engine.networks({"a": "b"}) == []
    engine.close()
    assert listener.connections <= 2  # one for the version
    assert [request.split("?")[0] for request in listener.requests] == [
        "GET /_ping",
        *["GET /v1.99/networks"] * 3,
    ]
    query = parse_qs(urlsplit(listener.requests[-1]).query)
    assert json.loads(query["filters"][0]) == {"label": ["a=b"]}


def test_a_question_on_a_connection_that_broke_is_asked_again(listener: Listener) -> None:
    listener.answers["/v1.99/networks"] = (200, [])
    listener.hang_up = True
    engine = Engine()
    for _ in range(3):
        assert engine.networks() == []
    engine.close()
    assert len(listener.requests) == 4


def test_what_is_not_there_is_none_and_what_is_refused_is_said(listener: Listener) -> None:
    listener.answers["/v1.99/containers/x/json"] = (404, {"message": "No such container: x"})
    listener.answers["/v1.99/containers/y/json"] = (500, {"message": "broken"})
    listener.answers["/v1.99/containers/y/exec"] = (409, {"message": "y is not running"})
    engine = Engine()
    assert engine.inspect("x") is None
    with pytest.raises(Refused, match="y: broken"):
        engine.inspect("y")
    with pytest.raises(Refused, match="y: y is not running"):
        engine.prepare_exec("y", ["true"], {}, tty=False)
    engine.close()


def test_a_network_the_engine_thinks_in_use_is_told_with_the_fix(
    listener: Listener, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(belongings, "LET_GO_S", 0.2)
    listener.answers["/v1.99/networks"] = (200, [{"Id": "7", "Name": "n-1"}])
    listener.answers["/version"] = (200, {"ApiVersion": "1.99", "Version": "x"})
    refusal = (403, {"message": "network n-1 has active endpoints"})
    listener.answers["DELETE /v1.99/networks/7"] = refusal
    listener.answers["/v1.99/networks/7"] = (200, {"Containers": {}})
    engine = Engine()
    with pytest.raises(Refused, match=r"network n-1: the engine counts.*restart the engine"):
        belongings.remove_networks(engine, {"a": "b"})
    deleted = [request for request in listener.requests if request.startswith("DELETE")]
    assert len(deleted) > 1, "the last container may be about to let go"
    listener.answers["/v1.99/networks/7"] = (200, {"Containers": {"8": {"Name": "guest"}}})
    with pytest.raises(Refused, match=r"guest of somebody else .*network disconnect n-1 guest"):
        belongings.remove_networks(engine, {"a": "b"})
    engine.close()


def test_what_is_no_engine_is_told_as_none(listener: Listener) -> None:
    listener.version = ""
    engine = Engine()
    with pytest.raises(EngineAway, match="no engine answers"):
        engine.networks()
    engine.close()


def test_a_socket_that_may_not_be_opened_is_told_with_the_fix(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(*_: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/sock")
    monkeypatch.setattr(socket.socket, "connect", refused)
    with pytest.raises(EngineAway, match="adduser"):
        Engine().version()
