"""What the engine shows, read as nodes and programs."""

from __future__ import annotations

import json
import os
from typing import Any

from orchestrator.backends.docker_exec import FRAME, _Output
from orchestrator.backends.docker_observe import observed_nodes

Row = dict[str, Any]


def container(
    node: str,
    program: str,
    state: str = "running",
    code: int = 0,
    name: str = "",
    address: str = "10.77.0.1",
) -> Row:
    note = ["node made of", address, {"role": "router"}, "sha256:tools", []]
    labels = {
        "lokinet-testnet.node": node,
        "lokinet-testnet.program": program,
        "lokinet-testnet.note": json.dumps(note),
        "lokinet-testnet.fingerprint": "program made of",
    }
    return {
        "Name": name or f"/n.{node}.{program}",
        "Config": {"Labels": labels},
        "State": {
            "Status": state,
            "Running": state == "running",
            "Pid": 77 if state == "running" else 0,
            "ExitCode": code,
            "StartedAt": "2026-11-22T05:04:03.123456789Z",
        },
    }


def test_a_program_that_runs_is_told_with_its_pid() -> None:
    node = observed_nodes([container("r", "lokinet")])["r"]
    assert (node.fingerprint, node.address) == ("node made of", "10.77.0.1")
    assert node.processes["lokinet"].pid == 77
    assert node.processes["lokinet"].exit_code is None
    assert node.processes["lokinet"].fingerprint == "program made of"


def test_an_end_by_a_signal_is_negative_and_one_that_was_asked_for_says_so() -> None:
    killed = observed_nodes([container("r", "lokinet", "exited", 137)])["r"].processes["lokinet"]
    assert (killed.exit_code, killed.stopped) == (-9, False)
    asked = observed_nodes([container("r", "lokinet", "exited", 0, "/n.r.lokinet.stopped")])
    assert (asked["r"].processes["lokinet"].exit_code, asked["r"].processes["lokinet"].stopped) == (
        0,
        True,
    )
    own = observed_nodes([container("r", "lokinet", "exited", 3)])["r"].processes["lokinet"]
    assert own.exit_code == 3


def test_what_was_made_and_never_started_does_not_run() -> None:
    assert observed_nodes([container("r", "lokinet", "created")])["r"].processes == {}


def test_a_node_without_its_sandbox_must_be_made_anew() -> None:
    node = observed_nodes([container("w", "sandbox", "exited", 255), container("w", "nginx")])["w"]
    assert node.fingerprint == "node made of,namespace=gone"
    assert list(node.processes) == ["nginx"]


def test_tools_are_no_program_of_a_node() -> None:
    node = observed_nodes([container("r", "lokinet"), container("r", "tools", "exited", 137)])["r"]
    assert list(node.processes) == ["lokinet"]


def test_nodes_come_in_the_order_of_their_addresses() -> None:
    found = observed_nodes(
        [
            container("b", "lokinet", address="10.77.0.10"),
            container("a", "lokinet", address="10.77.0.9"),
        ]
    )
    assert list(found) == ["a", "b"]


def test_a_stream_in_pieces_reaches_the_right_outputs() -> None:
    out, err = os.memfd_create("out"), os.memfd_create("err")
    stream = b"".join(
        FRAME.pack(kind, len(text)) + text
        for kind, text in ((1, b"first "), (2, b"complaint"), (1, b""), (1, b"second"))
    )
    output = _Output((0, out, err), framed=True)
    for start in range(0, len(stream), 3):
        output.feed(stream[start : start + 3])
    assert os.pread(out, 100, 0) == b"first second"
    assert os.pread(err, 100, 0) == b"complaint"
    os.close(out)
    os.close(err)
