"""Which relays carry the download, from what both ends count."""

from __future__ import annotations

from typing import Any

import pytest

from benchmarks.failover import BENCHMARK, FAULTS
from benchmarks.figures import BenchmarkFailed
from benchmarks.route import POSITIONS, Counters, Route, counters, route_between

ROUTE = Route(tuple("abcp"), tuple("xyzp"))


def status(*paths: tuple[str, int, int]) -> dict[str, Any]:
    rows = [
        {
            "ready": True,
            "cells_in": came,
            "cells_out": left,
            "hops": [{"router": hop, "ip": "10.0.0.1"} for hop in hops],
        }
        for hops, came, left in paths
    ]
    return {"paths": [*rows, {"ready": False, "cells_in": 99, "cells_out": 99, "hops": []}]}


def found(client: list[tuple[str, int]], service: list[tuple[str, int]], before: int = 0) -> Route:
    """What comes of growth since `before` cells on each path."""

    def looks(paths: list[tuple[str, int]]) -> tuple[Counters, Counters]:
        first = {tuple(hops): before for hops, _ in paths}
        return first, {tuple(hops): before + cells for hops, cells in paths}

    return route_between(looks(client), looks(service))


def test_counters_are_of_ready_paths_and_of_one_direction() -> None:
    service = status(("abcd", 3, 5), ("abce", 7, 0), ("abcd", 1, 1))
    assert counters(service, "cells_in") == {tuple("abcd"): 4, tuple("abce"): 7}
    assert counters(service, "cells_out") == {tuple("abcd"): 6, tuple("abce"): 0}


@pytest.mark.parametrize("before", [0, 10_000])
def test_the_halves_that_grew_and_share_a_pivot_are_the_route(before: int) -> None:
    alice = [("abcp", 900), ("cbap", 3), ("defq", 5000)]  # the last one: somebody else's page
    web = [("xyzp", 1000), ("zyxq", 2)]
    assert found(alice, web, before) == ROUTE


def test_a_path_that_is_new_counts_from_zero() -> None:
    assert route_between(({}, {tuple("abcp"): 5}), ({}, {tuple("xyzp"): 5})) == ROUTE


@pytest.mark.parametrize(
    ("alice", "web"),
    [
        ([], []),
        ([("abcp", 0)], [("xyzp", 0)]),
        ([("abcq", 10)], [("xyzp", 10)]),
        ([("abcp", 0)], [("xyzp", 10)]),
    ],
)
def test_no_common_route_fails_the_benchmark(
    alice: list[tuple[str, int]], web: list[tuple[str, int]]
) -> None:
    with pytest.raises(BenchmarkFailed, match="carries the download"):
        found(alice, web)


def test_a_route_of_another_length_fails_the_benchmark() -> None:
    with pytest.raises(BenchmarkFailed, match=r"3\+4 hops"):
        found([("abp", 10)], [("xyzp", 10)])


def test_every_position_from_alice_to_web_is_in_turn() -> None:
    assert [position.router(ROUTE) for position in POSITIONS] == list("abcpzyx")


def test_each_fault_has_its_two_figures() -> None:
    keys = {figure.key for figure in BENCHMARK.figures}
    wanted = {f"{fault.key}-{flow}" for fault in FAULTS for flow in ("download", "stream")}
    assert keys == wanted | {"calm-download", "calm-stream"}
    assert len(FAULTS) == len(POSITIONS) + 1
