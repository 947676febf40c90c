"""Making nodes' keys: by the node's own command, on this machine, before anything runs."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import orchestrator
from orchestrator.backends import clean_environment
from orchestrator.backends.files import make_private
from orchestrator.directories import Places
from orchestrator.errors import UsageError
from orchestrator.ops import KeyRequest

__all__ = ["PACKAGE_ROOT", "create_keys"]

PACKAGE_ROOT = Path(orchestrator.__file__).parent.parent
TIMEOUT_S = 120.0


def create_keys(places: Places, requests: Sequence[KeyRequest], lock: int | None) -> None:
    """One process for all; it holds the network's lock, so that it cannot be overtaken.

    Raises UsageError with its words.
    """
    batch = []
    for request in requests:
        make_private(places.node(request.node))
        if request.kind == "router":
            entry = {
                "kind": "router",
                "dir": request.path,
                "netid": request.netid,
                "public_address": request.public_address,
            }
        else:
            entry = {"kind": "service", "file": request.path}
        batch.append(entry)
    result = subprocess.run(
        [sys.executable, "-m", "lokinet_node.keys", "batch"],
        input=json.dumps(batch),
        capture_output=True,
        text=True,
        check=False,
        timeout=TIMEOUT_S,
        env={**clean_environment(), "PYTHONPATH": str(PACKAGE_ROOT)},
        cwd=places.state,
        start_new_session=True,
        pass_fds=() if lock is None else (lock,),
        umask=0o077,
    )
    if result.returncode != 0:
        raise UsageError(f"keys cannot be made: {result.stderr.strip()}")
