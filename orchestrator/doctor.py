"""Everything about this machine that a network may trip over, and a world made on trial.

The trial is the real thing: user, mount, pid and network namespaces, a tun, a bridge and one node's
link, in a directory of its own, ended again; or a container that makes a tun. What it shows no file
can.
"""

from __future__ import annotations

import fcntl
import re
import struct
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from orchestrator.backends.netns import NetnsBackend
from orchestrator.capacity import Demand, Supply, capacities
from orchestrator.directories import Places
from orchestrator.engine.client import Engine
from orchestrator.engine.fitness import Said, fitness
from orchestrator.engine.images import OURS
from orchestrator.engine.subnets import taken_by_engine, taken_by_machine
from orchestrator.engine.trial import try_a_container
from orchestrator.errors import OperatorError
from orchestrator.findings import Finding, Verdict, degraded, fatal, ok
from orchestrator.ops import CreateNetwork, CreateNode, NodeSpec, RemoveNetwork
from orchestrator.preflight import essentials

__all__ = ["diagnose", "diagnose_engine", "try_a_world"]

DATAGRAM_PACKET_BYTES = 1404
"""The IPv4 packet of one datagram between nodes: docs/wire.md."""
LINK = "eth0"
SIOCGIFMTU = 0x8921
"""linux/sockios.h."""
IFREQ = struct.Struct("16si20x")
OF_BOTH = ("kernel", "socket buffers", "neighbour table", "bridge", "memory", "clock")
"""What containers need of the machine as namespaces do."""
COMMAND = re.compile(r"`[^`]+`")


def diagnose(
    demand: Demand,
    programs: Sequence[str],
    supply: Supply,
    trial: Callable[[], list[Finding]] | None = None,
) -> list[Finding]:
    """All findings; the world is tried only where nothing fatal is known before."""
    found = [*essentials(programs), *capacities(demand, supply)]
    if any(finding.verdict is Verdict.FATAL for finding in found):
        return found
    return [*found, *(trial or try_a_world)()]


def diagnose_engine(
    demand: Demand, underlay: str, images: Sequence[str], supply: Supply, engine: Engine
) -> list[Finding]:
    """The same for networks of containers; `images` are those they would be made of, by name."""
    shared = [each for each in capacities(demand, supply) if each.subject in OF_BOTH]
    try:
        version = engine.version()
        info = engine.info()
        taken = [*taken_by_engine(engine.networks()), *taken_by_machine()]
        rows = {name: engine.image(name) for name in images}
    except OperatorError as error:
        text = str(error)
        return [fatal("engine", text, " or ".join(COMMAND.findall(text)) or "see the text")]
    there = {name: row is not None for name, row in rows.items()}
    found = [*fitness(Said(version, info, taken, there, supply.user), underlay), *shared]
    node = rows.get(OURS["node"])
    if node is None or any(finding.verdict is Verdict.FATAL for finding in found):
        return found
    return [*found, try_a_container(engine, str(node["Id"]))]


def try_a_world() -> list[Finding]:
    """Make one with one node in it, and end it."""
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="testnet-doctor-") as folder:
        places = Places("doctor", Path(folder) / "state", Path(folder) / "run")
        for directory in (places.state, places.run):
            directory.mkdir(mode=0o700)
        backend = NetnsBackend(places)
        try:
            backend.perform(CreateNetwork(places.name))
            try:
                backend.perform(CreateNode(_probe(places), 16))
                mtu = _mtu(backend)
            finally:
                backend.perform(RemoveNetwork(places.name))
        except OperatorError as error:
            text = str(error)
            commands = " or ".join(COMMAND.findall(text))
            return [fatal("world", text, commands or "see the text")]
    took = f"made and ended in {(time.monotonic() - began) * 1000:.0f} ms"
    return [ok("world", took), _mtu_finding(mtu)]


def _probe(places: Places) -> NodeSpec:
    """A node that runs nothing."""
    return NodeSpec(
        name="probe",
        role="client",
        address="10.77.0.1",
        directory=str(places.node("probe")),
        control=str(places.control("probe")),
        files={},
        shared=(),
        processes=(),
        resolver="127.3.2.1",
        fingerprint="",
    )


def _mtu(backend: NetnsBackend) -> int:
    with backend.socket("probe", "udp") as probe:
        request = IFREQ.pack(LINK.encode(), 0)
        return int(IFREQ.unpack(fcntl.ioctl(probe.fileno(), SIOCGIFMTU, request))[1])


def _mtu_finding(mtu: int) -> Finding:
    seen = f"links have {mtu} bytes, datagrams take {DATAGRAM_PACKET_BYTES}"
    if mtu < DATAGRAM_PACKET_BYTES:
        return degraded("mtu", seen, "each datagram crosses a link in fragments")
    return ok("mtu", seen)
