"""`lokinet-oxend` as a program: its listeners, its blocks, and how it ends."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.integration.chain.oxend import REPOSITORY, Line, Refused, oxend


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "lokinet_node.oxend", *arguments]
    return subprocess.run(
        command, cwd=REPOSITORY, capture_output=True, text=True, timeout=30, check=False
    )


def test_readers_and_writers_have_doors_of_their_own(tmp_path: Path) -> None:
    with oxend(tmp_path / "data") as chain:
        assert chain.admin == f"unix:{tmp_path}/data/admin.sock"
        status = os.stat(tmp_path / "data" / "admin.sock")
        assert stat.S_IMODE(status.st_mode) == 0o600
        assert stat.S_IMODE(os.stat(tmp_path / "data").st_mode) == 0o700
        assert chain.line.call("generate_blocks")["height"] == 2
        reader = Line(chain.rpc)
        assert reader.call("get_info")["height"] == 2
        with pytest.raises(Refused, match="on the admin listener only"):
            reader.call("generate_blocks")
        reader.close()


def test_blocks_come_by_themselves(tmp_path: Path) -> None:
    with oxend(tmp_path, "--block-time", "0.05") as chain:
        while chain.line.call("get_info")["height"] < 4:
            pass  # the test's timeout is the limit
        headers = chain.line.call("get_block_headers_range", end_height=3)["headers"]
        assert [header["height"] for header in headers] == [0, 1, 2, 3]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_it_ends_when_told_and_leaves_one_file(tmp_path: Path, number: signal.Signals) -> None:
    with oxend(tmp_path) as chain:
        idle = Line(chain.admin)
        idle.connect()
        chain.process.send_signal(number)
        assert chain.process.wait(timeout=10) == 0
        idle.close()
    assert [path.name for path in tmp_path.iterdir()] == ["chain.sqlite"]


def test_a_socket_left_by_a_killed_chain_is_taken_over(tmp_path: Path) -> None:
    with oxend(tmp_path) as chain:
        chain.kill()
    assert (tmp_path / "admin.sock").exists()
    with oxend(tmp_path) as chain:
        assert chain.line.call("get_info")["height"] == 1


def test_a_second_chain_on_the_same_file_leaves_the_first_alone(tmp_path: Path) -> None:
    with oxend(tmp_path) as chain:
        second = run("--data-dir", str(tmp_path), "--rpc", "127.0.0.1:0")
        assert second.returncode == 1
        assert "another lokinet-oxend has it open" in second.stderr
        assert chain.line.call("get_info")["height"] == 1


def test_a_client_that_only_connects_holds_nobody_up(tmp_path: Path) -> None:
    with oxend(tmp_path) as chain:
        ip, port = chain.rpc.split(":")
        silent = [socket.create_connection((ip, int(port))) for _ in range(50)]
        silent[0].sendall(b"POST /json_rpc HTTP/1.1\r\ncontent-length: 100\r\n")
        with contextlib.closing(Line(chain.rpc)) as reader:
            assert reader.call("get_info")["height"] == 1
        for one in silent:
            one.close()


def test_many_calls_at_once_are_each_answered(tmp_path: Path) -> None:
    with oxend(tmp_path) as chain:
        lines = [Line(chain.rpc) for _ in range(100)]
        for line in lines:
            line.send_call("get_info", {})
        assert {line.result()["height"] for line in lines} == {1}
        for line in lines:
            line.close()


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        ((), "--data-dir"),
        (("--data-dir", "{}", "--rpc", "0.0.0.0:22023"), "would listen on every address"),
        (("--data-dir", "{}", "--rpc", "8.8.8.8:22023"), "loopback or a private network"),
        (("--data-dir", "{}", "--rpc", "192.0.2.77:22023"), "cannot listen"),
        (("--data-dir", "{}", "--rpc", "127.0.0.1:0", "--admin", "nowhere"), "neither IP:PORT"),
        (("--data-dir", "{}", "--block-time", "-1"), "must be from 0 to 86400"),
        (("--data-dir", "{}", "--block-time", "nan"), "must be from 0 to 86400"),
        (("--data-dir", "{}", "--block-time", "soon"), "block-time"),
        (("--data-dir", "{}", "--network-type", "moon"), "moon"),
        (("--data-dir", "/dev/null/x"), "/dev/null"),
    ],
)
def test_what_is_wrong_at_the_start_ends_with_1_and_a_reason(
    tmp_path: Path, arguments: tuple[str, ...], reason: str
) -> None:
    ended = run(*(argument.replace("{}", str(tmp_path)) for argument in arguments))
    assert ended.returncode == 1
    assert reason in ended.stderr
    assert "Traceback" not in ended.stderr


def read_all_blocks(line: Line, count: int) -> None:
    for first in range(0, count, 1000):
        line.call("get_block_headers_range", start_height=first, end_height=first + 999)


def test_a_failing_disk_ends_it_with_2_and_a_new_start_mends_it(tmp_path: Path) -> None:
    """The file is cut short under it: SQLite finds that out when it next reads."""
    path = tmp_path / "chain.sqlite"
    with oxend(tmp_path, "--block-time", "0") as chain:
        for _ in range(3):  # 5 MB: more than it keeps in memory
            chain.line.call("generate_blocks", amount_of_blocks=10_000)
        whole = path.read_bytes()
        os.truncate(path, 8192)
        with pytest.raises(Refused) as refused:
            read_all_blocks(chain.line, 30_000)
        code, message = refused.value.args
        assert code == -5
        assert str(path) in message
        assert chain.process.wait(timeout=10) == 2
    path.write_bytes(whole)
    with oxend(tmp_path, "--block-time", "0") as chain:
        assert chain.height == 30_001
        read_all_blocks(chain.line, 30_000)


def control(path: Path, method: str, **params: object) -> dict[str, Any]:
    """One question to a control socket."""
    with socket.socket(socket.AF_UNIX) as line:
        line.settimeout(10)
        line.connect(str(path))
        line.sendall(json.dumps({"id": 1, "method": method, "params": params}).encode() + b"\n")
        answer: dict[str, Any] = json.loads(line.makefile().readline())
    return answer


def test_a_supervisor_asks_it_like_a_node(tmp_path: Path) -> None:
    path = tmp_path / "control.sock"
    key = "11" * 32
    with oxend(tmp_path, "--control", str(path)) as chain:
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert control(path, "llarp.version")["result"]["version"].startswith("lokinet-")
        assert control(path, "generate_blocks", amount_of_blocks=2)["result"]["height"] == 3
        control(path, "register_service_node", pubkey_ed25519=key)
        told = control(path, "llarp.get_status")["result"]
        assert (told["role"], told["height"], told["names"]) == ("chain", 3, {})
        assert told["serviceNodes"] == {"active": 1, "decommissioned": 0, "unfunded": 0}
        refused = control(path, "register_service_node", pubkey_ed25519=key)
        assert refused["error"] == "the service node is already active"
        chain.process.terminate()
        assert chain.process.wait(timeout=10) == 0
        assert not path.exists()
