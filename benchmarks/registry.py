"""Every benchmark, in the order in which all of them run: quick ones first."""

from __future__ import annotations

from benchmarks import (
    docker,
    ends,
    exits,
    failover,
    fifty,
    idle,
    memory,
    relay,
    rtt,
    startup,
    tcp,
    udp,
    voip,
    web,
)
from benchmarks.figures import Benchmark

BENCHMARKS: tuple[Benchmark, ...] = (
    relay.BENCHMARK,
    ends.BENCHMARK,
    startup.BENCHMARK,
    rtt.BENCHMARK,
    tcp.BENCHMARK,
    exits.BENCHMARK,
    udp.BENCHMARK,
    memory.BENCHMARK,
    idle.BENCHMARK,
    fifty.BENCHMARK,
    voip.BENCHMARK,
    web.BENCHMARK,
    docker.BENCHMARK,
    failover.BENCHMARK,
)
