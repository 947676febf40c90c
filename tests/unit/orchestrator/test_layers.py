"""What a status lacks, layer by layer."""

from __future__ import annotations

from typing import Any

import pytest

from orchestrator.ops import Role
from orchestrator.readiness.layers import Judgement, Layer, judge

PATH = {"ready": True, "hops": []}


def endpoint(**fields: Any) -> dict[str, Any]:
    return {"numPeersConnected": 2, "services": {"default": fields}}


@pytest.mark.parametrize(
    ("role", "status", "layer"),
    [
        ("router", {}, Layer.LINKS),
        ("router", {"numPeersConnected": 1, "networkReady": False}, Layer.LINKS),
        ("router", {"numPeersConnected": 1, "networkReady": True}, None),
        ("client", {"numPeersConnected": 0}, Layer.LINKS),
        ("client", {"numPeersConnected": 2}, Layer.PATHS),
        ("client", {"numPeersConnected": 2, "services": None}, Layer.PATHS),
        ("client", endpoint(paths=[{"ready": False}]), Layer.PATHS),
        ("client", endpoint(paths=[PATH]), None),
        ("service", endpoint(paths=[PATH]), Layer.INTROSET),
        ("service", endpoint(paths=[PATH], introset={"published": 0}), Layer.INTROSET),
        ("service", endpoint(paths=[PATH], introset={"published": 1700000000000}), None),
    ],
)
def test_the_first_missing_layer_is_named(
    role: Role, status: dict[str, Any], layer: Layer | None
) -> None:
    judgement = judge(role, status)
    assert (judgement.layer if judgement else None) is layer


def test_a_judgement_says_what_was_seen() -> None:
    found = judge("client", {"numPeersConnected": 3})
    assert found == Judgement(Layer.PATHS, "no path ready, 3 linked")
