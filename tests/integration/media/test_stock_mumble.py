"""Two stock Mumble clients talk over a real network; and what turns that red."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from orchestrator.voice.pieces import HEARD_IN_PIECES
from tests.integration.network.real import Network, new_network

pytestmark = [pytest.mark.anywhere, pytest.mark.timeout(300)]

TOPOLOGY = """\
name: talking
nodes:
  router: {role: router, count: 4}
  mumble: {role: service, app: mumble}
  alice: {role: client}
  bob: {role: client}
"""
NO_VOICE = "table inet mute { chain out { type filter hook output priority 0; %s; }; }"
DROP = "udp dport 64738 drop"
MOST_MS = 1500
"""From mouth to ear; ten times what is measured."""


@pytest.fixture(scope="module")
def network() -> Iterator[Network]:
    with new_network("talking") as found:
        found.up(found.configure(TOPOLOGY))
        yield found


def call(network: Network, report: Path, **words: object) -> dict[str, Any]:
    """One, as `testnet test` tells of it; a good one may have a second try."""
    check = {"from": "alice", "to": "bob", "server": "mumble", "client": "stock", **words}
    check |= {"loss": 0.5, "mos": 1}  # other people's work on this machine is no fault of the call
    test = {"voip-mumble": check} if words else {"voip-mumble": check, "eventually": "20s"}
    file = network.configure(f"{TOPOLOGY}tests: {json.dumps([test])}\n")
    result = network.run("test", file, "--name", network.name, "--json", "--report", str(report))
    (row,) = json.loads(result.stdout)["tests"]
    assert result.returncode == (0 if row["held"] else 1)
    found: dict[str, Any] = row
    return found


def test_both_hear_each_other_over_udp(network: Network, tmp_path: Path) -> None:
    row = call(network, tmp_path / "report")
    assert row["held"], row
    figures = row["figures"]
    assert figures["envelope"] >= HEARD_IN_PIECES
    assert figures["packets"] > 200
    assert figures["loss"] <= 0.5
    assert figures["delay_p50_ms"] < figures["mouth_to_ear_ms"] < MOST_MS
    shown = {path.name for path in (tmp_path / "report").rglob("exhibits/*/*")}
    assert shown >= {
        "mumble-alice.png", "mumble-bob.png", "one-way-delay.series.json",
        "alice-heard-by-bob.wav", "bob-heard-by-alice.wav",
    }  # fmt: skip


@pytest.mark.netns
def test_a_silent_microphone_is_heard_as_such(network: Network, tmp_path: Path) -> None:
    row = call(network, tmp_path / "report", says="")
    assert not row["held"]
    assert "alice → bob: silence was heard" in row["seen"]
    assert "bob → alice: silence" not in row["seen"]


@pytest.mark.netns  # it takes a Mumble 20 s to see that there is no UDP: once is enough
def test_words_that_come_over_tcp_do_not_count(network: Network, tmp_path: Path) -> None:
    made = network.run_beside("alice", "nft", NO_VOICE % DROP)
    assert made.returncode == 0, made.stderr
    try:
        row = call(network, tmp_path / "report", says="The birch canoe slid.")
    finally:
        network.run_beside("alice", "nft", "delete table inet mute")
    assert not row["held"]
    assert "no datagram of alice's came to mumble" in row["seen"]


@pytest.mark.netns
def test_a_port_where_nobody_listens_is_named(network: Network, tmp_path: Path) -> None:
    row = call(network, tmp_path / "report", port=64739)
    assert not row["held"]
    assert "nothing answers at" in row["seen"]
