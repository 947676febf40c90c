"""What was begun: one line a creation, written before it, so that a killed command can be undone.

The first line says whose it is: the network's name, a random number that labels everything the
network owns, the user, and both directories. It is on the disk before anything else is made, so it
covers whatever comes later. Later lines need no sync: they outlive `kill -9` as they are, and what
they speak of (processes, namespaces, sockets) does not outlive a loss of power.

What is begun but not promised is left over: a network counts as promised when its definition was
written (`definition`), which is the last act of bringing it up.
"""

from __future__ import annotations

import json
import os
import secrets
import stat
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from orchestrator.directories import Places, write_private
from orchestrator.errors import Leftovers
from orchestrator.homes import BACKENDS, Home

__all__ = ["Journal", "Owner", "read_entries", "read_owner"]

FORMAT = "lokinet-testnet journal 1"
NAMESPACES = Home()


@dataclass(frozen=True, slots=True)
class Owner:
    """The first line: whose journal it is."""

    name: str
    network_id: str
    """16 hex digits, random."""
    user: int
    state: Path
    run: Path
    since: str
    """UTC, ISO 8601."""
    home: Home = NAMESPACES
    """Where it lives, for as long as it lives."""

    def places(self) -> Places:
        """Where the network is, whatever the environment says by now."""
        return Places(self.name, self.state, self.run)


@dataclass(frozen=True, slots=True)
class Journal:
    """A network's journal, open for more; the caller holds the network's lock."""

    path: Path
    owner: Owner

    @classmethod
    def open(cls, places: Places, home: Home = NAMESPACES) -> Journal:
        """The network's journal, begun if there is none; raises Leftovers for a strange one.

        `home` counts for one that is begun.
        """
        owner = read_owner(places.journal)
        if owner is None:
            if os.path.lexists(places.journal):
                raise Leftovers(f"{places.journal} is in the way: it is no journal of ours")
            owner = Owner(
                places.name,
                secrets.token_hex(8),
                os.geteuid(),
                places.state,
                places.run,
                _now(),
                home,
            )
            write_private(places.journal, _first_line(owner), durable=True)
        return cls(places.journal, owner)

    def begin(self, act: str, reason: str = "") -> None:
        """Note an act before it is done."""
        _append(self.path, _line({"at": _now(), "begin": act, "reason": reason}))


def read_owner(path: Path) -> Owner | None:
    """Whose journal it is; None unless it is a plain file of this user's that names itself."""
    try:
        found = path.lstat()
        if not stat.S_ISREG(found.st_mode) or found.st_uid != os.geteuid():
            return None
        first = next(read_entries(path), {})
        owner = Owner(
            str(first["network"]),
            str(first["id"]),
            int(first["user"]),
            Path(first["state"]),
            Path(first["run"]),
            str(first.get("at", "")),
            Home(
                first.get("backend", "netns"),
                str(first.get("underlay", "")),
                str(first.get("clearnet", "")),
            ),
        )
    except (OSError, KeyError, TypeError, ValueError):
        return None
    if first.get("format") != FORMAT or owner.user != os.geteuid() or not owner.network_id:
        return None
    if owner.home.backend not in BACKENDS:
        return None
    here = owner.places()
    return owner if here.journal == path and here.run.name == owner.name else None


def read_entries(path: Path) -> Iterator[dict[str, Any]]:
    """Every complete line; the last one may be half written."""
    with path.open(encoding="utf-8", errors="replace") as file:
        for line in file:
            try:
                entry = json.loads(line)
            except ValueError:
                continue
            if isinstance(entry, dict):
                yield entry


def _first_line(owner: Owner) -> str:
    return _line(
        {
            "format": FORMAT,
            "network": owner.name,
            "id": owner.network_id,
            "user": owner.user,
            "state": str(owner.state),
            "run": str(owner.run),
            "at": owner.since,
            "backend": owner.home.backend,
            "underlay": owner.home.underlay,
            "clearnet": owner.home.clearnet,
        }
    )


def _line(entry: dict[str, Any]) -> str:
    return json.dumps(entry, ensure_ascii=False) + "\n"


def _now() -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())


def _append(path: Path, line: str) -> None:
    """One write at the end of the file, so that no line of two writers is mixed."""
    descriptor = os.open(path, os.O_RDWR | os.O_APPEND | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        size = os.fstat(descriptor).st_size
        if size and os.pread(descriptor, 1, size - 1) != b"\n":
            line = f"\n{line}"  # the line before us was never finished
        os.write(descriptor, line.encode())
    finally:
        os.close(descriptor)
