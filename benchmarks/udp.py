"""UDP from alice to web over 4+4 hops: 20 Mbit/s of 1200-byte datagrams for five seconds."""

from __future__ import annotations

from benchmarks.figures import Benchmark, Figure, Reading, Readings
from benchmarks.iperf import server, transfer
from benchmarks.network import Meter, default_network

RATE = "20M"
PAYLOAD = 1200


def measure() -> Readings:
    """One stream."""
    with default_network() as network, server(network):
        meter = Meter(network)
        found = transfer(network, "--udp", "--bitrate", RATE, "--length", str(PAYLOAD))
        cpu_s = meter.read()
    return {
        "loss": Reading(found.lost_percent, cpu_s),
        "rate": Reading(found.mbit_per_s, cpu_s),
    }


BENCHMARK = Benchmark(
    name="udp",
    summary="20 Mbit/s of 1200-byte UDP over 4+4 hops",
    figures=(
        Figure("loss", "20 Mbit/s, 1200-byte datagrams: lost", "%", "0", "< 1 at 8 Mbit/s"),
        Figure("rate", "… received", "Mbit/s", "20", "8"),
    ),
    measure=measure,
    programs=("nginx", "curl", "iperf3"),
)
