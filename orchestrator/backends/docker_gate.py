"""A gate that nodes wait at until the containers of a new network are all there.

An interpreter that starts takes as much of the processor as the engine needs for a container, so
fifty that start meanwhile double the time until all are made. The gate is a lock on a file that
each of them sees: whoever holds it and is killed opens it by that.
"""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

__all__ = ["GATE", "Gate"]

GATE = "gate"
"""The file, in the folder of all control sockets; inside a container beside its own socket."""


class Gate:
    """Of one network; open until it is shut."""

    def __init__(self, folder: Path) -> None:
        """Nothing is made yet."""
        self._path = folder / GATE
        self._descriptor = -1

    def shut(self) -> None:
        """Whoever starts from now on waits."""
        flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
        self._descriptor = os.open(self._path, flags, 0o644)
        os.fchmod(self._descriptor, 0o644)  # who waits only reads
        fcntl.flock(self._descriptor, fcntl.LOCK_EX)

    def show_in(self, folder: Path) -> None:
        """In the folder a container sees, where there is a gate."""
        shown = folder / GATE
        if self._path.exists() and not (shown.exists() and shown.samefile(self._path)):
            shown.unlink(missing_ok=True)
            shown.hardlink_to(self._path)

    def open(self) -> None:
        """Who waits goes on."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1
