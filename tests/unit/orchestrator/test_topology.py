"""Members and their addresses."""

from __future__ import annotations

from orchestrator.load import parse
from orchestrator.topology import Topology, members


def topology(routers: int, extra: str = "") -> Topology:
    text = (
        f"name: x\nnodes:\n  r: {{role: router, count: {routers}}}\n  a: {{role: client}}\n{extra}"
    )
    return parse(text.encode(), "x")


def addresses(net: Topology) -> dict[str, str]:
    return {member.name: member.address for member in members(net)}


def test_counted_groups_are_numbered_from_one_and_single_ones_keep_their_name() -> None:
    assert list(addresses(topology(4))) == ["r-1", "r-2", "r-3", "r-4", "a"]
    one = topology(4, "  b: {role: client, count: 1}\n")
    assert list(addresses(one))[-1] == "b-1"


def test_growing_a_group_moves_nobody_else() -> None:
    small, large = addresses(topology(4)), addresses(topology(300))
    assert all(large[name] == address for name, address in small.items())
    assert len(set(large.values())) == len(large)


def test_addresses_lie_in_the_underlay_and_are_fixed() -> None:
    moved = topology(4, "").model_copy(update={"underlay": "172.20.0.0/16"})
    assert addresses(moved)["r-1"] == "172.20.0.1"
    assert addresses(moved)["a"] == "172.20.4.1"


CLEARNET = """
name: x
hops: 1
clearnet: 198.51.100.0/24
nodes:
  r: {role: router}
  www: {role: server, app: nginx}
  exit: {role: exit, count: 2}
  a: {role: client}
  dns: {role: server, app: dnsmasq}
"""


def test_servers_are_on_the_clearnet_alone_and_exits_on_both_networks() -> None:
    nodes = {node.name: node for node in members(parse(CLEARNET.encode(), "x"))}
    there = {name: (node.address, node.clearnet) for name, node in nodes.items()}
    assert there["www"] == ("198.51.100.1", "198.51.100.1")
    assert there["exit-1"] == ("10.77.8.1", "198.51.100.17")
    assert there["exit-2"] == ("10.77.8.2", "198.51.100.18")
    assert there["dns"] == ("198.51.100.33", "198.51.100.33")
    assert there["a"] == ("10.77.12.1", "")


def test_growing_a_group_of_exits_moves_no_server() -> None:
    grown = CLEARNET.replace("count: 2", "count: 15")
    small, large = (members(parse(text.encode(), "x")) for text in (CLEARNET, grown))
    before, after = ({node.name: node.clearnet for node in nodes} for nodes in (small, large))
    assert all(after[name] == address for name, address in before.items())
