"""A report names layer, node and since when on its first screen, and is written by what fails.

One network of real nodes; each test breaks one thing and mends it again. Faults that turn these red
stand in docs/testing.md.
"""

from __future__ import annotations

import json
import os
import re
import signal
import time
from collections.abc import Iterator
from datetime import datetime
from html import unescape
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from tests.integration.network.real import READY_S, Network, new_network

pytestmark = pytest.mark.anywhere

TOPOLOGY = """
name: reported
hops: 2
nodes:
  router: {role: router, count: 3}
  web: {role: service, app: nginx}
  alice: {role: client}
"""
READY = f"{READY_S:.0f}s"


@pytest.fixture(scope="module")
def network() -> Iterator[Network]:
    with new_network("reported") as network:
        network.up(network.configure(TOPOLOGY))
        yield network


def done(network: Network, *words: str) -> str:
    result = network.run(*words, "--name", "reported")
    assert result.returncode == 0, f"{words}: {result.stderr}"
    return result.stdout


def first_screen(page: Path) -> dict[str, str]:
    """What stands in the page's head, by what it is."""
    head = page.read_text().partition("</header>")[0]
    found = re.findall(r'<d[dt] id="(\w+)">(.*?)</dd>', head, re.DOTALL)
    return {name: unescape(re.sub("<[^>]*>", "", text)) for name, text in found}


def pages(network: Network) -> set[Path]:
    return set((network.root / "reports").glob("*/index.html"))


def instant(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()


def test_a_router_frozen_by_a_command(network: Network) -> None:
    """The wait fails and writes the report by itself."""
    began = int(time.time())  # the journal has whole seconds
    done(network, "kill", "router-3", "--signal", "STOP")
    over = time.time()
    try:
        result = network.run("wait", "--name", "reported", "--timeout", "8s", "--json")
    finally:
        done(network, "kill", "router-3", "--signal", "CONT")
    assert result.returncode == 3, result.stderr
    page = Path(json.loads(result.stdout)["report"])
    assert f"report   {page}" in result.stderr
    assert pages(network) == {page}
    screen = first_screen(page)
    assert (screen["layer"], screen["node"]) == ("control socket", "router-3")
    assert "testnet sent it SIGSTOP" in screen["since"]
    said: dict[str, Any] = json.loads((page.parent / "report.json").read_text())
    since = said["troubles"][0]["since"]
    assert began <= instant(since["not_before"]) == instant(since["not_after"]) <= over
    assert "router-3/lokinet" in page.read_text()
    done(network, "wait", "--timeout", READY)


def test_a_router_frozen_by_somebody_else(network: Network) -> None:
    """Nobody wrote that down: it lies between the last sign of life and the first look."""
    (pid,) = [row["pid"] for row in network.programs() if row["node"] == "router-2"]
    out = network.root / "frozen"
    os.kill(pid, signal.SIGSTOP)
    frozen_at = time.time()
    try:
        found = json.loads(done(network, "report", "-o", str(out), "--json"))
    finally:
        os.kill(pid, signal.SIGCONT)
    first = found["troubles"][0]
    assert (first["layer"], first["who"]) == ("control socket", "router-2")
    since = first["since"]
    assert instant(since["not_before"]) <= frozen_at <= instant(since["not_after"])
    text = Path(found["page"]).read_text()
    assert "lokinet: stopped by a signal" in text.partition("</header>")[0]
    assert text.count('<svg viewBox="0 0 900 900"') == 2, "underlay and overlay"
    assert {path.name for path in (out / "nodes").iterdir()} == {
        f"{node}.json" for node in ("router-1", "router-2", "router-3", "web", "alice")
    }
    done(network, "wait", "--timeout", READY)


def test_a_test_that_does_not_hold(network: Network) -> None:
    before = pages(network)
    other = network.root / "tests.yaml"
    other.write_text(f"{TOPOLOGY}tests:\n  - dns: {{from: alice, name: web, rcode: SERVFAIL}}\n")
    result = network.run("test", str(other), "--name", "reported", "--json")
    assert result.returncode == 1, result.stderr
    page = Path(json.loads(result.stdout)["report"])
    assert pages(network) - before == {page}
    assert first_screen(page)["layer"] == "test"
    assert first_screen(page)["node"] == "dns alice: A web"
    quiet = network.run("test", str(other), "--name", "reported", "--json", "--no-report")
    assert (quiet.returncode, json.loads(quiet.stdout)["report"]) == (1, None)
    assert pages(network) - before == {page}


def test_a_green_run_with_what_was_measured(network: Network) -> None:
    other = network.root / "green.yaml"
    carry = "throughput: {from: alice, to: web, at-least: 1 Mbit/s, for: 1s}"
    other.write_text(f"{TOPOLOGY}tests:\n  - {{{carry}, eventually: {READY}}}\n")
    out = network.root / "green"
    done(network, "test", str(other), "--report", str(out))
    (test,) = json.loads((out / "report.json").read_text())["tests"]
    assert test["held"]
    (exhibit,) = test["exhibits"]
    rates = json.loads((out / exhibit).read_text())["series"]["alice → web"]
    carried = sum(rate * (at - before) for (before, _), (at, rate) in pairwise([(0, 0), *rates]))
    assert carried * 1e6 == pytest.approx(test["figures"]["bits_per_second"] * rates[-1][0], 0.01)
    page = (out / "index.html").read_text()
    assert 'class="curve"' in page
    assert f"{len(rates)} points, median " in page


def test_what_is_in_the_way_and_a_network_nobody_knows(network: Network) -> None:
    full = network.root / "full"
    full.mkdir()
    (full / "mine").write_text("mine")
    refused = network.run("report", "--name", "reported", "-o", str(full))
    assert refused.returncode == 2
    assert f"{full} is in the way: name a new or an empty directory" in refused.stderr
    assert [path.name for path in full.iterdir()] == ["mine"]
    unknown = network.run("report", "--name", "nobody")
    assert (unknown.returncode, unknown.stdout) == (1, "")
    assert "there is no network 'nobody'" in unknown.stderr


def test_a_network_that_is_well_and_one_that_is_stopped(network: Network) -> None:
    assert "nothing is wrong" in done(network, "report")
    began = int(time.time())
    done(network, "stop")
    try:
        found = json.loads(done(network, "report", "--json"))
    finally:
        done(network, "start", "--timeout", READY)
    assert found["condition"] == "stopped"
    (trouble,) = found["troubles"]
    assert (trouble["layer"], trouble["who"]) == ("process", "all nodes")
    assert trouble["since"]["why"] == "testnet stopped it"
    assert began <= instant(trouble["since"]["not_before"])
    folder = Path(found["directory"])
    assert "role: client" in (folder / "topology.yaml").read_text()
    assert "CreateNetwork" in (folder / "plan.txt").read_text()
    assert "node.started" in (folder / "logs" / "alice" / "lokinet.log").read_text()


def test_an_up_that_fails_leaves_its_report_and_nothing_else() -> None:
    with new_network("failing") as network:
        bad = TOPOLOGY.replace("role: client", "role: client, private-network: {path-lifetme: 5 s}")
        words = ("up", network.configure(bad), "--name", "failing", "--timeout", READY)
        result = network.run(*words)
        assert result.returncode == 3, result.stderr
        assert network.leftovers() == []
        (page,) = pages(network)
        assert f"report   {page}" in result.stderr
        assert (first_screen(page)["layer"], first_screen(page)["node"]) == ("process", "alice")
        assert "path-lifetme" in (page.parent / "logs" / "alice" / "lokinet.log").read_text()
        assert network.run(*words, "--no-report").returncode == 3
        assert pages(network) == {page}
