"""What a network has in the engine: found by labels, taken away, looked for again.

A name proves nothing, a label with the network's number does.
"""

from __future__ import annotations

import select
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from orchestrator.engine.client import Engine, Refused

__all__ = [
    "LABEL",
    "is_running",
    "left_of",
    "own_labels",
    "remove_all",
    "remove_containers",
    "remove_networks",
]

LABEL = "lokinet-testnet."
"""Of the labels' names."""
WORKERS = 8
QUIET_S = 1.0
"""The engine finishes what a killed command asked for: a container takes it a few hundred
milliseconds. So nothing of it is left only when nothing came for this long."""
QUIET_LOOKS = 20
"""And on a machine so busy that looking takes long: for as long as so many looks take."""
LET_GO_S = 3.0
"""A container that is gone has let go of its network long before."""
IN_USE = "active endpoints"
LOOK_MS = 50


def own_labels(network_id: str) -> dict[str, str]:
    """Of everything that belongs to a network."""
    return {f"{LABEL}id": network_id}


def is_running(engine: Engine, labels: Mapping[str, str]) -> bool:
    """Whether any container runs."""
    return any(row["State"] == "running" for row in engine.containers(labels))


def remove_containers(engine: Engine, labels: Mapping[str, str]) -> int:
    """All with these labels; how many there were."""
    rows = engine.containers(labels)
    if len(rows) <= 1:
        for row in rows:
            engine.remove(row["Id"])
    else:
        with ThreadPoolExecutor(WORKERS) as pool:
            list(pool.map(lambda row: engine.remove(row["Id"]), rows))
    return len(rows)


def remove_networks(engine: Engine, labels: Mapping[str, str]) -> int:
    """All with these labels; how many there were."""
    rows = engine.networks(labels)
    for row in rows:
        _remove_network(engine, row)
    return len(rows)


def _remove_network(engine: Engine, row: Mapping[str, Any]) -> None:
    """Its last container may still be letting go of it; a stranger's does not."""
    name = str(row["Name"])
    deadline: float | None = None
    while True:
        try:
            engine.remove_network(row["Id"])
        except Refused as error:
            deadline = deadline or time.monotonic() + LET_GO_S
            strangers = engine.connected_to(row["Id"])
            if strangers:
                why = (
                    f"container {strangers[0]} of somebody else is connected to it: "
                    f"`docker network disconnect {name} {strangers[0]}`"
                )
            elif IN_USE not in str(error):
                raise
            elif time.monotonic() > deadline:
                why = (
                    "the engine counts a container that is not there, as Docker 20.10 does now "
                    "and then: restart the engine, then do this again"
                )
            else:
                select.poll().poll(LOOK_MS)
                continue
            raise Refused(f"network {name}: {why}", error.status) from error
        else:
            return


def remove_all(engine: Engine, labels: Mapping[str, str], may_be_in_flight: bool) -> int:
    """Containers, then networks; how many containers there were.

    Args:
        engine: where they are.
        labels: those of the network.
        may_be_in_flight: whoever made them was killed, perhaps just now.
    """
    count, quiet_since = 0, time.monotonic()
    while True:
        began = time.monotonic()
        containers = remove_containers(engine, labels)
        found = containers + remove_networks(engine, labels)
        count += containers
        now = time.monotonic()
        if found:
            quiet_since = now
        patience_s = max(QUIET_S, QUIET_LOOKS * (now - began))
        if not may_be_in_flight or now - quiet_since >= patience_s:
            return count
        select.poll().poll(LOOK_MS)


def left_of(engine: Engine, labels: Mapping[str, str]) -> list[str]:
    """What is still there."""
    containers = [f"container {row['Names'][0].lstrip('/')}" for row in engine.containers(labels)]
    return [*containers, *(f"network {row['Name']}" for row in engine.networks(labels))]
