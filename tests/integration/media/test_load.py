"""`testnet load` on a real network: what arrives, what is counted, and that it ends."""

from __future__ import annotations

import json
import os
import select
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.integration.network.real import Network, new_network
from tests.integration.orchestrator.command import until

pytestmark = pytest.mark.anywhere

TOPOLOGY = """\
name: loaded
nodes:
  router: {role: router, count: 4}
  web: {role: service, app: nginx}
  alice: {role: client}
  bob: {role: client}
"""
LOSS = "table inet lossy { chain in { type filter hook input priority 0; %s; }; }"
DROP = "iifname eth0 meta l4proto udp numgen random mod 10 == 0 drop"
LOADED_S = 20.0
"""Ten times what a load takes to begin and to write its first figures."""


@pytest.fixture(scope="module")
def network() -> Iterator[Network]:
    with new_network("loaded") as found:
        found.up(found.configure(TOPOLOGY))
        yield found


def run(network: Network, *words: str) -> Any:
    result = network.run("load", *words, "--name", network.name, "--json")
    assert result.returncode == 0, result.stderr
    return json.loads(result.stdout)


def figures(network: Network, *words: str) -> dict[str, Any]:
    """Of one that has its time."""
    (job,) = run(network, *words, "--wait")
    assert job["ended"] == "its time is over", job
    found: dict[str, Any] = job["figures"]
    return found


def seen_by_web(network: Network) -> int:
    """Requests in the log of nginx itself."""
    log = network.state / network.name / "nodes" / "web" / "nginx" / "access.log"
    return log.read_text().count("lokinet-testnet")


def test_requests_reach_the_service_and_are_counted(network: Network) -> None:
    before = seen_by_web(network)
    found = figures(network, "http", "--rps", "40", "--clients", "4", "--for", "2s")
    assert found["failures"] == {}
    assert found["arrived"] == found["answered"] == seen_by_web(network) - before > 0
    response, service = found["response"], found["service"]
    assert 0 < service["p50_ms"] <= response["p50_ms"] <= response["p99_ms"] <= response["max_ms"]


@pytest.mark.netns
def test_requests_that_fail_are_told_by_name(network: Network) -> None:
    options = ("--rps", "40", "--for", "500ms")
    missing = figures(network, "http", "--path", "/no-such-page", *options)
    refused = figures(network, "http", "--port", "81", *options)
    assert missing["failures"] == {"status 404": missing["arrived"]}
    assert refused["failures"] == {"Connection refused": refused["arrived"]}
    assert missing["arrived"] > 0 < refused["arrived"]


def test_calls_go_both_ways_and_sound_worse_with_loss(network: Network) -> None:
    options = ("voip", "--calls", "2", "--from", "alice", "--for", "3s")
    clean = figures(network, *options)
    made = network.run_beside("alice", "nft", LOSS % DROP)
    assert made.returncode == 0, made.stderr
    lossy = figures(network, *options)
    network.run_beside("alice", "nft", "delete table inet lossy")
    assert clean["sent"] == clean["received"] + clean["lost"] > 0
    assert (clean["failures"], clean["unsent"]) == ({}, {})
    assert {(way["from"], way["to"]) for way in clean["ways"]} == {
        ("alice", "web"), ("web", "alice"),
    }  # fmt: skip
    there = [way["lost"] for way in lossy["ways"] if way["from"] == "alice"]
    back = [way["lost"] for way in lossy["ways"] if way["to"] == "alice"]
    assert sum(back) > sum(there)  # what comes to alice is dropped, what leaves her is not
    assert lossy["loss"] > clean["loss"]
    assert lossy["mos"]["worst"] < clean["mos"]["worst"]


@pytest.mark.netns
def test_what_cannot_be_asked_for_is_refused(network: Network) -> None:
    for words, code, reason in (
        (("voip", "--to", "alice"), 2, "alice is a client, which nobody can find"),
        (("http", "--to", "no-such.loki"), 1, "cannot resolve no-such.loki"),
        (("http", "--from", "nobody"), 2, "no node 'nobody'"),
        (("report", "http-99"), 2, "no load 'http-99'"),
    ):
        result = network.run("load", *words, "--name", network.name)
        assert (result.returncode, result.stdout) == (code, "")
        assert reason in result.stderr


@pytest.mark.netns
def test_ctrl_c_ends_the_load_that_is_waited_for(network: Network) -> None:
    folder = network.state / network.name / "load"
    known = set(folder.glob("*"))
    command = network.start("load", "http", "--wait", "--name", network.name)
    until("its first figures", lambda: bool(new_figures(folder, known)), LOADED_S)
    command.send_signal(signal.SIGINT)
    out, _ = command.communicate(timeout=LOADED_S)
    assert command.returncode == 130
    assert ": stopped\n" in out
    (written,) = new_figures(folder, known)
    assert json.loads(written.read_text())["ended"] == "stopped"


def test_a_load_goes_on_until_it_is_stopped_or_its_network_ends(network: Network) -> None:
    names = [run(network, kind)["name"] for kind in ("http", "voip", "voip")]
    jobs = {job["name"]: job for job in run(network, "ls")}
    assert all(jobs[name]["running"] for name in names)
    handles = [os.pidfd_open(pid_of(name)) for name in names]
    try:
        (stopped,) = run(network, "stop", names[0])
        assert (stopped["running"], stopped["ended"]) == (False, "stopped")
        assert has_ended(handles[0])
        assert not has_ended(handles[1])
        down = network.run("down", "--name", network.name)
        assert (down.returncode, network.leftovers()) == (0, [])
        assert all(has_ended(handle) for handle in handles)
    finally:
        for handle in handles:
            os.close(handle)


def new_figures(folder: Path, known: set[Path]) -> list[Path]:
    """Of loads that were not there before."""
    return [path for path in folder.glob("*/figures.json") if path.parent not in known]


def pid_of(name: str) -> int:
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            try:
                with open(f"/proc/{entry}/cmdline") as file:
                    words = file.read().split("\0")
            except OSError:
                continue
            if "orchestrator.traffic" in words and name in words and "loaded" in words:
                return int(entry)
    raise AssertionError(f"no process of {name}")


def has_ended(handle: int) -> bool:
    return bool(select.select([handle], [], [], 0)[0])
