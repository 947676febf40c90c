"""How long it takes from nothing to a page: `testnet up` on the default topology.

From the first node's start to the page: from the instant the kernel made the first Lokinet process
until the instant `testnet up` had printed that curl got 200, so a little more than it says itself.
All of `up`: from starting the command to its end, keys, namespaces and Python's imports included.
"""

from __future__ import annotations

import time

from benchmarks.figures import Benchmark, BenchmarkFailed, Figure, Reading, Readings
from benchmarks.network import scratch_network
from benchmarks.processes import cpu_seconds, since_boot, started_at


def measure() -> Readings:
    """One start."""
    with scratch_network() as network:
        began = time.monotonic()
        network.up()
        seconds, ended = time.monotonic() - began, since_boot()
        page = network.report["page"]
        if page["status"] != 200:
            raise BenchmarkFailed(f"{page['url']} answered {page['status']}")
        pids = list(network.node_pids().values())
        cpu_s = cpu_seconds(pids)
        first_node = ended - min(started_at(pid) for pid in pids)
    return {
        "page": Reading(first_node, cpu_s),
        "up": Reading(seconds),
        "curl": Reading(page["seconds"] * 1000),
    }


BENCHMARK = Benchmark(
    name="startup",
    summary="from nothing to a page over .loki",
    figures=(
        Figure("page", "first node started → curl's 200", "s", "≤ 3", "5.9"),
        Figure("up", "all of `testnet up`", "s"),
        Figure("curl", "of it: curl, first request", "ms"),
    ),
    measure=measure,
    programs=("nginx", "curl"),
)
