"""TCP between alice and web over 4+4 hops: rate, and CPU time for each gigabyte.

iperf3, one connection, five seconds each way. Rates are of payload that arrived. CPU-seconds are
those of all Lokinet processes of the network, relays and ends; iperf3's own are not in it. Cells
per burst are counted on the interface of the busiest router while web sends.

Congestion control is the application's: both ways run with cubic, the kernel's own default, so that
machines compare, and once more with whatever this machine prefers. BBR keeps queues short, so its
bursts wake every relay one by one.
"""

from __future__ import annotations

from benchmarks.figures import Benchmark, Figure, Reading, Readings
from benchmarks.interfaces import Received, cells_per_burst, received
from benchmarks.iperf import Transfer, server, transfer
from benchmarks.network import Meter, Network, default_network

GIGABYTE = 1e9
CUBIC = ("--congestion", "cubic")


def measure() -> Readings:
    """Both directions, one after the other."""
    with default_network() as network, server(network):
        up, up_cpu_s = _transfer(network, *CUBIC)
        before = _counters(network)
        down, down_cpu_s = _transfer(network, *CUBIC, "--reverse")
        bursts = busiest_burst(before, _counters(network))
        own, own_cpu_s = _transfer(network)
    return {
        "up": Reading(up.mbit_per_s, up_cpu_s),
        "up-cost": Reading(up_cpu_s / (up.bytes / GIGABYTE), up_cpu_s),
        "down": Reading(down.mbit_per_s, down_cpu_s),
        "down-cost": Reading(down_cpu_s / (down.bytes / GIGABYTE), down_cpu_s),
        "burst": Reading(bursts),
        "own": Reading(own.mbit_per_s, own_cpu_s),
    }


def _transfer(network: Network, *options: str) -> tuple[Transfer, float]:
    meter = Meter(network)
    found = transfer(network, *options)
    return found, meter.read()


def _counters(network: Network) -> dict[str, Received]:
    routers = [one.node for one in network.programs() if one.role == "router"]
    return {node: received(network, node) for node in routers}


def busiest_burst(before: dict[str, Received], after: dict[str, Received]) -> float:
    """Cells per burst at the router that received most bytes in between."""
    busiest = max(before, key=lambda node: after[node].bytes - before[node].bytes)
    return cells_per_burst(before[busiest], after[busiest])


BENCHMARK = Benchmark(
    name="tcp",
    summary="TCP over 4+4 hops, both directions",
    figures=(
        Figure("up", "alice → web, 4+4 hops", "Mbit/s", "≥ 200", "7.2"),
        Figure("up-cost", "… CPU of all nodes", "CPU-s/GB", "", "1700"),
        Figure("down", "web → alice, 4+4 hops", "Mbit/s", "≥ 200", "7.2"),
        Figure("down-cost", "… CPU of all nodes", "CPU-s/GB", "", "1700"),
        Figure("burst", "… cells per burst into the busiest relay", "cells"),
        Figure("own", "alice → web, the machine's own TCP", "Mbit/s"),
    ),
    measure=measure,
    programs=("nginx", "curl", "iperf3"),
)
