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
