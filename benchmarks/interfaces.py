"""What passed through a node's underlay interface, as its namespace counts it.

veth counts a burst that is handed over whole as one packet, so bytes and packets together say how
many datagrams travelled together.
"""

from __future__ import annotations

from dataclasses import dataclass

from benchmarks.figures import BenchmarkFailed
from benchmarks.network import Network

INTERFACE = "eth0"
DATAGRAM = 1376
"""Bytes of every datagram between nodes (docs/wire.md, section 1)."""
HEADERS = 14 + 20 + 8
"""Ethernet, IPv4 and UDP, counted once for each packet."""


@dataclass(frozen=True, slots=True)
class Received:
    """Counters since the interface was made."""

    bytes: int
    packets: int


def received(network: Network, node: str) -> Received:
    """What arrived at a node so far."""
    return read_counters(network.run(node, "cat", "/proc/net/dev"), INTERFACE)


def read_counters(text: str, interface: str) -> Received:
    """The receiving half of an interface's line in /proc/net/dev."""
    for line in text.splitlines():
        name, _, numbers = line.partition(":")
        if name.strip() == interface:
            fields = numbers.split()
            return Received(int(fields[0]), int(fields[1]))
    raise BenchmarkFailed(f"/proc/net/dev has no {interface}")


def cells_per_burst(before: Received, after: Received) -> float:
    """How many datagrams arrived together on average; 0 when nothing did."""
    packets = after.packets - before.packets
    if not packets:
        return 0.0
    return (after.bytes - before.bytes - packets * HEADERS) / DATAGRAM / packets
