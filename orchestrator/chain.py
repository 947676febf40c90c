"""The way to a network's chain: its control socket, one question a call."""

from __future__ import annotations

import json
import socket
import time
from typing import Any

from orchestrator.errors import CheckFailed

__all__ = ["ChainAway", "call", "call_when_there"]

TIMEOUT_S = 10.0
START_S = 30.0
"""For a chain that was just started to answer; measured 0.4 s."""
PAUSE_S = 0.02
Result = dict[str, Any]


class ChainAway(CheckFailed):
    """Nobody answers at its control socket."""


def call(control: str, method: str, **params: object) -> Result:
    """One method's result; raises CheckFailed with the chain's words, ChainAway without any."""
    request = json.dumps({"id": 1, "method": method, "params": params}).encode() + b"\n"
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as line:
            line.settimeout(TIMEOUT_S)
            line.connect(control)
            line.sendall(request)
            with line.makefile("rb") as answers:
                answer = answers.readline()
    except OSError as error:
        raise ChainAway(f"the chain does not answer: {error.strerror or error}") from error
    if not answer.endswith(b"\n"):
        raise ChainAway("the chain hung up")
    reply = json.loads(answer)
    if "error" in reply:
        raise CheckFailed(f"the chain: {reply['error']}")
    result: Result = reply["result"]
    return result


def call_when_there(control: str, method: str, **params: object) -> Result:
    """The same for a chain that may still be starting."""
    deadline = time.monotonic() + START_S
    while True:
        try:
            return call(control, method, **params)
        except ChainAway:
            if time.monotonic() >= deadline:
                raise
            time.sleep(PAUSE_S)  # a socket that is not there yet cannot be waited for
