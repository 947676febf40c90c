"""The proof at the end of `up`: a client's stock `curl` gets the service's page, and which way.

The hops are read from the two ends' own status, as nobody else knows them. Each direction has its
own way: an end sends over its own path to a pivot, which is the last hop of a path of the other.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from orchestrator.backends import Backend, captured
from orchestrator.errors import CheckFailed
from orchestrator.readiness.layers import ready_paths, service_of

__all__ = ["Page", "Way", "fetch", "way_between"]

CURL_TIMEOUT_S = 20
WRITE_OUT = "%{http_code} %{size_download} %{time_total} %{remote_ip}"


@dataclass(frozen=True, slots=True)
class Page:
    """What curl reported."""

    url: str
    status: int
    size: int
    seconds: float
    address: str
    """The tun address the name was mapped to."""


@dataclass(frozen=True, slots=True)
class Way:
    """The routers between two ends in one direction; the pivot is in both halves."""

    sender_hops: tuple[str, ...]
    """From the sender to the pivot: the sender's own path."""
    receiver_hops: tuple[str, ...]
    """From the pivot to the receiver: the receiver's own path, backwards."""


def fetch(backend: Backend, client: str, url: str) -> Page:
    """Fetch a page from inside the client's namespace; raises CheckFailed."""
    argv = ["curl", "-sS", "-o", "/dev/null", "-w", WRITE_OUT, "-m", str(CURL_TIMEOUT_S), url]
    try:
        result = captured(backend, client, argv, CURL_TIMEOUT_S + 5)
    except TimeoutError as error:
        raise CheckFailed(f"{client}: curl {url} did not end") from error
    if result.code != 0:
        raise CheckFailed(f"{client}: curl {url}: {result.err.strip() or result.code}")
    status, size, seconds, address = result.out.split(" ")
    return Page(url, int(status), int(size), float(seconds), address)


def way_between(
    sender: Mapping[str, Any], receiver: Mapping[str, Any], names: Mapping[str, str]
) -> Way | None:
    """The way of packets by what both ends show now; None if they show no pair that shares a pivot.

    Args:
        sender: `llarp.status` of the end whose packets are followed.
        receiver: that of the other.
        names: what to call a router, by `<52>.snode`.
    """
    identity = str(service_of(receiver).get("identity", ""))
    ours = _session_route(sender, identity)
    if not ours:
        return None
    theirs = [path for path in ready_paths(receiver) if _hops(path)[-1:] == ours[-1:]]
    if not theirs:
        return None
    busiest = max(theirs, key=lambda path: int(path.get("cells_in") or 0))
    return Way(
        tuple(_name(hop, names) for hop in ours),
        tuple(_name(hop, names) for hop in reversed(_hops(busiest))),
    )


def _session_route(status: Mapping[str, Any], remote: str) -> list[str]:
    """The hops a session sends over; empty where there is no such session."""
    for session in service_of(status).get("remoteSessions") or []:
        if session.get("remote") == remote:
            return [str(hop) for hop in session.get("route") or []]
    return []


def _hops(path: Mapping[str, Any]) -> list[str]:
    return [str(hop.get("router")) for hop in path.get("hops") or []]


def _name(router: str, names: Mapping[str, str]) -> str:
    return names.get(router) or f"{router[:8]}…"
