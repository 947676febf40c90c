"""Which user and group ids exist inside the world, and how the kernel is told.

Root maps every id it has itself (at most 0-65535) onto itself, so that daemons drop privileges as
usual. A plain user maps root inside to itself and, where /etc/subuid, /etc/subgid and newuidmap
allow it, a range of subordinate ids after it; where they do not there is one id, and nobody else to
become.
"""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
from contextlib import suppress
from dataclasses import dataclass

__all__ = ["IdMaps", "apply_maps", "choose_maps"]

MOST_IDS = 65536
Extent = tuple[int, int, int]
"""(first id inside, first id outside, how many)."""


@dataclass(frozen=True, slots=True)
class IdMaps:
    """The maps of a user namespace, not yet written."""

    users: tuple[Extent, ...]
    groups: tuple[Extent, ...]
    by_tool: bool
    """newuidmap and newgidmap write them, as only they may hand out subordinate ids."""

    @property
    def one_id(self) -> bool:
        """Whether daemons have nobody to drop their privileges to."""
        return sum(count for _, _, count in self.users) == 1


def choose_maps() -> IdMaps:
    """The widest maps this user may have, by what the machine's files say."""
    user, group = os.geteuid(), os.getegid()
    if user == 0:
        return IdMaps(_own_extents("uid"), _own_extents("gid"), by_tool=False)
    users = _subordinate("/etc/subuid", user)
    groups = _subordinate("/etc/subgid", user)
    if users and groups and shutil.which("newuidmap") and shutil.which("newgidmap"):
        return IdMaps(((0, user, 1), users), ((0, group, 1), groups), by_tool=True)
    return IdMaps(((0, user, 1),), ((0, group, 1),), by_tool=False)


def apply_maps(maps: IdMaps, pid: int) -> None:
    """Write the maps of a process that just entered its user namespace; raises OSError."""
    if maps.by_tool:
        _run_tool("newuidmap", pid, maps.users)
        _run_tool("newgidmap", pid, maps.groups)
        return
    if os.geteuid() != 0:
        _write(
            f"/proc/{pid}/setgroups", "deny"
        )  # or the kernel takes no gid map: user_namespaces(7)
    _write(f"/proc/{pid}/uid_map", _text(maps.users))
    _write(f"/proc/{pid}/gid_map", _text(maps.groups))


def _own_extents(kind: str) -> tuple[Extent, ...]:
    extents = []
    with open(f"/proc/self/{kind}_map", encoding="ascii") as file:
        for line in file:
            first, _, count = map(int, line.split())
            count = min(count, MOST_IDS - first)
            if count > 0:
                extents.append((first, first, count))
    return tuple(extents)


def _subordinate(path: str, user: int) -> Extent | None:
    """The user's first range, put right after root inside."""
    names = {str(user)}
    with suppress(KeyError):  # a user without a name may still be listed by number
        names.add(pwd.getpwuid(user).pw_name)
    try:
        with open(path, encoding="utf-8") as file:
            for line in file:
                owner, _, numbers = line.strip().partition(":")
                first, _, count = numbers.partition(":")
                if owner in names and first.isdigit() and count.isdigit():
                    return 1, int(first), min(int(count), MOST_IDS - 1)
    except OSError:
        pass  # no such file: no subordinate ids
    return None


def _text(extents: tuple[Extent, ...]) -> str:
    return "".join(f"{inside} {outside} {count}\n" for inside, outside, count in extents)


def _write(path: str, text: str) -> None:
    with open(path, "w", encoding="ascii") as file:
        file.write(text)


def _run_tool(tool: str, pid: int, extents: tuple[Extent, ...]) -> None:
    numbers = [str(number) for extent in extents for number in extent]
    result = subprocess.run([tool, str(pid), *numbers], capture_output=True, text=True, check=False)
    if result.returncode != 0:
        reason = result.stderr.strip() or f"ended with {result.returncode}"
        raise OSError(None, f"{tool}: {reason}")
