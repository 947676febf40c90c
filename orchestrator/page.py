"""The proof at the end of `up`: a client's stock `curl` gets the service's page, and which way.

The hops are read from the two ends' own status, as nobody else knows them: the client's half and
the service's half meet at the pivot, so the route is the client's hops followed by the service's,
backwards.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from orchestrator.backends import Backend, captured
from orchestrator.errors import CheckFailed
from orchestrator.readiness.layers import ready_paths, service_of

__all__ = ["Page", "Route", "fetch", "route_between"]

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
class Route:
    """The routers between a client and a service; the pivot is in both halves."""

    client_hops: tuple[str, ...]
    """From the client to the pivot."""
    service_hops: tuple[str, ...]
    """From the pivot to the service."""


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


def route_between(
    client: Mapping[str, Any], service: Mapping[str, Any], names: Mapping[str, str]
) -> Route | None:
    """The busiest pair of halves that share a pivot; None if the two ends show no such pair.

    Args:
        client: the client's `llarp.status`.
        service: the service's.
        names: what to call a router, by `<52>.snode` or bare key.
    """
    service_by_pivot = {hops[-1]: hops for _, hops in reversed(_by_use(_paths(service)))}
    identity = str(service_of(service).get("identity", ""))
    for _, hops in _by_use(_session_paths(client, identity) or _paths(client)):
        other = service_by_pivot.get(hops[-1])
        if other is not None:
            ours = tuple(_name(hop, names) for hop in hops)
            theirs = tuple(_name(hop, names) for hop in reversed(other))
            return Route(ours, theirs)
    return None


def _paths(status: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """Every ready path of an endpoint, those its sessions built for themselves included."""
    endpoint = service_of(status)
    found = list(ready_paths(status))
    for session in endpoint.get("remoteSessions") or []:
        found += _listed(session)
    return found


def _session_paths(status: Mapping[str, Any], remote: str) -> list[Mapping[str, Any]]:
    """The ready paths of the session with one remote, where the status lists them there."""
    for session in service_of(status).get("remoteSessions") or []:
        if str(session.get("remote", "")).removesuffix(".loki") == remote.removesuffix(".loki"):
            return _listed(session)
    return []


def _listed(session: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    paths = session.get("paths")
    if not isinstance(paths, list):
        return []
    return [path for path in paths if isinstance(path, dict) and path.get("ready", True)]


def _by_use(paths: Sequence[Mapping[str, Any]]) -> list[tuple[int, list[str]]]:
    """(cells carried, routers from the owner outwards), busiest first."""
    found = []
    for path in paths:
        hops = [str(hop.get("router", "")) for hop in path.get("hops") or []]
        if hops:
            used = int(path.get("cells_in") or 0) + int(path.get("cells_out") or 0)
            found.append((used, hops))
    return sorted(found, key=lambda entry: -entry[0])


def _name(router: str, names: Mapping[str, str]) -> str:
    bare = router.removesuffix(".snode")
    return names.get(router) or names.get(f"{bare}.snode") or names.get(bare) or f"{bare[:8]}…"
