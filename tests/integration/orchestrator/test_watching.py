"""`graph`, `top`, `events`, `inspect --paths` on a network of stand-in nodes.

Faults that turn these red: events that only tell what is, not what changed; CPU of the wrong
process; a page that is not written; the end of the network taken for an error.
"""

from __future__ import annotations

import json
import os
import re
import signal
from pathlib import Path
from typing import Any

import pytest

from tests.integration.orchestrator.command import SMALL, Testnet, new_testnet

pytestmark = pytest.mark.integration


def test_graph_draws_in_each_form(small: Testnet) -> None:
    drawn = small.run("graph")
    assert drawn.returncode == 0, drawn.stderr
    assert drawn.stdout.startswith('flowchart LR\n  n0(["router-1<br/>10.77.0.1"])\n')
    assert small.run("graph", "--format", "dot").stdout.startswith("digraph testnet {")
    file = small.root / "net.html"
    assert small.run("graph", "--format", "html", "-o", str(file)).returncode == 0
    assert "<title>testnet small</title>" in file.read_text()
    data = json.loads(small.run("graph", "--json").stdout)
    assert [vertex["name"] for vertex in data["vertices"]] == [
        "router-1", "router-2", "web", "alice",
    ]  # fmt: skip
    assert {(way["sender"], way["receiver"]) for way in data["ways"]} >= {("alice", "web")}
    nowhere = small.run("graph", "-o", "/nowhere/x")
    assert (nowhere.returncode, "cannot write /nowhere/x" in nowhere.stderr) == (2, True)


def test_paths_are_shown_hop_by_hop(small: Testnet) -> None:
    rows = json.loads(small.run("inspect", "--paths", "--json").stdout)
    assert {row["node"] for row in rows} == {"web", "alice"}
    alice = next(row for row in rows if row["node"] == "alice")
    assert alice["paths"][0]["hops"][:2] == ["router-1", "router-2"]
    text = small.run("inspect", "alice", "--paths").stdout
    assert re.search(r"^alice +ready +- +- +1 +1 +router-1 → router-2 → ", text, re.M)
    neither = small.run("inspect")
    assert neither.returncode == 2
    assert "say which node: testnet inspect NODE" in neither.stderr


def test_top_shows_what_each_node_takes(small: Testnet) -> None:
    data = json.loads(small.run("top", "--json", "--interval", "200ms").stdout)
    rows = {row["node"]: row for row in data["nodes"]}
    assert set(rows) == {"router-1", "router-2", "web", "alice"}
    assert data["seconds"] >= 0.2
    assert rows["web"]["memory_bytes"] > rows["alice"]["memory_bytes"] > 1 << 20
    table = small.run("top", "--once", "--interval", "200ms").stdout
    assert re.search(r"^router-1 +router +\d+\.\d +\d+ +4 ", table, re.M)


def test_events_tell_what_changes_until_the_network_is_gone(standin_packages: Path) -> None:
    with new_testnet(standin_packages) as net:
        assert net.run("up", net.configure(SMALL)).returncode == 0
        process = net.start("events")
        assert process.stdout is not None
        assert process.stderr is not None
        assert process.stderr.readline() == "watching small; Ctrl-C ends it\n"
        rows = {row["node"]: row for row in json.loads(net.run("ps", "--json").stdout)}
        os.kill(rows["router-2"]["pid"], signal.SIGKILL)
        ended = process.stdout.readline()
        assert re.fullmatch(
            r"\d\d:\d\d:\d\d\.\d{3}  router-2  process-ended  lokinet was killed by signal 9\n",
            ended,
        )
        assert net.run("down").returncode == 0
        out, _ = process.communicate(timeout=20)
        assert process.returncode == 0
        assert out.splitlines()[-1].endswith("-  network-down")


def test_events_end_by_themselves_or_by_ctrl_c(small: Testnet) -> None:
    quiet = small.run("events", "--json", "--for", "600ms")
    assert (quiet.returncode, quiet.stdout) == (0, "")
    process = small.start("events")
    assert process.stderr is not None
    process.stderr.readline()
    os.killpg(process.pid, signal.SIGINT)
    process.communicate(timeout=10)
    assert process.returncode == 130


def test_events_are_json_lines_for_programs(standin_packages: Path) -> None:
    with new_testnet(standin_packages) as net:
        assert net.run("up", net.configure(SMALL)).returncode == 0
        process = net.start("events", "--json", "--for", "30s")
        assert process.stderr is not None
        process.stderr.readline()  # it watches
        assert net.run("down").returncode == 0
        out, _ = process.communicate(timeout=40)
        rows: list[dict[str, Any]] = [json.loads(line) for line in out.splitlines()]
        assert process.returncode == 0
        assert rows[-1]["kind"] == "network-down"
        assert set(rows[-1]) == {"time", "node", "kind", "detail"}
