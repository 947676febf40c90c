"""What networks of containers may trip over, by what the engine says of itself. Pure.

Numbers of versions say where they are from; a container on trial is in `trial`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from orchestrator.engine.subnets import Taken, free_underlay
from orchestrator.findings import Finding, degraded, fatal, ok

__all__ = ["Said", "fitness"]

Row = Mapping[str, Any]

OLDEST_API = (1, 41)
"""Docker 20.10: the oldest that was tried."""
TUN_DROPPED, TUN_BACK = (1, 2, 0), (1, 2, 4)
"""runc left /dev/net/tun out of what every container may open, and took it back in: its changelog,
1.2.0 and 1.2.4."""


@dataclass(frozen=True, slots=True)
class Said:
    """An engine's own words."""

    version: Row
    """`GET /version`."""
    info: Row
    """`GET /info`."""
    taken: Sequence[Taken] = ()
    """Addresses of others."""
    images: Mapping[str, bool] = field(default_factory=dict)
    """Those the network needs, and whether they are there."""
    user: int = 0
    """Who asks."""


def fitness(said: Said, underlay: str) -> list[Finding]:
    """All findings; `underlay` is what the topology wants for its links."""
    return [
        _engine(said.version),
        _rights(said),
        _filter(said.info),
        _runc(said.version),
        _cgroup(said.info),
        _addresses(underlay, said.taken),
        *(_image(name, is_there) for name, is_there in said.images.items()),
    ]


def _engine(version: Row) -> Finding:
    api = str(version.get("ApiVersion", "0"))
    seen = f"{version.get('Version', 'unknown')}, API {api}"
    if version.get("Os") != "linux":
        fix = "use an engine on Linux: `docker context ls` shows what there is"
        return fatal("engine", f"{seen}, for {version.get('Os')}", fix)
    if _numbers(api) < OLDEST_API:
        oldest = ".".join(map(str, OLDEST_API))
        return fatal("engine", f"{seen}: {oldest} is needed", "install Docker 20.10 or newer")
    return ok("engine", seen)


def _rights(said: Said) -> Finding:
    """Who runs in containers must be who it is called there, or files could not be shared."""
    options = _options(said.info)
    if "rootless" in options:
        seen = "the engine runs as a plain user, so it cannot give programs the ids they need"
        fix = "`DOCKER_HOST=unix:///var/run/docker.sock` with an engine of root's"
        return fatal("rights", seen, fix)
    if "userns" in options:
        seen = "the engine maps users (userns-remap): programs could not read their nodes' files"
        fix = "take `userns-remap` out of /etc/docker/daemon.json, `systemctl restart docker`"
        return fatal("rights", seen, fix)
    if said.user != 0:
        return ok("rights", "an engine of root's, asked by a plain user who may")
    return ok("rights", "an engine of root's, asked by root")


def _filter(info: Row) -> Finding:
    if "seccomp" in _options(info):
        return ok("capabilities", "all dropped but NET_ADMIN for a tun; system calls are filtered")
    return degraded(
        "capabilities",
        "all dropped but NET_ADMIN for a tun; system calls are not filtered",
        "programs in containers reach every system call of the kernel",
        "an engine and a kernel with seccomp",
    )


def _runc(version: Row) -> Finding:
    text = next(
        (str(each["Version"]) for each in _components(version) if each.get("Name") == "runc"), ""
    )
    if not text:
        return ok("runc", "the engine names none; see the container on trial")
    numbers = (*_numbers(text), 0, 0)[:3]
    if TUN_DROPPED <= numbers < TUN_BACK:
        return degraded(
            "runc",
            f"{text} lets only containers that were given /dev/net/tun by name open it",
            "nodes of ours are given it; elsewhere a bind mount of it ends with EPERM",
            "runc 1.2.4 or newer: `apt-get install --only-upgrade containerd.io`",
        )
    return ok("runc", f"{text} lets containers open /dev/net/tun")


def _cgroup(info: Row) -> Finding:
    version, driver = str(info.get("CgroupVersion", "1")), str(info.get("CgroupDriver", ""))
    seen = f"version {version}, by {driver}"
    if driver == "none" or not info.get("PidsLimit", True):
        return degraded(
            "cgroup",
            f"{seen}: the number of processes is not limited",
            "a program that forks without end takes the machine with it",
            "start Linux with `systemd.unified_cgroup_hierarchy=1`, or mount the pids controller",
        )
    return ok("cgroup", seen)


def _addresses(underlay: str, taken: Iterable[Taken]) -> Finding:
    free, in_the_way = free_underlay(underlay, taken)
    if in_the_way is None:
        return ok("addresses", f"{underlay} is free")
    seen = f"{underlay}: {in_the_way.by} has {in_the_way.network}"
    fix = "`docker network ls` shows the engine's, `ip route` the machine's: remove what is unused"
    if free is None:
        return fatal("addresses", f"{seen}, and nothing else is free", fix)
    return degraded("addresses", seen, f"a new network's links would be at {free}", fix)


def _image(name: str, is_there: bool) -> Finding:
    subject = f"image {name.rpartition('/')[2]}"
    if is_there:
        return ok(subject, name)
    make = "`testnet images`" if name.startswith("localhost/") else f"`docker pull {name}`"
    return fatal(subject, f"the engine has no {name}", make)


def _options(info: Row) -> set[str]:
    """`seccomp`, `rootless`, `userns`, …, of `name=seccomp,profile=default`."""
    said = info.get("SecurityOptions") or []
    return {str(each).removeprefix("name=").partition(",")[0] for each in said}


def _components(version: Row) -> Sequence[Row]:
    return version.get("Components") or ()


def _numbers(text: str) -> tuple[int, ...]:
    """(1, 1, 5) of `1.1.5+ds1`."""
    found = re.match(r"\d+(\.\d+)*", text)
    return tuple(int(part) for part in found[0].split(".")) if found else ()
