"""Round trips from alice to web over 4+4 hops when nothing else is sent: 100 pings, 20 a second."""

from __future__ import annotations

import re

from benchmarks.figures import Benchmark, BenchmarkFailed, Figure, Reading, Readings, percentile
from benchmarks.network import Meter, default_network

COUNT = 100
WARM = 5
INTERVAL = "0.05"


def measure() -> Readings:
    """One series of pings, after a few that do not count."""
    with default_network() as network:
        address = network.report["page"]["address"]
        ping = ("ping", "-n", "-i", INTERVAL)
        network.run("alice", *ping, "-c", str(WARM), address)
        meter = Meter(network)
        times = read_times(network.run("alice", *ping, "-c", str(COUNT), address))
        cpu_s = meter.read()
    return {
        "p50": Reading(percentile(times, 0.5), cpu_s),
        "p95": Reading(percentile(times, 0.95), cpu_s),
        "lost": Reading(100 * (COUNT - len(times)) / COUNT),
    }


def read_times(text: str) -> list[float]:
    """Round trips in milliseconds from what ping printed; a repeated answer counts once."""
    times: dict[int, float] = {}
    for number, value in re.findall(r"icmp_seq=(\d+) .*?time=([\d.]+) ms", text):
        times.setdefault(int(number), float(value))
    if not times:
        raise BenchmarkFailed("ping: no answer")
    return list(times.values())


BENCHMARK = Benchmark(
    name="rtt",
    summary="idle round trip over 4+4 hops",
    figures=(
        Figure("p50", "idle round trip, 4+4 hops: p50", "ms", "≤ 3", "5.6"),
        Figure("p95", "… p95", "ms"),
        Figure("lost", "… lost", "%", "0"),
    ),
    measure=measure,
    programs=("nginx", "curl", "ping"),
)
