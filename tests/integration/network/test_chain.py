"""A network with its chain: names that lead to a page, by `testnet ons` and by the topology.

One network for the whole file. Tests that change names use names of their own; the one that ends
the chain brings it back.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.integration.network.real import READY_S, Network, new_network

pytestmark = pytest.mark.anywhere

TOPOLOGY = """name: named
hops: 2
nodes:
  chain: {role: chain, blocks: on-request, network-type: fakechain}
  router: {role: router, count: 5}
  web: {role: service, app: nginx}
  alice: {role: client}
private-network: {chain-poll: 1, name-cache: 1}
names:
  web.loki: {to: web, years: 10}
"""


@pytest.fixture(scope="module")
def named() -> Iterator[Network]:
    with new_network("named") as network:
        network.up(network.configure(TOPOLOGY))
        yield network


@pytest.fixture
def ons(named: Network) -> Callable[..., dict[str, Any]]:
    """`testnet ons ... --json`, which must succeed."""

    def run(*words: str) -> dict[str, Any]:
        return answer(named, "ons", *words)

    return run


def until(seen: Callable[[], bool], what: str) -> None:
    """Look until it is so; nodes remember names for a second."""
    end = time.monotonic() + READY_S
    while not seen():
        assert time.monotonic() < end, what


def answer(network: Network, *words: str) -> dict[str, Any]:
    result = network.run(*words, "--json")
    assert result.returncode == 0, result.stderr
    data: dict[str, Any] = json.loads(result.stdout)
    return data


def refused(network: Network, code: int, *words: str) -> str:
    """The one line a command fails with."""
    result = network.run(*words)
    assert result.returncode == code, (result.stdout, result.stderr)
    assert result.stdout == ""
    assert result.stderr.count("\n") == 1
    return result.stderr


def code_of(network: Network, url: str) -> str:
    """The status alice's curl gets; 000 for none."""
    page = ("curl", "-sS", "-m", "9", "-o", "/dev/null", "-w", "%{http_code}", url)
    return network.execute("alice", *page).stdout


def asked(network: Network) -> dict[str, int]:
    """How many questions about names each router was asked on paths."""
    nodes = [f"router-{number}" for number in range(1, 6)]
    return {node: network.inspect(node)["status"]["names"]["asked"] for node in nodes}


def test_the_page_comes_by_its_bought_name(named: Network) -> None:
    page = named.execute("alice", "curl", "-sS", "http://web.loki/")
    assert "It works: web" in page.stdout
    told = answer(named, "ons", "lookup", "web.loki")
    assert told["address"] == named.addresses["web"]


def test_several_routers_are_asked_for_a_name(
    named: Network, ons: Callable[..., dict[str, Any]]
) -> None:
    ons("buy", "several.loki", "web", "--years", "10")
    before = asked(named)
    assert code_of(named, "http://several.loki/") == "200"
    after = asked(named)
    assert len([node for node in after if after[node] > before[node]]) >= 2


def test_a_second_up_changes_nothing(named: Network) -> None:
    assert named.up(named.configure(TOPOLOGY))["changes"] == 0


def test_routers_hear_of_all_routers_and_of_themselves(named: Network) -> None:
    for number in range(1, 6):
        told = named.inspect(f"router-{number}")["status"]["chain"]
        assert (told["state"], told["active"]) == ("active", 5)


def test_a_name_leads_where_its_owner_says_until_it_expires(
    named: Network, ons: Callable[..., dict[str, Any]]
) -> None:
    bought = ons("buy", "shop.loki", "web", "--owner", "carol", "--backup-owner", "dave")
    assert (bought["owner_name"], bought["backup_owner_name"]) == ("carol", "dave")
    assert code_of(named, "http://shop.loki/") == "200"
    elsewhere = "y" * 52 + ".loki"
    moved = ons("update", "shop.loki", "--to", elsewhere, "--as", "dave")
    assert moved["address"] == elsewhere
    given = ons("transfer", "shop.loki", "eve")
    assert given["owner_name"] == "eve"
    line = refused(named, 1, "ons", "update", "shop.loki", "--to", "web", "--as", "carol")
    assert "neither the owner's nor the backup owner's" in line
    renewed = ons("renew", "shop.loki")
    assert renewed["expiration_height"] == bought["expiration_height"] + 2
    answer(named, "chain", "mine", "5")
    assert "shop.loki is not registered" in refused(named, 1, "ons", "lookup", "shop.loki")
    taken = ons("buy", "shop.loki", "web", "--owner", "mallory")
    assert taken["backup_owner"] is None
    until(lambda: code_of(named, "http://shop.loki/") == "200", "it leads to web again")
    answer(named, "chain", "mine", "3")
    until(lambda: code_of(named, "http://shop.loki/") == "000", "it leads nowhere")
    assert [row["kind"] for row in answer_list(named, "ons", "history", "shop.loki")] == [
        "buy",
        "update",
        "update",
        "renew",
        "buy",
    ]


def answer_list(network: Network, *words: str) -> list[dict[str, Any]]:
    result = network.run(*words, "--json")
    assert result.returncode == 0, result.stderr
    data: list[dict[str, Any]] = json.loads(result.stdout)
    return data


def test_names_are_listed_and_told_by_height(
    named: Network, ons: Callable[..., dict[str, Any]]
) -> None:
    ons("buy", "listed.loki", "web")
    rows = {row["name"]: row for row in answer_list(named, "ons", "list")}
    assert rows["listed.loki"]["address"] == named.addresses["web"]
    height = answer(named, "chain", "mine", "3")["height"]
    assert "listed.loki" not in {row["name"] for row in answer_list(named, "ons", "list")}
    expired = answer_list(named, "ons", "list", "--expired")
    assert "listed.loki" in {row["name"] for row in expired}
    ons("buy", "listed.loki", "web")
    late = answer_list(named, "ons", "history", "--since", str(height))
    assert [row["name"] for row in late] == ["listed.loki"]
    table = named.run("ons", "list").stdout.splitlines()
    assert table[0].split() == ["NAME", "ADDRESS", "OWNER", "EXPIRES", "ACTIVE"]


def test_the_chain_tells_of_itself(named: Network) -> None:
    told = answer(named, "chain", "info")
    assert told["service_nodes"] == {"active": 5, "decommissioned": 0, "unfunded": 0}
    assert [term["blocks"] for term in told["terms"]] == [2, 4, 10, 20]
    assert answer(named, "chain", "mine")["height"] == told["height"] + 1
    assert "fakechain" in named.run("chain", "info").stdout


@pytest.mark.parametrize(
    ("code", "words", "reason"),
    [
        (2, ("ons", "buy", "a.b.loki", "web"), "one label"),
        (2, ("ons", "buy", "localhost.loki", "web"), "reserved"),
        (2, ("ons", "buy", "x.loki", "alice"), "neither a service nor a <52>.loki address"),
        (2, ("ons", "buy", "x.loki", "web", "--owner", "No Body"), "neither an owner's name"),
        (1, ("ons", "buy", "web.loki", "web"), "already registered"),
        (1, ("ons", "buy", "x.loki", "web", "--owner", "a", "--backup-owner", "a"), "the same"),
        (2, ("ons", "update", "web.loki"), "nothing to change"),
        (2, ("ons", "update", "web.loki", "--to", "web", "--as", "nobody"), "no key of 'nobody'"),
        (1, ("ons", "update", "none.loki", "--to", "web"), "none.loki is not registered"),
        (1, ("ons", "transfer", "web.loki", "owner"), "is what it was"),
        (1, ("ons", "renew", "none.loki"), "none.loki is not registered"),
        (1, ("ons", "lookup", "none.loki"), "none.loki is not registered"),
        (2, ("ons", "history", "none"), "one label"),
        (2, ("chain", "mine", "0"), "1 to 10000"),
        (2, ("chain", "mine", "10001"), "1 to 10000"),
    ],
)
def test_what_cannot_be_done_is_one_line(
    named: Network, code: int, words: tuple[str, ...], reason: str
) -> None:
    assert reason in refused(named, code, *words)


def test_a_killed_chain_is_told_and_comes_back_with_all_it_had(named: Network) -> None:
    before = answer_list(named, "ons", "history")
    assert named.run("kill", "chain").returncode == 0
    assert "the chain does not answer" in refused(named, 1, "ons", "lookup", "web.loki")
    assert "the chain does not answer" in refused(named, 1, "chain", "info")
    plan = named.run("plan", named.configure(TOPOLOGY)).stdout
    assert "process:chain/oxend, StartProcess, ended with -9" in plan
    assert named.up(named.configure(TOPOLOGY))["addresses"] == named.addresses
    assert answer_list(named, "ons", "history") == before
    assert code_of(named, "http://web.loki/") == "200"


def test_what_was_changed_by_hand_is_set_right_by_up(
    named: Network, ons: Callable[..., dict[str, Any]]
) -> None:
    ons("update", "web.loki", "--to", "y" * 52 + ".loki")
    plan = named.run("plan", named.configure(TOPOLOGY)).stdout
    assert "names:web.loki, SettleNames, not registered as wanted" in plan
    assert named.up(named.configure(TOPOLOGY))["changes"] == 1
    assert ons("lookup", "web.loki")["address"] == named.addresses["web"]


def test_a_service_with_a_new_identity_keeps_its_name(
    named: Network, ons: Callable[..., dict[str, Any]]
) -> None:
    assert named.run("replace", "web", "--new-identity").returncode == 0
    named.up(named.configure(TOPOLOGY))
    assert ons("lookup", "web.loki")["address"] == named.addresses["web"]
    assert code_of(named, "http://web.loki/") == "200"


def test_a_network_without_a_chain_says_so() -> None:
    with new_network("nameless") as network:
        text = TOPOLOGY.replace("  chain: {role: chain", "  # {role: chain").partition("names:")[0]
        network.up(network.configure(text))
        line = refused(network, 1, "ons", "lookup", "web.loki")
        assert "has no chain: add `chain: {role: chain}` to its nodes" in line
