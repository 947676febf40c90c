"""A small network's statuses, as nodes would show them: three routers, a service, a client."""

from __future__ import annotations

from typing import Any

import pytest

from orchestrator.backends.memory import MemoryBackend
from orchestrator.census import Census, take_census
from orchestrator.errors import CheckFailed
from orchestrator.ops import Observed, ObservedNode, ObservedProcess

UNDERLAY = {
    "r1": "10.77.0.1",
    "r2": "10.77.0.2",
    "r3": "10.77.0.3",
    "web": "10.77.4.1",
    "alice": "10.77.8.1",
}
ROLES = {"r1": "router", "r2": "router", "r3": "router", "web": "service", "alice": "client"}


def address(name: str) -> str:
    return f"{name:y<52}." + ("snode" if ROLES[name] == "router" else "loki")


def link(name: str, state: str = "up") -> dict[str, Any]:
    """As it is shown by the other end: a client's link bears a passing key."""
    router = address(name) if ROLES[name] == "router" else f"{name:k<52}.snode"
    where = f"{UNDERLAY[name]}:1090"
    counts = {"rtt_ms": 1.5, "cells_in": 10, "cells_out": 20}
    return {"router": router, "address": where, "state": state, **counts}


def path(*hops: str, ready: bool = True, cells_in: int = 5) -> dict[str, Any]:
    return {
        "status": "ready" if ready else "building",
        "ready": ready,
        "purpose": "pool",
        "expiresAt": 4_000_000_000_000,
        "rtt_ms": 12.5,
        "cells_in": cells_in,
        "cells_out": 7,
        "hops": [{"router": address(hop), "ip": UNDERLAY[hop]} for hop in hops],
    }


def statuses() -> dict[str, dict[str, Any]]:
    """alice talks to web over r1 and r2 (the pivot), web answers through r3."""

    def endpoint(name: str, remote: str, *route: str, **more: Any) -> dict[str, Any]:
        session = {"remote": address(remote), "ready": True}
        session["route"] = [address(hop) for hop in route]
        return {"default": {"identity": address(name), "remoteSessions": [session], **more}}

    web = endpoint("web", "alice", "r3", "r2", paths=[path("r3", "r2")])
    web["default"]["introset"] = {"published": 1}
    alice = endpoint("alice", "web", "r1", "r2", paths=[path("r1", "r2"), path("r3", "r1")])
    return {
        "r1": {"links": [link("r2"), link("r3", "down"), link("alice")]},
        "r2": {"links": [link("r1"), link("r3")]},
        "r3": {"links": [link("r2"), link("web")]},
        "web": {"links": [link("r3")], "services": web},
        "alice": {"links": [link("r1")], "services": alice},
    }


def observed(*gone: str, exit_code: int | None = None) -> Observed:
    """Everybody but `gone`; `exit_code` is that of r1's process."""
    return Observed(
        True,
        {
            name: ObservedNode(
                "",
                UNDERLAY[name],
                {"role": ROLES[name], "control": name},
                {
                    "lokinet": ObservedProcess(
                        10 + number, 1000, exit_code if name == "r1" else None
                    )
                },
            )
            for number, name in enumerate(UNDERLAY)
            if name not in gone
        },
    )


def census(
    monkeypatch: pytest.MonkeyPatch,
    shown: dict[str, dict[str, Any]] | None = None,
    seen: Observed | None = None,
    before: Census | None = None,
) -> Census:
    """What is told when nodes say `shown`; who is not in it does not answer."""
    said = statuses() if shown is None else shown

    def full_status(_ways: object, _node: str, control: str) -> dict[str, Any]:
        if control not in said:
            raise CheckFailed("nobody answers")
        links = len(said[control].get("links", []))
        return {**said[control], "lokiAddress": address(control), "numPeersConnected": links}

    monkeypatch.setattr("orchestrator.census.full_status", full_status)
    return take_census(MemoryBackend(), seen or observed(), before.names if before else {})
