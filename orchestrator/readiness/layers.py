"""The layers of readiness, and what a node's own status says about them. Pure.

A `Judgement` is the layer that is not reached yet and why; None means there is nothing left to wait
for. Some parts of a status may be absent on routers and before a start is complete: absent reads as
not yet.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum
from typing import Any

from orchestrator.ops import Role
from orchestrator.registry import Registry, hash_of

__all__ = ["GOALS", "LAST_OF_ROLE", "Judgement", "Layer", "judge", "ready_paths", "service_of"]


class Layer(IntEnum):
    """In the order in which they are reached."""

    PROCESS = 1
    SOCKET = 2
    CHAIN = 3
    LINKS = 4
    PATHS = 5
    INTROSET = 6
    NAME = 7
    PORT = 8

    @property
    def title(self) -> str:
        """As printed."""
        return TITLES[self]


TITLES = {
    Layer.PROCESS: "process",
    Layer.SOCKET: "control socket",
    Layer.CHAIN: "chain",
    Layer.LINKS: "links",
    Layer.PATHS: "paths",
    Layer.INTROSET: "introset published",
    Layer.NAME: "name resolves",
    Layer.PORT: "port answers",
}

GOALS: Mapping[str, Layer] = {
    "nodes": Layer.SOCKET,
    "links": Layer.LINKS,
    "paths": Layer.PATHS,
    "names": Layer.NAME,
    "services": Layer.PORT,
    "all": max(Layer),
}
"""What may be waited for: every layer up to this one. After `all`, `up` fetches a page as well."""

LAST_OF_ROLE: Mapping[Role, Layer] = {
    "chain": Layer.CHAIN,
    "router": Layer.LINKS,
    "client": Layer.PATHS,
    "service": Layer.INTROSET,
    "exit": Layer.INTROSET,
    "server": Layer.PROCESS,
}
"""What a node can reach by itself; names and ports take two."""


@dataclass(frozen=True, slots=True)
class Judgement:
    """The layer that is missing, and what was seen of it."""

    layer: Layer
    seen: str


def judge(
    role: Role, status: Mapping[str, Any], registry: Registry | None = None
) -> Judgement | None:
    """What the merged `llarp.get_status` and `llarp.status` of a node lack.

    Args:
        role: the node's.
        status: what it says.
        registry: what the network's chain should hold, where that is known.
    """
    return _judge_chain(status, registry) if role == "chain" else _judge_node(role, status)


def _judge_node(role: Role, status: Mapping[str, Any]) -> Judgement | None:
    links = int(status.get("numPeersConnected", 0))
    if links < 1:
        return Judgement(Layer.LINKS, "no link yet")
    if role == "router":
        return None if status.get("networkReady") else Judgement(Layer.LINKS, "no router linked")
    paths = ready_paths(status)
    if not paths:
        return Judgement(Layer.PATHS, f"no path ready, {links} linked")
    if role == "client":
        return None
    introset = service_of(status).get("introset") or {}
    if not introset.get("published"):
        return Judgement(Layer.INTROSET, f"not confirmed by two holders, {len(paths)} paths ready")
    return None


def _judge_chain(status: Mapping[str, Any], registry: Registry | None) -> Judgement | None:
    if registry is None:
        return None
    nodes = status.get("serviceNodes") or {}
    known = int(nodes.get("active", 0)) + int(nodes.get("decommissioned", 0))
    if known < len(registry.routers):
        seen = f"{known} of {len(registry.routers)} routers registered"
        return Judgement(Layer.CHAIN, seen)
    bought = status.get("names") or {}
    missing = [spec.name for spec in registry.names if hash_of(spec.name) not in bought]
    if missing:
        return Judgement(Layer.CHAIN, f"{', '.join(missing)} not registered")
    return None


def service_of(status: Mapping[str, Any]) -> Mapping[str, Any]:
    """The status of the one endpoint a client or service has; empty where there is none yet."""
    services = status.get("services") or {}
    endpoint: Mapping[str, Any] = services.get("default") or {}
    return endpoint


def ready_paths(status: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """The paths of an endpoint that carry data."""
    return [path for path in service_of(status).get("paths") or [] if path.get("ready")]
