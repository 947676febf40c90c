"""One lock a network: who changes it holds it, and so do the processes that work for that command.

The descriptor may be inherited by a child that must not be overtaken (the one that makes keys, the
launcher of the world): if the command is killed, the network stays locked until that child has
ended, so that nobody cleans up under its hands.
"""

from __future__ import annotations

import fcntl
import os
import select
import stat
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from orchestrator.directories import Places, draft
from orchestrator.errors import Leftovers, OperatorError

__all__ = ["Locked", "is_lock", "is_locked", "locked"]

CONTENT = "lock of a network of lokinet-testnet\n"
LOOK_EVERY_MS = 20
A_GLANCE_S = 0.1
"""Longer than somebody who only looks whether it is locked holds it."""


class Locked(OperatorError):
    """Somebody else changes the network."""


@contextmanager
def locked(places: Places, patience_s: float = A_GLANCE_S) -> Iterator[int]:
    """Hold the network's lock; gives its descriptor, leaves no file behind; raises Locked.

    Args:
        places: of the network.
        patience_s: how long somebody else may still hold it.
    """
    deadline = time.monotonic() + patience_s
    places.make_roots()
    while (descriptor := _try(places)) is None:
        if time.monotonic() >= deadline:
            raise Locked(
                f"another testnet command is changing network {places.name!r}: "
                "try again when it has ended"
            )
        select.poll().poll(LOOK_EVERY_MS)
    try:
        yield descriptor
    finally:
        places.lock.unlink(missing_ok=True)
        os.close(descriptor)
        places.remove_empty_roots()


def is_locked(places: Places) -> bool:
    """Whether somebody holds it now."""
    try:
        descriptor = os.open(places.lock, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
    except OSError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False


def is_lock(path: Path) -> bool:
    """Whether a file is a lock of this user's networks: by its content, not by its name."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
    except OSError:
        return False
    try:
        return _is_lock(descriptor)
    finally:
        os.close(descriptor)


def _try(places: Places) -> int | None:
    """The descriptor of the locked file that has the name now; None if somebody else locked it."""
    while True:
        try:
            descriptor = os.open(places.lock, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
        except FileNotFoundError:
            _make(places.lock)
            continue
        if not _is_lock(descriptor):
            os.close(descriptor)
            raise Leftovers(f"{places.lock} is in the way: it is no lock of ours")
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            return None
        if _has_the_name(descriptor, places):
            return descriptor
        os.close(descriptor)  # the one before us unlinked it between our open and our lock


def _make(path: Path) -> None:
    """Whole or not at all, so that a lock can be told from an empty file of somebody else."""
    new = draft(path, CONTENT)
    with suppress(FileExistsError):
        os.link(new, path)
    new.unlink()


def _is_lock(descriptor: int) -> bool:
    found = os.fstat(descriptor)
    is_plain = stat.S_ISREG(found.st_mode) and found.st_uid == os.geteuid()
    return is_plain and os.pread(descriptor, len(CONTENT) + 1, 0) == CONTENT.encode()


def _has_the_name(descriptor: int, places: Places) -> bool:
    try:
        return os.path.samestat(os.fstat(descriptor), places.lock.stat())
    except FileNotFoundError:
        return False
