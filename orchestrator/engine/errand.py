"""A container that does one thing for a plain user and is gone: what takes root's rights.

It runs the node image's programs as root with the few capabilities it is told, a root file system
nobody can write, and sees nothing of this machine but what is named.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from orchestrator.engine.client import Engine
from orchestrator.engine.images import OURS
from orchestrator.errors import HostUnfit

__all__ = ["run_errand"]


def run_errand(
    engine: Engine,
    argv: Sequence[str],
    labels: Mapping[str, str],
    capabilities: Sequence[str],
    network: str = "none",
    folder: Path | None = None,
) -> int:
    """Run a command to its end: its exit code; raises OperatorError.

    Args:
        engine: where.
        argv: the command.
        labels: those of a network, by which a container is found whose maker was killed.
        capabilities: all it has.
        network: `none`, or `host`: the engine's own.
        folder: what it sees, under the same path.
    """
    image = engine.image(OURS["node"])
    if image is None:
        raise HostUnfit(f"the engine has no image {OURS['node']}: `make images` builds it")
    seen = [] if folder is None else [str(folder)]
    body = {
        "Image": str(image["Id"]),
        "User": "0:0",
        "Entrypoint": list(argv),
        "Cmd": [],
        "Labels": dict(labels),
        "HostConfig": {
            "NetworkMode": network,
            "CapDrop": ["ALL"],
            "CapAdd": list(capabilities),
            "ReadonlyRootfs": True,
            "SecurityOpt": ["no-new-privileges"],
            "Mounts": [{"Type": "bind", "Source": each, "Target": each} for each in seen],
        },
    }
    name = f"lokinet-testnet-errand-{os.getpid()}-{os.urandom(4).hex()}"
    container = engine.create(name, body)
    try:
        engine.start(container, name)
        return engine.wait(container)
    finally:
        engine.remove(container)
