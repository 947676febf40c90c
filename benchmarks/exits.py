"""TCP from alice through an exit to a server of the clearnet: rate, and CPU time for each gigabyte.

The shipped topology `exit`, as it is (2+2 hops) and with 4+4: iperf3 on the web server's node, one
connection, five seconds each way, cubic. CPU-seconds are those of all Lokinet processes; what the
exit's kernel does to forward and translate is in its node's or in nobody's account.
"""

from __future__ import annotations

import time

from benchmarks.figures import Benchmark, BenchmarkFailed, Figure, Reading, Readings
from benchmarks.iperf import Transfer, server, transfer
from benchmarks.network import ROOT, Meter, Network, scratch_network

TOPOLOGY = ROOT / "topologies/exit.yaml"
HOPS = (2, 4)
HOPS_LINE = "hops: 2\n"
SERVER = "www"
GIGABYTE = 1e9
CUBIC = ("--congestion", "cubic")
REACHED_WITHIN_S = 60
LOOK_EVERY_S = 0.5


def measure() -> Readings:
    """A network for each number of hops."""
    readings: dict[str, Reading] = {}
    for hops in HOPS:
        with scratch_network() as network:
            network.up(str(_topology(network, hops)))
            address = network.clearnet_address(SERVER)
            _wait_until_reached(network, address)
            with server(network, SERVER):
                for way, options in (("up", CUBIC), ("down", (*CUBIC, "--reverse"))):
                    found, cpu_s = _transfer(network, address, *options)
                    rate, cost = found.mbit_per_s, cpu_s / (found.bytes / GIGABYTE)
                    readings[f"{way}-{hops}"] = Reading(rate, cpu_s)
                    readings[f"{way}-cost-{hops}"] = Reading(cost, cpu_s)
    return readings


def _topology(network: Network, hops: int) -> str:
    text = TOPOLOGY.read_text(encoding="utf-8")
    if HOPS_LINE not in text:
        raise BenchmarkFailed(f"{TOPOLOGY} has no line {HOPS_LINE.strip()!r} to change")
    file = network.directory / f"exit-{hops}.yaml"
    file.write_text(text.replace(HOPS_LINE, f"hops: {hops}\n"), encoding="utf-8")
    return str(file)


def _wait_until_reached(network: Network, address: str) -> None:
    """Until a page comes: the exit's name is bought after the client's start."""
    deadline = time.monotonic() + REACHED_WITHIN_S
    page = ("curl", "-sS", "-o", "/dev/null", "-m", "5", f"http://{address}/")
    while True:
        try:
            network.run("alice", *page)
        except BenchmarkFailed as error:
            if time.monotonic() > deadline:
                raise BenchmarkFailed(f"{SERVER} is not reached: {error}") from None
            time.sleep(LOOK_EVERY_S)
        else:
            return


def _transfer(network: Network, address: str, *options: str) -> tuple[Transfer, float]:
    meter = Meter(network)
    found = transfer(network, *options, address=address)
    return found, meter.read()


BENCHMARK = Benchmark(
    name="exit",
    summary="TCP through an exit, both directions",
    figures=(
        Figure("up-2", "alice → server through an exit, 2+2 hops", "Mbit/s", "≥ 150"),
        Figure("up-cost-2", "… CPU of all nodes", "CPU-s/GB"),
        Figure("down-2", "server → alice, 2+2 hops", "Mbit/s", "≥ 150"),
        Figure("down-cost-2", "… CPU of all nodes", "CPU-s/GB"),
        Figure("up-4", "alice → server through an exit, 4+4 hops", "Mbit/s", "≥ 150", "6.6"),
        Figure("up-cost-4", "… CPU of all nodes", "CPU-s/GB"),
        Figure("down-4", "server → alice, 4+4 hops", "Mbit/s", "≥ 150", "6.6"),
        Figure("down-cost-4", "… CPU of all nodes", "CPU-s/GB"),
    ),
    measure=measure,
    programs=("nginx", "curl", "iperf3", "nft", "dnsmasq", "aiosmtpd"),
)
