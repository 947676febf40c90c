"""People who talk over Debian's Mumble server by its `.loki` name, and everything that is red."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from tests.integration.network.real import Network, new_network

pytestmark = [pytest.mark.anywhere, pytest.mark.timeout(300)]

NAME = "calls"
TOPOLOGY = """\
name: calls
hops: 2
nodes:
  router: {role: router, count: 4}
  mumble: {role: service, app: mumble}
  alice: {role: client}
  bob: {role: client}
  carol: {role: client}
  chain: {role: chain}
names: {probably.loki: mumble}
"""
WORDS = "says: The birch canoe slid on the smooth planks."
PAIR = f"from: alice, to: bob, server: probably.loki, {WORDS}"
SILENT = PAIR.replace(WORDS, 'says: ""')
ANY_LOSS = "loss: 0.5, mos: 1"
"""Other people's work on this machine is no fault of the call."""
LOSS = "table inet fault { chain in { type filter hook input priority 0; %s; }; }"
NO_UDP = "udp dport 64738 drop"
FEW = "iifname eth0 meta l4proto udp numgen inc mod 20 == 0 drop"
MANY = "iifname eth0 meta l4proto udp numgen inc mod 5 == 0 drop"
"""Each so-manieth: by chance a short call may lose next to nothing."""


@pytest.fixture(scope="module")
def calls() -> Iterator[Network]:
    with new_network(NAME) as network:
        network.up(network.configure(TOPOLOGY))
        yield network


def tried(calls: Network, *tests: str) -> list[dict[str, Any]]:
    """What became of them."""
    lines = "".join(f"  - voip-mumble: {{{test}}}\n" for test in tests)
    file = calls.configure(f"{TOPOLOGY}tests:\n{lines}")
    result = calls.run("test", file, "--name", NAME, "--json", "--no-report")
    assert result.stdout, result.stderr
    rows: list[dict[str, Any]] = json.loads(result.stdout)["tests"]
    return rows


@contextmanager
def faulty(calls: Network, node: str, rule: str) -> Iterator[None]:
    """With a packet filter in a node."""
    made = calls.run_beside(node, "nft", LOSS % rule)
    assert made.returncode == 0, made.stderr
    try:
        yield
    finally:
        calls.run_beside(node, "nft", "delete table inet fault")


@pytest.fixture(scope="module")
def undisturbed(calls: Network) -> list[dict[str, Any]]:
    """Two people, three, and the two without Lokinet between them."""
    bare = PAIR.replace("probably.loki", address(calls))
    three = f"from: carol, to: [alice, bob], server: mumble, {WORDS}"
    return tried(calls, *(f"{words}, {ANY_LOSS}" for words in (PAIR, three, bare)))


def test_two_and_three_hear_each_other_over_udp(undisturbed: list[dict[str, Any]]) -> None:
    two, three, bare = undisturbed
    assert [row["held"] for row in (two, three, bare)] == [True] * 3, (two, three, bare)
    for row, ways in ((two, 1), (three, 2)):
        figures = row["figures"]
        heard = figures["packets"] * (1 - figures["loss"])
        assert figures["udp_to_service"] >= heard / ways
        assert figures["udp_from_service"] >= heard
        assert figures["envelope"] > 0.6
    assert two["figures"]["pesq"] > 2
    assert two["figures"]["delay_p95_ms"] >= two["figures"]["delay_p50_ms"] > 0
    assert bare["figures"]["delay_p50_ms"] < two["figures"]["delay_p50_ms"]


@pytest.mark.netns
def test_who_is_silent_says_something_else_or_is_not_there_is_told(calls: Network) -> None:
    rows = tried(
        calls,
        f"{SILENT}, {ANY_LOSS}",
        f"{PAIR}, hears: Four hours of steady work faced us all day long, {ANY_LOSS}",
        PAIR.replace("probably", "improbable"),
        f"{PAIR}, port: 64739",
    )
    assert [row["held"] for row in rows] == [False] * 4
    for row, words in zip(
        rows,
        (
            "alice → bob: silence was heard",
            "alice → bob: other words were heard (envelope ",
            "no such name improbable.loki (NXDOMAIN)",
            ":64739: Connection refused",
        ),
        strict=True,
    ):
        assert words in row["seen"]
        assert "over UDP" in row["expected"]


@pytest.mark.netns
def test_loss_lowers_the_mos_in_order(calls: Network, undisturbed: list[dict[str, Any]]) -> None:
    clean = undisturbed[0]
    with faulty(calls, "bob", FEW):
        (few,) = tried(calls, f"{PAIR}, loss: 0.01")
    with faulty(calls, "bob", MANY):
        (many,) = tried(calls, PAIR)
    assert [row["held"] for row in (clean, few, many)] == [True, False, False]
    losses, values = (
        [row["figures"][name] for row in (clean, few, many)] for name in ("loss", "mos")
    )
    assert losses == sorted(losses)
    assert values == sorted(values, reverse=True)
    assert clean["figures"]["mos"] - many["figures"]["mos"] > 0.5


@pytest.mark.netns
def test_voice_that_falls_back_to_tcp_is_red(calls: Network) -> None:
    with faulty(calls, "mumble", NO_UDP):
        (row,) = tried(calls, f"{PAIR}, {ANY_LOSS}")
    assert not row["held"]
    assert "packets came by TCP, as UDP does not get through" in row["seen"]


@pytest.mark.netns
def test_a_stopped_server_is_told(calls: Network) -> None:
    killed = calls.run("kill", "mumble", "--program", "mumble", "--name", NAME)
    assert killed.returncode == 0, killed.stderr
    (row,) = tried(calls, PAIR)
    assert not row["held"]
    assert "nothing answers at " in row["seen"]
    assert ":64738: Connection refused" in row["seen"]


def address(calls: Network) -> str:
    """Of the service's node on the underlay, where there is no Lokinet between."""
    shown = calls.run_beside("mumble", "ip", "-4", "-o", "address", "show", "eth0")
    return shown.stdout.split(" inet ")[1].split("/")[0]
