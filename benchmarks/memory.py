"""Memory of a router: proportional set size, so a page that several share counts once."""

from __future__ import annotations

import statistics

from benchmarks.figures import Benchmark, Figure, Reading, Readings
from benchmarks.network import NODE_PROGRAM, default_network
from benchmarks.processes import pss_mib


def measure() -> Readings:
    """All nodes of one network, with its paths built and one page fetched."""
    with default_network() as network:
        nodes = [one for one in network.programs() if one.name == NODE_PROGRAM]
        sizes = {one.node: pss_mib(one.pid) for one in nodes}
        routers = [sizes[one.node] for one in nodes if one.role == "router"]
        clients = [sizes[one.node] for one in nodes if one.role != "router"]
    return {
        "router": Reading(statistics.median(routers)),
        "client": Reading(statistics.median(clients)),
        "all": Reading(sum(sizes.values())),
    }


BENCHMARK = Benchmark(
    name="memory",
    summary="PSS per node",
    figures=(
        Figure("router", "PSS of a router, median of all", "MiB", "", "6"),
        Figure("client", "PSS of a client or service", "MiB"),
        Figure("all", "all nodes of the default network", "MiB"),
    ),
    measure=measure,
    programs=("nginx", "curl"),
)
