"""Fifty routers: how long until a page, what it costs, and how quick the command is beside them.

CPU-seconds are those of all nodes until then, start and first handshakes included. A network is
converged when every node knows every router; `up` needs less: links, paths, and a page.
The second `up` finds nothing to change; `ps` lists 53 programs; both are started as a user would,
so that Python's own start is in them, and when what a start leaves to do is over: fifty routers
that still meet each other take both cores of a small machine for some seconds.
"""

from __future__ import annotations

import time

from benchmarks.figures import Benchmark, BenchmarkFailed, Figure, Reading, Readings
from benchmarks.idle import SETTLE_S
from benchmarks.network import Network, scratch_network
from benchmarks.processes import cpu_seconds

TOPOLOGY = "fifty"
ROUTERS = 50
CONVERGED_WITHIN_S = 120
LOOK_EVERY_S = 0.5
"""Looking costs what is looked at: a question to each of 52 nodes."""


def measure() -> Readings:
    """One start, one look, one start more."""
    with scratch_network() as network:
        began = time.monotonic()
        network.up(TOPOLOGY)
        seconds = time.monotonic() - began
        pids = list(network.node_pids().values())
        cpu_s = cpu_seconds(pids)
        _wait_until_converged(network)
        converged, converged_cpu_s = time.monotonic() - began, cpu_seconds(pids)
        if len(pids) != ROUTERS + 2:
            raise BenchmarkFailed(f"{len(pids)} nodes instead of {ROUTERS + 2}")
        time.sleep(SETTLE_S)
        began = time.monotonic()
        network.programs()
        looked = time.monotonic() - began
        began = time.monotonic()
        network.up(TOPOLOGY)
        again = time.monotonic() - began
        if network.report["changes"]:
            raise BenchmarkFailed(f"the second up made {network.report['changes']} changes")
        began = time.monotonic()
        network.down()
        removed = time.monotonic() - began
    return {
        "up": Reading(seconds, cpu_s),
        "converged": Reading(converged, converged_cpu_s),
        "again": Reading(again),
        "ps": Reading(looked),
        "down": Reading(removed),
    }


def _wait_until_converged(network: Network) -> None:
    """Look until nobody is missing anybody; BenchmarkFailed."""
    deadline = time.monotonic() + CONVERGED_WITHIN_S
    while any((known or 0) < ROUTERS for known in network.routers_known().values()):
        if time.monotonic() > deadline:
            raise BenchmarkFailed(f"not converged: {network.routers_known()}")
        time.sleep(LOOK_EVERY_S)


BENCHMARK = Benchmark(
    name="fifty",
    summary="fifty routers: up, looked at, up again, down",
    figures=(
        Figure("up", "`up` of 50 routers, until a page", "s"),
        Figure("converged", "until every node knows every router", "s"),
        Figure("again", "second `up`, nothing to change", "s", "≤ 1"),
        Figure("ps", "`ps`", "s", "≤ 0.5"),
        Figure("down", "`down`, and looking for leftovers", "s"),
    ),
    measure=measure,
    programs=("nginx", "curl"),
)
