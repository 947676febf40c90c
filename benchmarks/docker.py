"""Networks of containers: how long they take, and what a container costs besides its node.

Created means that every container runs, by the engine's own record of when each was started. What
a router's container costs besides the node process is made of three parts: the process that
watches over it (its proportional set size), what the engine grew by, and what its cgroup is charged
with beyond the node's proportional set size (kernel memory, pages of files it read first).
"""

from __future__ import annotations

import json
import socket
import statistics
import struct
import subprocess
import time
from datetime import datetime
from pathlib import Path
from typing import Any

from benchmarks.figures import Benchmark, BenchmarkFailed, Figure, Reading, Readings
from benchmarks.idle import SETTLE_S
from benchmarks.network import NAME, Network, scratch_network
from benchmarks.processes import pss_mib
from orchestrator.engine.client import engine_socket
from orchestrator.errors import OperatorError

BACKEND = "docker"
MANY = "fifty"
PATIENCE_S = 180
"""Fifty interpreters start on what cores there are."""
LABEL = "lokinet-testnet."
PEER = struct.Struct("3i")
"""struct ucred: pid, uid, gid."""
SHIM = "containerd-shim"
MIB = 1 << 20
CGROUPS = Path("/sys/fs/cgroup")

Row = dict[str, Any]


def measure() -> Readings:
    """The default network once; fifty routers made, looked at, made again, removed."""
    with scratch_network(BACKEND) as network:
        began = time.monotonic()
        network.up("default", PATIENCE_S)
        first = time.monotonic() - began
    return {"first": Reading(first), **_fifty()}


def _fifty() -> Readings:
    engine = _engine_pid()
    with scratch_network(BACKEND) as network:
        before = pss_mib(engine)
        began, began_at = time.monotonic(), time.time()
        network.up(MANY, PATIENCE_S)
        page = time.monotonic() - began
        rows = containers()
        created = last_start(rows) - began_at
        time.sleep(SETTLE_S)
        growth = (pss_mib(engine) - before) / len(rows)
        parts = _memory(rows)
        began = time.monotonic()
        network.up(MANY, PATIENCE_S)
        again = time.monotonic() - began
        _refuse_changes(network)
        began = time.monotonic()
        network.down()
        removed = time.monotonic() - began
    return {
        "created": Reading(created),
        "page": Reading(page),
        "again": Reading(again),
        "removed": Reading(removed),
        "shim": Reading(parts[0]),
        "engine": Reading(growth),
        "cgroup": Reading(parts[1]),
        "beyond": Reading(sum(parts) + growth),
    }


def _refuse_changes(network: Network) -> None:
    if network.report["changes"]:
        raise BenchmarkFailed(f"the second up made {network.report['changes']} changes")


def last_start(rows: list[Row]) -> float:
    """Of a network's own containers, in seconds since the epoch: not of one for people's commands.

    BenchmarkFailed if one has ended.
    """
    own = [row for row in rows if row["Config"]["Labels"][f"{LABEL}program"] != "tools"]
    if not own or not all(row["State"]["Running"] for row in own):
        raise BenchmarkFailed("not every container of the network runs")
    return max(_instant(row["State"]["StartedAt"]) for row in own)


def _memory(rows: list[Row]) -> tuple[float, float]:
    """Medians over the routers' containers, in MiB: its shim, its cgroup beyond the node."""
    shims = _shims()
    routers = [row for row in rows if row["Config"]["Labels"][f"{LABEL}node"].startswith("router")]
    if not routers or any(row["Id"] not in shims for row in routers):
        raise BenchmarkFailed("containers without a shim process: another runtime is at work")
    beyond = [charged_mib(row["State"]["Pid"]) - pss_mib(row["State"]["Pid"]) for row in routers]
    return (
        statistics.median(pss_mib(shims[row["Id"]]) for row in routers),
        statistics.median(beyond),
    )


def containers() -> list[Row]:
    """All of the network, as the engine describes them."""
    chosen = f"--filter=label={LABEL}network={NAME}"
    numbers = _docker("ps", "--quiet", "--no-trunc", chosen).split()
    if not numbers:
        raise BenchmarkFailed("the engine shows no container of the network")
    found: list[Row] = json.loads(_docker("inspect", *numbers))
    return found


def _docker(*arguments: str) -> str:
    done = subprocess.run(["docker", *arguments], capture_output=True, text=True, check=False)
    if done.returncode:
        raise BenchmarkFailed(f"docker {arguments[0]}: {done.stderr.strip()}")
    return done.stdout


def _engine_pid() -> int:
    """Who listens on the engine's socket."""
    try:
        with socket.socket(socket.AF_UNIX) as channel:
            channel.connect(engine_socket())
            peer = channel.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, PEER.size)
    except (OSError, OperatorError) as error:
        raise BenchmarkFailed(f"no engine answers: {error}") from None
    return int(PEER.unpack(peer)[0])


def _shims() -> dict[str, int]:
    """Pids of the processes that watch over containers, by the container's number."""
    found = {}
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = path.read_bytes().decode(errors="replace").split("\0")
        except OSError:
            continue  # it has just ended
        if SHIM in words[0] and "-id" in words:
            found[words[words.index("-id") + 1]] = int(path.parent.name)
    return found


def charged_mib(pid: int, root: Path = CGROUPS) -> float:
    """What the cgroup of a process is charged with, in version 1 or 2."""
    for line in Path(f"/proc/{pid}/cgroup").read_text(encoding="utf-8").splitlines():
        _, controllers, path = line.split(":", 2)
        if "memory" in controllers.split(","):
            file = root / "memory" / path.lstrip("/") / "memory.usage_in_bytes"
        elif not controllers:
            file = root / path.lstrip("/") / "memory.current"
        else:
            continue
        if file.exists():
            return int(file.read_text(encoding="ascii")) / MIB
    raise BenchmarkFailed(f"/proc/{pid}/cgroup leads to no memory account")


def _instant(text: str) -> float:
    """Seconds since the epoch, from `2026-11-22T05:04:03.123456789Z`."""
    seconds, _, fraction = text.removesuffix("Z").partition(".")
    return datetime.fromisoformat(f"{seconds}+00:00").timestamp() + float(f"0.{fraction or 0}")


BENCHMARK = Benchmark(
    name="docker",
    summary="containers: the default network, fifty routers, memory",
    figures=(
        Figure("first", "default network, `up` to its end", "s", "≤ 12"),
        Figure("created", "50 routers, until containers run", "s", "≤ 15"),
        Figure("page", "50 routers, `up` to its end", "s"),
        Figure("again", "second `up`, nothing to change", "s", "≤ 1"),
        Figure("removed", "`down`, and looking for leftovers", "s", "≤ 6"),
        Figure("beyond", "a router's container beyond the node", "MiB"),
        Figure("shim", "· its shim process, PSS", "MiB"),
        Figure("engine", "· growth of the engine, PSS", "MiB"),
        Figure("cgroup", "· its cgroup beyond the node's PSS", "MiB"),
    ),
    measure=measure,
    programs=("docker",),
)
