"""What every node of a network says of itself at one time, and what routers are called."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from orchestrator.control import Ways, full_status
from orchestrator.errors import CheckFailed
from orchestrator.ops import NODE_PROCESS, Observed, ObservedNode

__all__ = ["Census", "OwnedPath", "paths_of", "service_of", "take_census"]

WORKERS = 16
"""Nodes that are asked at a time: a silent one takes two seconds, and holds up one of these."""
SHOWN_OF_A_STRANGER = 8

Status = Mapping[str, Any]
NOBODY: Mapping[str, str] = {}


@dataclass(frozen=True, slots=True)
class OwnedPath:
    """A path as its owner shows it, hops by name."""

    hops: tuple[str, ...]
    is_ready: bool
    status: str
    purpose: str
    expires_ms: int
    """Milliseconds since the epoch."""
    rtt_ms: float | None
    cells_in: int
    cells_out: int


@dataclass(frozen=True, slots=True)
class Census:
    """Everybody, as seen by the world and as told by themselves."""

    observed: Observed
    statuses: Mapping[str, Status]
    """By node; without those that did not answer."""
    errors: Mapping[str, str]
    """Why there is no status, by node."""
    names: Mapping[str, str]
    """Node by `.snode` or `.loki` address."""
    underlay: Mapping[str, str]
    """Node by underlay address."""

    def called(self, address: str) -> str:
        """A node's name by its address; of a stranger the beginning of the address."""
        return self.names.get(address) or f"{address[:SHOWN_OF_A_STRANGER]}…"

    def role(self, node: str) -> str:
        """Router, client, service, chain, exit, server."""
        return self.observed.nodes[node].labels.get("role", "")


def take_census(ways: Ways, observed: Observed, known: Mapping[str, str] = NOBODY) -> Census:
    """Ask everybody at the same time.

    Args:
        ways: to them.
        observed: who there is.
        known: names of an earlier census, so that the dead keep theirs.
    """
    statuses: dict[str, Status] = {}
    errors: dict[str, str] = {}
    with ThreadPoolExecutor(max_workers=WORKERS) as pool:
        asked = {name: pool.submit(_ask, ways, name, node) for name, node in observed.nodes.items()}
        for name, future in asked.items():
            try:
                statuses[name] = future.result()
            except CheckFailed as error:
                errors[name] = str(error)
    underlay = {node.address: name for name, node in observed.nodes.items()}
    names = {**known, **_heard_of(statuses.values(), underlay)}
    names |= {
        str(status["lokiAddress"]): name
        for name, status in statuses.items()
        if status.get("lokiAddress")
    }
    return Census(observed, statuses, errors, names, underlay)


def _heard_of(statuses: Iterable[Status], underlay: Mapping[str, str]) -> dict[str, str]:
    """Routers as others show them, with where they are: of those that do not answer themselves."""
    shown = [
        (each.get("router"), each.get("ip") or str(each.get("address", "")).partition(":")[0])
        for status in statuses
        for each in [
            *(status.get("links") or []),
            *(
                hop
                for path in service_of(status).get("paths") or []
                for hop in path.get("hops") or []
            ),
        ]
    ]
    return {
        # a client's link bears no lasting name: null, which is nobody's
        str(router): underlay[where]
        for router, where in shown
        if router is not None and where in underlay
    }


def _ask(ways: Ways, called: str, node: ObservedNode) -> Status:
    """A server of the clearnet has nothing to say, but runs or not."""
    if node.labels.get("role") == "server":
        for name, program in node.processes.items():
            if program.exit_code is not None:
                raise CheckFailed(f"{name} ended with {program.exit_code}")
        return {}
    process = node.processes.get(NODE_PROCESS)
    if process is not None and process.exit_code is not None:
        raise CheckFailed(f"{NODE_PROCESS} ended with {process.exit_code}")
    return full_status(ways, called, node.labels["control"])


def service_of(status: Status) -> Status:
    """The one endpoint of a client or service; empty where there is none."""
    services = status.get("services") or {}
    endpoint: Status = services.get("default") or {}
    return endpoint


def paths_of(census: Census, node: str) -> list[OwnedPath]:
    """The paths a node owns, in the order it shows them."""
    shown = service_of(census.statuses.get(node, {})).get("paths") or []
    return [
        OwnedPath(
            tuple(census.called(str(hop.get("router"))) for hop in path.get("hops") or []),
            bool(path.get("ready")),
            str(path.get("status", "")),
            str(path.get("purpose", "")),
            int(path.get("expiresAt") or 0),
            path.get("rtt_ms"),
            int(path.get("cells_in") or 0),
            int(path.get("cells_out") or 0),
        )
        for path in shown
    ]
