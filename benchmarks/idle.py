"""What a default network costs while nobody uses it: CPU-seconds a minute, for each node."""

from __future__ import annotations

import statistics
import time

from benchmarks.figures import Benchmark, Figure, Reading, Readings
from benchmarks.network import NODE_PROGRAM, Network, default_network
from benchmarks.processes import cpu_seconds

SETTLE_S = 10
"""What a start leaves to do (spare paths, publications) is over by then."""
WATCH_S = 30


def measure() -> Readings:
    """One network, left alone."""
    with default_network() as network:
        time.sleep(SETTLE_S)
        routers, clients = _pids(network, is_router=True), _pids(network, is_router=False)
        before = {pid: cpu_seconds([pid]) for pid in routers + clients}
        began = time.monotonic()
        time.sleep(WATCH_S)
        per_minute = 60 / (time.monotonic() - began)
        spent = {pid: (cpu_seconds([pid]) - before[pid]) * per_minute for pid in before}
    total = sum(spent.values())
    return {
        "node": Reading(total / len(spent), total / per_minute),
        "router": Reading(statistics.mean(spent[pid] for pid in routers)),
        "client": Reading(statistics.mean(spent[pid] for pid in clients)),
    }


def _pids(network: Network, *, is_router: bool) -> list[int]:
    return [
        one.pid
        for one in network.programs()
        if one.name == NODE_PROGRAM and (one.role == "router") == is_router
    ]


BENCHMARK = Benchmark(
    name="idle",
    summary="CPU time of an idle default network",
    figures=(
        Figure("node", "idle default network, mean of its nodes", "CPU-s/min"),
        Figure("router", "… a router", "CPU-s/min"),
        Figure("client", "… a client or service", "CPU-s/min"),
    ),
    measure=measure,
    programs=("nginx", "curl"),
)
