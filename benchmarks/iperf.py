"""iperf3 between alice and web or another node, and what its reports say."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from benchmarks.figures import BenchmarkFailed
from benchmarks.network import Network, wait_for_line

PORT = 5201
SECONDS = 5


@dataclass(frozen=True, slots=True)
class Transfer:
    """What arrived at the receiving end."""

    bytes: int
    seconds: float
    lost_percent: float
    """Of datagrams; 0 for TCP."""

    @property
    def mbit_per_s(self) -> float:
        """Payload, without any header."""
        return self.bytes * 8 / 1e6 / self.seconds


@contextmanager
def server(network: Network, node: str = "web") -> Iterator[None]:
    """An iperf3 server on a node, listening."""
    command = ("iperf3", "--server", "--port", str(PORT), "--forceflush")
    with network.running(node, *command) as output:
        wait_for_line(output, "listening")
        yield


def transfer(network: Network, *options: str, address: str = "") -> Transfer:
    """One transfer of SECONDS from alice's side to the server, which runs; it is on web, or there.

    BenchmarkFailed.
    """
    address = address or network.web_address
    base = ("iperf3", "--client", address, "--port", str(PORT), "--json")
    output = network.run("alice", *base, "--time", str(SECONDS), *options, limit=6 * SECONDS)
    return read_report(output)


def read_report(text: str) -> Transfer:
    """What `iperf3 --json` printed at the client; BenchmarkFailed if that is no whole report."""
    try:
        report: dict[str, Any] = json.loads(text)
        if "error" in report:
            raise BenchmarkFailed(f"iperf3: {report['error']}")
        end = report["end"]
        # Old versions say of UDP only in `sum` what arrived; newer ones in `sum_received` too.
        received = end.get("sum_received") or end["sum"]
        lost = received.get("lost_percent", end.get("sum", {}).get("lost_percent", 0.0))
        found = Transfer(int(received["bytes"]), float(received["seconds"]), float(lost))
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise BenchmarkFailed(f"iperf3's report cannot be read: {error!r}") from None
    if not found.bytes or not found.seconds:
        raise BenchmarkFailed("iperf3: nothing arrived")
    return found
