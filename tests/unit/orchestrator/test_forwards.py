"""Words of forwards, and the forwarder itself on this machine's loopback."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from orchestrator.cli.arguments import parse
from orchestrator.cli.forward import _parsed
from orchestrator.errors import UsageError
from orchestrator.forwards import MODULE, Forward, Target, _from_words, listen, parse_target

ROOT = Path(__file__).parents[3]


@pytest.mark.parametrize(
    ("text", "target"),
    [
        ("8080:web.loki:80", Target(8080, "web.loki", 80)),
        ("0:web", Target(0, "web", None)),
        ("8080:web:65535", Target(8080, "web", 65535)),
    ],
)
def test_a_target_is_three_words_or_two(text: str, target: Target) -> None:
    assert parse_target(text) == target


@pytest.mark.parametrize(
    "text",
    ["", "8080", "web:80", "8080:", "8080::80", "8080:web:", "65536:web:80", "1:web:x", "-1:a:1"],
)
def test_anything_else_is_a_usage_error(text: str) -> None:
    with pytest.raises(UsageError, match=r"is not LOCAL:HOST:PORT, for example 8080:web\.loki:80"):
        parse_target(text)


@pytest.mark.parametrize(
    "text", ["https://web.loki/", "ftp://web/", "http://", "http://web:x/", "/"]
)
def test_only_http_urls_are_browsed(text: str) -> None:
    with pytest.raises(UsageError, match="is no http URL, for example"):
        _parsed(text)
    assert _parsed("web/page?a=1").hostname == "web"


def test_a_port_in_use_is_named_and_listeners_are_on_loopback_only() -> None:
    with listen(0) as first:
        host, port = first.getsockname()
        assert host == "127.0.0.1"
        with pytest.raises(UsageError, match=f"port {port} of 127.0.0.1: Address already in use"):
            listen(port)


def test_forwards_are_read_from_command_lines() -> None:
    words = ["alice", "8080", "web.loki", "80", "--detach", "/log", ""]
    assert _from_words(7, words) == Forward(7, "alice", 8080, "web.loki", 80)
    assert _from_words(7, ["alice", "8080"]) is None
    assert _from_words(7, ["alice", "x", "web.loki", "80"]) is None


def test_forward_wants_a_node_and_a_target() -> None:
    arguments = parse(["forward", "alice"])
    with pytest.raises(UsageError, match="testnet forward NODE LOCAL:HOST:PORT"):
        arguments.load()(arguments)


@contextmanager
def forwarder(host: str, port: int) -> Iterator[tuple[int, dict[str, str]]]:
    """One that runs here; its port and its first line."""
    with listen(0) as listener:
        local = listener.getsockname()[1]
        process = subprocess.Popen(
            [sys.executable, "-P", "-S", "-m", MODULE, "here", str(local), host, str(port)],
            stdin=listener.fileno(),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env={"PYTHONPATH": str(ROOT)},
        )
    try:
        assert process.stdout is not None
        yield local, json.loads(process.stdout.readline())
    finally:
        process.kill()
        process.communicate(timeout=10)


@contextmanager
def far_end(answer: bytes) -> Iterator[tuple[int, list[bytes]]]:
    """Reads until the end of what is sent, then answers: the other direction is still open."""
    listener = socket.create_server(("127.0.0.1", 0))
    heard: list[bytes] = []

    def serve() -> None:
        client, _ = listener.accept()
        with client:
            while data := client.recv(65536):
                heard.append(data)
            client.sendall(answer)

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield listener.getsockname()[1], heard
    finally:
        thread.join(timeout=10)
        listener.close()


def test_both_directions_are_carried_and_each_end_of_one_is_passed_on() -> None:
    question, answer = b"q" * 3_000_000, b"a" * 3_000_000
    with far_end(answer) as (port, heard), forwarder("localhost", port) as (local, said):
        assert said == {"ok": "127.0.0.1"}
        with socket.create_connection(("127.0.0.1", local), timeout=10) as near:
            near.sendall(question)
            near.shutdown(socket.SHUT_WR)
            got = b""
            while data := near.recv(65536):
                got += data
    assert b"".join(heard) == question
    assert got == answer


def test_a_target_that_refuses_ends_the_connection_and_not_the_forwarder() -> None:
    with listen(0) as free:
        closed = free.getsockname()[1]
    with forwarder("localhost", closed) as (local, _):
        for _ in range(2):
            with socket.create_connection(("127.0.0.1", local), timeout=10) as near:
                assert near.recv(1) == b""


def test_a_name_nobody_knows_is_told_at_once() -> None:
    with forwarder("no-such-name.invalid", 80) as (_, said):
        assert said["error"].startswith("here cannot resolve no-such-name.invalid: ")
