"""Mounts that make a mount namespace a node's: an empty /run, files of its own in /etc.

Only for who is alone in its mount namespace, with nothing passed on to the host's.
"""

from __future__ import annotations

import os
from collections.abc import Sequence

from orchestrator.world import syscalls
from orchestrator.world.spawn import SpawnError

__all__ = ["hide_run", "own_file"]


def hide_run(keep: Sequence[str], shared: str) -> None:
    """An empty /run, so that no socket of the host (resolvers, name caches, buses) is in reach.

    Args:
        keep: directories; those below /run stay visible.
        shared: a directory below /run that is made.
    """
    inside = [path for path in keep if path.startswith("/run/")]
    kept = {path: os.open(path, os.O_PATH | os.O_DIRECTORY) for path in inside}
    flags = syscalls.MS_NOSUID | syscalls.MS_NODEV
    syscalls.mount("tmpfs", "/run", "tmpfs", flags, "mode=0755,size=64m")
    os.mkdir(shared)
    for path, descriptor in kept.items():
        os.makedirs(path, exist_ok=True)
        syscalls.bind(f"/proc/self/fd/{descriptor}", path)
        os.close(descriptor)


def own_file(path: str, text: str, shared: str) -> None:
    """Put `text` in the place of a file, in this mount namespace only."""
    target = os.path.realpath(path)  # resolv.conf may point into /run, which is empty now
    if target.startswith("/run/"):
        os.makedirs(os.path.dirname(target), exist_ok=True)
        _write(target, text)
        return
    if not os.path.exists(target):
        raise SpawnError(f"{path} does not exist: make an empty one (`touch {path}`)")
    source = f"{shared}/{os.path.basename(path)}"
    _write(source, text)
    syscalls.bind(source, target)


def _write(path: str, text: str) -> None:
    with open(path, "w", encoding="ascii") as file:
        file.write(text)
