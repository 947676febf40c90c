"""What exits serve and clients use: as written in topologies, as read back by the node."""

from __future__ import annotations

from pathlib import Path

import pytest

from lokinet_node.node.config import Config, Source, Surroundings, parse_config
from orchestrator.directories import Places
from orchestrator.load import BadTopology, parse
from orchestrator.ops import NodeSpec
from orchestrator.render import render

TEXT = """name: n
hops: 1
nodes:
  r: {role: router}
  exit:
    role: exit
    tokens: [one, two]
    deny-range: [forbidden, 203.0.113.128/25]
    deny: [tcp/25]
    whitelist: [tcp, udp/53]
    countries: {NL: [www], AQ: [forbidden]}
    deny-country: [AQ]
    per-client: {rate: 4 Mbit/s, bytes: 20G, time: 1 h}
    per-token: {bytes: 100k}
  www: {role: server, app: nginx}
  forbidden: {role: server, app: nginx}
  dns: {role: server, app: dnsmasq}
  a: {role: client, exits: [exit.loki, {exit: exit.loki, range: 203.0.113.0/24, token: one}]}
  chain: {role: chain}
names: {exit.loki: exit}
"""
PLACES = Places("n", Path("/state/n"), Path("/run/n"))


def nodes(text: str = TEXT) -> dict[str, NodeSpec]:
    desired = render(parse(text.encode(), "x"), PLACES, "/python")
    return {node.name: node for node in desired.nodes}


def read_back(node: NodeSpec) -> Config:
    """Through the node's own reader, as the node itself would."""
    source = Source(f"{node.directory}/lokinet.ini", node.files["lokinet.ini"])
    around = Surroundings(
        node.directory, "/var/lib/lokinet", lambda path: not path.endswith("/bootstrap.signed")
    )
    return parse_config([source], None, around)


def lines(node: NodeSpec, key: str) -> list[str]:
    pairs = (line.partition("=") for line in node.files["lokinet.ini"].splitlines())
    return [value for name, _, value in pairs if name == key]


def test_the_node_accepts_what_exits_and_clients_are_given() -> None:
    assert read_back(nodes()["exit"]).exit is not None
    read_back(nodes()["a"])


def test_servers_stand_for_their_addresses_in_an_exits_rules() -> None:
    exit_ = nodes()["exit"]
    assert lines(exit_, "allow-range") == ["203.0.113.0/24"]
    assert lines(exit_, "deny-range") == ["203.0.113.33/32", "203.0.113.128/25"]
    assert exit_.files["countries.txt"] == "203.0.113.17/32 NL\n203.0.113.33/32 AQ\n"
    assert lines(exit_, "country-file") == ["/state/n/nodes/exit/countries.txt"]
    moved = nodes(f"clearnet: 192.0.2.0/24\n{TEXT}")["exit"]
    assert lines(moved, "allow-range") == ["192.0.2.0/24"]
    assert lines(moved, "deny-range")[0] == "192.0.2.33/32"


def test_an_exit_with_tokens_lets_nobody_else_in() -> None:
    exit_ = nodes()["exit"]
    assert lines(exit_, "auth") == ["whitelist"]
    assert lines(exit_, "auth-static") == ["one", "two"]
    assert lines(nodes(TEXT.replace("    tokens: [one, two]\n", ""))["exit"], "auth") == []


def test_quotas_are_counted_in_bytes_and_seconds() -> None:
    exit_ = nodes()["exit"]
    keys = ("client-rate", "client-bytes", "client-time", "token-rate", "token-bytes")
    assert [lines(exit_, key) for key in keys] == [["500000"], ["20G"], ["3600"], [], ["100k"]]


def test_another_rule_restarts_the_exits_node_and_leaves_its_network_alone() -> None:
    before, after = nodes()["exit"], nodes(TEXT.replace("tcp/25", "tcp/465"))["exit"]
    assert before.fingerprint == after.fingerprint
    assert before.files["lokinet.ini"] != after.files["lokinet.ini"]
    assert {"lokinet.ini", "countries.txt"} <= set(after.processes[0].files)


def test_a_client_has_its_exits_and_asks_the_clearnets_name_server() -> None:
    client = nodes()["a"]
    assert lines(client, "exit-node") == ["exit.loki:0.0.0.0/0", "exit.loki:203.0.113.0/24"]
    assert lines(client, "exit-auth") == ["exit.loki:one"]
    assert lines(client, "upstream") == ["203.0.113.49:53"]
    assert lines(nodes()["exit"], "upstream") == [""]


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        ("[forbidden, ", "[forbiden, ", "no server 'forbiden': did you mean 'forbidden'?"),
        ("128/25]", "129/25]", "203.0.113.129/25 has host bits set"),
        ("tcp/25", "tcp 25", "nodes.exit.deny"),
        ("[AQ]", "[FR]", "country FR has no ranges: write it under countries"),
        ("AQ: [", "aq: [", "aq"),
        ("exits: [exit.loki", "exits: [exi.loki", "no name 'exi.loki': did you mean 'exit.loki'?"),
        ("token: one", "token: 'o ne'", "token"),
        ("rate: 4 Mbit/s", "rate: 4", "must be a rate with its unit"),
        ("bytes: 20G", "bytes: 20 GB", "nodes.exit.per-client.bytes"),
        ("tokens: [one, two]", "tokens: ['']", "tokens"),
    ],
)
def test_a_mistake_is_named(before: str, after: str, said: str) -> None:
    assert before in TEXT
    with pytest.raises(BadTopology) as refused:
        parse(TEXT.replace(before, after).encode(), "x")
    assert said in str(refused.value)
