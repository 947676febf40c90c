"""Files that root in a container wrote, made the caller's again, who could not even delete them.

By an errand with no network, no right but to give files away and to look into every folder, and
nothing in sight but that one folder. Links are not followed.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from orchestrator.engine.client import Engine
from orchestrator.engine.errand import run_errand
from orchestrator.errors import CheckFailed

__all__ = ["has_foreign", "take_back"]


def has_foreign(folder: Path) -> bool:
    """Whether a folder of somebody else's lies in it: only those cannot be emptied."""
    for place, folders, _ in os.walk(folder):
        for name in folders:
            if os.lstat(os.path.join(place, name)).st_uid != os.geteuid():
                return True
    return False


def take_back(engine: Engine, folder: Path, labels: Mapping[str, str]) -> None:
    """Make a folder with all in it this user's; raises OperatorError.

    Args:
        engine: where the container is made.
        folder: a network's, or part of it.
        labels: those of the network.
    """
    owner = f"{os.geteuid()}:{os.getegid()}"
    argv = ["chown", "-R", "-h", owner, "--", str(folder)]
    code = run_errand(engine, argv, labels, ("CHOWN", "DAC_READ_SEARCH"), folder=folder)
    if code != 0:
        raise CheckFailed(f"{folder} has files of root's: chown in a container ended with {code}")
