"""A real `lokinet-oxend` process and somebody who talks to it."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import re
import select
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

REPOSITORY = Path(__file__).parents[3]
START_S = 30
"""For a process to listen; measured 0.4 s."""
ANSWER_S = 10


class Refused(Exception):
    """The answer was an error: (code, message)."""


class Line(http.client.HTTPConnection):
    """An HTTP connection to the admin listener, by path or address."""

    def __init__(self, where: str) -> None:
        super().__init__("127.0.0.1", timeout=ANSWER_S)
        self._where = where

    def connect(self) -> None:
        if self._where.startswith("unix:"):
            self.sock = socket.socket(socket.AF_UNIX)
            self.sock.settimeout(ANSWER_S)
            self.sock.connect(self._where.removeprefix("unix:"))
        else:
            ip, port = self._where.split(":")
            self.sock = socket.create_connection((ip, int(port)), ANSWER_S)

    def send_call(self, method: str, params: dict[str, Any]) -> None:
        body = json.dumps({"jsonrpc": "2.0", "id": 1, "method": method, "params": params})
        self.request("POST", "/json_rpc", body)

    def is_answered(self, within_s: float) -> bool:
        """Whether an answer has begun to come, or the connection ended."""
        assert self.sock is not None
        return bool(select.select([self.sock], [], [], within_s)[0])

    def result(self) -> dict[str, Any]:
        """The answer to the call sent; Refused where it is an error."""
        answer = json.loads(self.getresponse().read())
        if error := answer.get("error"):
            raise Refused(error["code"], error["message"])
        result: dict[str, Any] = answer["result"]
        return result

    def call(self, method: str, **params: object) -> dict[str, Any]:
        self.send_call(method, params)
        return self.result()


@dataclass
class Oxend:
    """A running chain."""

    process: subprocess.Popen[str]
    rpc: str
    admin: str
    height: int
    """When it began to listen."""
    line: Line

    def kill(self) -> None:
        """kill -9, and nobody tidies up."""
        os.kill(self.process.pid, signal.SIGKILL)
        self.process.wait()
        self.line.close()


@contextlib.contextmanager
def oxend(directory: str | Path, *options: str, through: Sequence[str] = ()) -> Iterator[Oxend]:
    """A chain in a directory, started by another program if so asked; killed at the end."""
    command = [*through, sys.executable, "-m", "lokinet_node.oxend", "--data-dir", str(directory)]
    process = subprocess.Popen(
        [*command, "--rpc", "127.0.0.1:0", *options],
        cwd=REPOSITORY,
        env={**os.environ, "PYTHONPATH": str(REPOSITORY)},  # nsenter leaves the directory
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stderr is not None
    try:
        told = ""
        while "chain.listening" not in told:
            assert select.select([process.stderr], [], [], START_S)[0], "does not listen"
            told = process.stderr.readline()
            assert told, f"ended with {process.wait()}"
        found = re.search(r"rpc=(\S+) admin=(\S+) .*height=(\d+)", told)
        assert found, told
        rpc, admin, height = found.groups()
        with contextlib.closing(Line(admin)) as line:
            yield Oxend(process, rpc, admin, int(height), line)
    finally:
        if process.poll() is None:
            process.kill()
        process.wait()
        process.stderr.close()
