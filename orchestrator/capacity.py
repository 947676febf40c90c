"""What a network of a certain size needs of a machine, and what this one has. Pure but for reading.

Spec numbers are the kernel's; choices are ours and say what they were measured or counted from.
"""

from __future__ import annotations

import http.client
import json
import os
import resource
import socket
import time
from dataclasses import dataclass, field
from pathlib import Path

from orchestrator.findings import Finding, Machine, degraded, fatal, ok
from orchestrator.world.maps import choose_maps

__all__ = ["Demand", "Supply", "capacities", "neighbour_warning"]

# Linux versions: pidfd_open(2); TUN_F_USO4 in drivers/net/tun.c.
PIDFD_OPEN = (5, 3)
TUN_USO = (6, 2)

PEERS_OF_AN_END = 16
"""Routers a client or service may be linked to at once: first hops, theirs and the ones before."""
BRIDGE_PORTS = 1024
"""linux/net/bridge/br_private.h, BR_MAX_PORTS."""
WORLD_DESCRIPTORS_PER_NODE = 3
"""Network, mount and uts namespace of each node are held open by the world."""
SPARE_DESCRIPTORS = 128
SOCKET_BUFFER_BYTES = 4 << 20
"""What nodes ask for on their link sockets."""
MIB_PER_NODE = 13
"""Proportional set size of a router after the first page: docs/benchmarks.md."""
GOOD_CLOCKS = ("tsc", "kvm-clock", "hyperv_clocksource_tsc_page", "arch_sys_counter", "xen")
"""Clock sources that are read without asking the kernel or a device."""
NEIGHBOURS = "proc/sys/net/ipv4/neigh/default"
ENGINE_SOCKET = "/var/run/docker.sock"
ENGINE_TIMEOUT_S = 2.0


@dataclass(frozen=True, slots=True)
class Demand:
    """The network somebody wants."""

    routers: int
    ends: int
    """Clients and services."""

    @property
    def nodes(self) -> int:
        """All of them."""
        return self.routers + self.ends

    @property
    def neighbours(self) -> int:
        """Entries of the neighbour table if every router is linked to every other."""
        return self.routers * (self.routers - 1) + 2 * self.ends * min(
            self.routers, PEERS_OF_AN_END
        )


@dataclass(frozen=True, slots=True)
class Supply:
    """The machine; tests say what it has."""

    machine: Machine = field(default_factory=Machine)
    descriptors: int = field(default_factory=lambda: resource.getrlimit(resource.RLIMIT_NOFILE)[1])
    user: int = field(default_factory=os.geteuid)
    now: float = field(default_factory=time.time)
    engine: str = ENGINE_SOCKET


def capacities(demand: Demand, supply: Supply) -> list[Finding]:
    """Everything that has a number."""
    machine = supply.machine
    return [
        _kernel(machine),
        _user_namespaces(machine, supply.user),
        _ids(),
        _descriptors(demand, supply.descriptors),
        _socket_buffers(machine),
        _neighbours(demand, machine),
        _ports(demand),
        _memory(demand, machine),
        _clock(machine, supply.now),
        _engine(supply.engine),
    ]


def _kernel(machine: Machine) -> Finding:
    release = machine.text("proc/sys/kernel/osrelease") or "unknown"
    numbers = tuple(int(part) for part in release.split("-")[0].split(".")[:2] if part.isdigit())
    if numbers < PIDFD_OPEN:
        return fatal("kernel", f"Linux {release}", "use Linux 5.3 or newer")
    if numbers < TUN_USO:
        return degraded(
            "kernel",
            f"Linux {release}",
            "UDP inside the network crosses a tun packet by packet, not 64 KiB at a time",
            "Linux 6.2 or newer",
        )
    return ok("kernel", f"Linux {release}")


def _user_namespaces(machine: Machine, user: int) -> Finding:
    most = machine.number("proc/sys/user/max_user_namespaces")
    subject = "user namespaces"
    if most is None:
        return fatal(subject, "the kernel has none", "a kernel with CONFIG_USER_NS")
    if most == 0:
        fix = "`sysctl -w user.max_user_namespaces=10000`"
        return fatal(subject, "none are allowed", fix)
    if user != 0:
        for name, refusing in (
            ("kernel/unprivileged_userns_clone", 0),
            ("kernel/apparmor_restrict_unprivileged_userns", 1),
        ):
            if machine.number(f"proc/sys/{name}") == refusing:
                fix = f"`sysctl -w {name.replace('/', '.')}={1 - refusing}` as root, or use root"
                return fatal(subject, f"plain users may not: {name} is {refusing}", fix)
    return ok(subject, f"up to {most}")


def _ids() -> Finding:
    if choose_maps().one_id:
        return degraded(
            "user ids",
            "only one can be mapped",
            "applications run as root of their namespace",
            "as root: `apt-get install uidmap`, `usermod --add-subuids 100000-165535 "
            "--add-subgids 100000-165535 USER`",
        )
    return ok("user ids", "applications can drop their privileges")


def _descriptors(demand: Demand, most: int) -> Finding:
    needed = WORLD_DESCRIPTORS_PER_NODE * demand.nodes + SPARE_DESCRIPTORS
    seen = f"{most} files may be open, {needed} are needed"
    if 0 <= most < needed:  # -1 is RLIM_INFINITY
        return fatal("nofile", seen, f"as root: `ulimit -n {2 * needed}`")
    return ok("nofile", seen)


def _socket_buffers(machine: Machine) -> Finding:
    sizes = {name: machine.number(f"proc/sys/net/core/{name}") for name in ("rmem_max", "wmem_max")}
    known = {name: size for name, size in sizes.items() if size is not None}
    small = {name: size for name, size in known.items() if size < SOCKET_BUFFER_BYTES}
    if not known:
        return degraded(
            "socket buffers", "not shown in this container", "nodes get what the machine gives"
        )
    seen = ", ".join(f"{name} {size >> 10} KiB" for name, size in known.items())
    if not small:
        return ok("socket buffers", seen)
    settings = " ".join(f"net.core.{name}={SOCKET_BUFFER_BYTES}" for name in small)
    return degraded(
        "socket buffers",
        seen,
        "a busy node loses bursts that do not fit, and TCP inside sends them again",
        f"as root: `sysctl -w {settings}`",
    )


def neighbour_warning(demand: Demand, machine: Machine) -> str | None:
    """What to say before a network is made that may need more neighbours than the kernel keeps."""
    found, hard = _neighbours(demand, machine), machine.number(f"{NEIGHBOURS}/gc_thresh3")
    if hard is None or demand.neighbours <= hard:
        return None
    return f"{found.subject}: {found.seen}: {found.instead}; {found.fix}"


def _neighbours(demand: Demand, machine: Machine) -> Finding:
    """Of all namespaces together, containers' as well; only the machine's root can change it."""
    subject, needed = "neighbour table", demand.neighbours
    soft, hard = (machine.number(f"{NEIGHBOURS}/gc_thresh{i}") for i in (2, 3))
    who = f"{demand.routers} routers and {demand.ends} others"
    if soft is None or hard is None:
        return degraded(
            subject,
            "its limits are not shown in this container",
            f"{who} may need {needed} entries; more than there are and packets are lost",
        )
    seen = f"{hard} entries for all namespaces, {who} may need {needed}"
    if full := _times_full(machine):
        seen += f"; it was full {full} times since the machine started"
    room = 1 << max(needed * 2, 4096).bit_length()
    raise_it = " ".join(
        f"net.ipv4.neigh.default.gc_thresh{i}={room // part}"
        for i, part in ((1, 8), (2, 2), (3, 1))
    )
    fix = f"as root: `sysctl -w {raise_it}`"
    if needed > hard:
        instead = "links come late: while it is full, packets to further neighbours are dropped"
        return degraded(subject, seen, instead, fix)
    if needed > soft:
        return degraded(subject, seen, "neighbours that are seldom used are asked for again", fix)
    return ok(subject, seen)


def _times_full(machine: Machine) -> int:
    """The kernel's count, a row of hex numbers for each processor under a row of names."""
    names, *rows = (machine.text("proc/net/stat/arp_cache") or "").splitlines() or [""]
    if "table_fulls" not in names.split():
        return 0
    column = names.split().index("table_fulls")
    return sum(int(row.split()[column], 16) for row in rows)


def _ports(demand: Demand) -> Finding:
    seen = f"{demand.nodes} nodes on one bridge of {BRIDGE_PORTS} ports"
    if demand.nodes >= BRIDGE_PORTS:
        return fatal("bridge", seen, f"ask for less than {BRIDGE_PORTS} nodes")
    return ok("bridge", seen)


def _memory(demand: Demand, machine: Machine) -> Finding:
    needed = demand.nodes * MIB_PER_NODE
    for line in (machine.text("proc/meminfo") or "").splitlines():
        name, _, rest = line.partition(":")
        if name == "MemAvailable":
            free = int(rest.split()[0]) >> 10
            seen = f"{free} MiB available, {demand.nodes} nodes take about {needed}"
            if free < needed:
                return degraded("memory", seen, "the machine will swap", "ask for fewer nodes")
            return ok("memory", seen)
    return degraded("memory", "not shown in this container", f"about {needed} MiB will be taken")


def _clock(machine: Machine, now: float) -> Finding:
    """All nodes share the machine's clock, so it may be wrong, but neither stand nor be ancient."""
    shipped = Path(__file__).stat().st_mtime
    if now < shipped:
        date = time.strftime("%Y-%m-%d %H:%M", time.gmtime(now))
        seen = f"it is {date} UTC, before this program was installed"
        return fatal("clock", seen, 'as root: `date -u -s "YYYY-MM-DD hh:mm"`')
    folder = "sys/devices/system/clocksource/clocksource0"
    source = machine.text(f"{folder}/current_clocksource")
    if source is not None and source not in GOOD_CLOCKS:
        return degraded(
            "clock",
            f"read from {source}",
            "reading the time takes a microsecond or more, which nodes do for each burst",
            f"as root, if `tsc` is in /{folder}/available_clocksource: "
            f"`echo tsc > /{folder}/current_clocksource`",
        )
    return ok("clock", f"read from {source}" if source else "later than this program")


def _engine(path: str) -> Finding:
    """A container engine is not needed: networks live in namespaces."""
    if not os.path.exists(path):
        return ok("engine", "none, and none is needed")
    connection = http.client.HTTPConnection("localhost", timeout=ENGINE_TIMEOUT_S)
    try:
        with socket.socket(socket.AF_UNIX) as channel:
            channel.settimeout(ENGINE_TIMEOUT_S)
            channel.connect(path)
            connection.sock = channel
            connection.request("GET", "/version")
            version = json.loads(connection.getresponse().read())["Version"]
    except (OSError, ValueError, KeyError, TypeError, http.client.HTTPException) as error:
        return degraded(
            "engine", f"{path} does not answer: {error}", "networks live in namespaces without it"
        )
    return ok("engine", f"Docker {version}, not needed")
