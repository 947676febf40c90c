"""Which relays carry a direction of traffic, as the two ends' own status names them.

Each end knows its own half only: `remoteSessions[].route` is where it sends, `paths` are its own.
The two halves share the pivot.
"""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from tests.integration.network.real import Network

Service = dict[str, Any]
"""`services.default` of a node's `llarp.status`."""


@dataclass(frozen=True, slots=True)
class Way:
    """One direction's relays by name, the pivot last in the one half and first in the other."""

    sender: str
    sender_half: tuple[str, ...]
    receiver_half: tuple[str, ...]
    receiver: str

    @property
    def relays(self) -> tuple[str, ...]:
        """From the sender to the receiver; one that is in both halves twice, the pivot once."""
        return self.sender_half + self.receiver_half[1:]

    @property
    def edges(self) -> frozenset[tuple[str, str]]:
        """Who hands the traffic to whom."""
        stations = (self.sender, *self.relays, self.receiver)
        return frozenset(pairwise(stations))


def service_of(network: Network, node: str) -> Service:
    """What a client or service says of itself now."""
    found: Service = network.inspect(node)["status"]["services"]["default"]
    return found


def way(
    network: Network, sender: str, receiver: str, before: Mapping[str, Service]
) -> tuple[Way, dict[str, Service]]:
    """The way traffic between two nodes takes now, and the statuses it was read from.

    Args:
        network: a network in which `sender` sends to `receiver` right now.
        sender: one end.
        receiver: the other.
        before: statuses of both from before the traffic: what grew since then is in use.
    """
    ends = (sender, receiver)
    with ThreadPoolExecutor(2) as pool:  # at once: the traffic does not wait
        after = dict(zip(ends, pool.map(lambda end: service_of(network, end), ends), strict=True))
    hops = _sending_route(after[sender], network.addresses[receiver])
    half = _busiest_half(before[receiver], after[receiver], hops[-1])
    names = network.names()
    found = Way(
        sender, tuple(names[hop] for hop in hops), tuple(names[hop] for hop in half), receiver
    )
    return found, after


def _sending_route(service: Service, remote: str) -> list[str]:
    sessions = {session["remote"]: session for session in service["remoteSessions"]}
    route: list[str] = sessions[remote]["route"]
    assert route, f"no way to {remote}"
    return route


def _busiest_half(before: Service, after: Service, pivot: str) -> tuple[str, ...]:
    """Of the receiver's paths that end at the pivot the one that received most; pivot first."""
    received = {_hops(path): path["cells_in"] for path in before["paths"]}
    grown = {
        _hops(path): path["cells_in"] - received.get(_hops(path), 0)
        for path in after["paths"]
        if path["ready"] and _hops(path)[-1] == pivot
    }
    assert grown, f"the receiver has no path to the sender's pivot {pivot}"
    busiest = max(grown, key=lambda hops: grown[hops])
    return busiest[::-1]


def _hops(path: Mapping[str, Any]) -> tuple[str, ...]:
    return tuple(hop["router"] for hop in path["hops"])
