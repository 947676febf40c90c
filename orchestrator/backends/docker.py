"""Networks of containers: an internal network of the engine, a container for each program.

Rules: what exists is asked of the engine and known by labels; nothing is kept here. A program that
is started is a new container, so its labels always tell what it was made of. Nodes with one program
have their namespace from that program's container: stopping it ends the namespace, starting it
makes another one at the same address. Where programs share a node, a sandbox holds the namespace.
Root enters namespaces and gives files away; who may only ask the engine has it done in containers.
"""

from __future__ import annotations

import os
import shutil
import socket as sockets
import threading
from collections.abc import Mapping, Sequence
from contextlib import suppress
from ipaddress import IPv4Network
from pathlib import Path
from typing import Any

from orchestrator.backends import Running, SocketKind, captured, chain
from orchestrator.backends.docker_beside import Beside
from orchestrator.backends.docker_containers import (
    BESIDE,
    RULES,
    SANDBOX,
    Ground,
    has_sandbox,
    network_body,
    program_body,
    sandbox_body,
    second_leg,
)
from orchestrator.backends.docker_exec import run_in
from orchestrator.backends.docker_files import furnish, furnish_program
from orchestrator.backends.docker_gate import Gate
from orchestrator.backends.docker_lending import Lenders
from orchestrator.backends.docker_observe import STOPPED, Look
from orchestrator.backends.files import nodes_with_keys
from orchestrator.backends.guests import start_guest
from orchestrator.backends.inside import (
    bridge_of,
    close_bridge,
    drop_default_route,
    silence_bridge,
    socket_in,
)
from orchestrator.backends.keys import create_keys
from orchestrator.control import connected
from orchestrator.directories import Places
from orchestrator.engine import fences
from orchestrator.engine.belongings import LABEL, remove_all, remove_containers
from orchestrator.engine.client import Engine, NameTaken, Refused
from orchestrator.engine.custody import has_foreign, take_back
from orchestrator.engine.subnets import gateway_of
from orchestrator.errors import CheckFailed, HostUnfit, OperatorError
from orchestrator.ops import (
    CLEARNET_PREFIX_LENGTH,
    CreateKeys,
    CreateNetwork,
    CreateNode,
    ForgetProcess,
    NodeSpec,
    Observed,
    Op,
    RegisterRouters,
    RemoveKeys,
    RemoveNetwork,
    RemoveNode,
    SettleNames,
    SignalProcess,
    StartProcess,
    StopProcess,
)
from orchestrator.render_apps import SHARED

__all__ = ["DockerBackend"]

STOP_GRACE_S = 2
RULES_TIMEOUT_S = 20.0
SOCKET_KINDS = {
    "tcp": (sockets.AF_INET, sockets.SOCK_STREAM),
    "udp": (sockets.AF_INET, sockets.SOCK_DGRAM),
    "packet": (sockets.AF_PACKET, sockets.SOCK_RAW),  # hears nothing before it is bound
}
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
PASSED_ON = ("TERM", "LANG", "COLUMNS", "LINES")
"""Of the caller's environment; the rest speaks of this machine."""
SYSCTLS = {
    "net.ipv4.ip_forward": "0",
    "net.ipv4.conf.all.rp_filter": "1",
    "net.ipv4.tcp_tso_rtt_log": "13",
}
"""As on netns: `world.nodes` says why. Those the kernel has not are left out."""


def known_sysctls() -> dict[str, str]:
    """Those this kernel has."""
    return {
        name: value
        for name, value in SYSCTLS.items()
        if Path("/proc/sys", *name.split(".")).exists()
    }


class DockerBackend:
    """One network; see `Backend`. What changes it needs the lock's descriptor."""

    workers = 8
    """Containers made beside each other: measured best of 1, 2, 4 and 8 on two cores."""
    sees_this_machine = False

    def __init__(
        self, places: Places, network_id: str, underlay: str, lock: int | None = None
    ) -> None:
        """Nothing is asked yet; raises HostUnfit for an engine elsewhere."""
        self.places = places
        self.underlay = underlay
        self.lock = lock
        self.engine = Engine()
        self.ground = Ground(places, network_id, known_sysctls(), os.geteuid(), os.getegid())
        self._look = Look(self.engine, self.ground.own_labels)
        self._beside = Beside(self.engine, self.ground, self._look, self._run)
        self._lenders = Lenders(self._beside.lender)
        self._to_be_asked: list[str] = []
        """New nodes that will have to lend sockets, which takes long to begin."""
        self._gate = Gate(places.run)
        self._closed: set[str] = set()
        """Numbers of networks whose bridges an errand has closed."""
        self._is_new = False
        """The network was made here, so that no container of it can be in the way."""
        self._clearnet_lock = threading.Lock()

    def observe(self) -> Observed:
        """Ask the engine; keys are files and outlive it."""
        keys = frozenset(nodes_with_keys(self.places.state / "nodes"))
        nodes = self._look.nodes()
        return Observed(keys=keys) if nodes is None else Observed(True, nodes, keys)

    def perform(self, op: Op) -> None:
        """One act."""
        try:
            self._perform(op)
        finally:
            self._look.forget()

    def _perform(self, op: Op) -> None:  # noqa: C901, PLR0912 -- one branch for each kind of act
        match op:
            case CreateKeys(requests):
                create_keys(self.places, requests, self.lock)
            case CreateNetwork():
                self._create_network()
            case CreateNode(spec):
                self._make_node(spec)
            case StartProcess():
                self._start(op)
            case StopProcess(node, name):
                self._stop(node, name)
            case SignalProcess(node, name, number):
                self.engine.kill(self._running(node, name), number)
            case ForgetProcess(node, name):
                remove_containers(self.engine, self.ground.labels_of(node, name))
            case RemoveKeys(node):
                self._remove_keys(self.places.node(node))
            case RemoveNode(node):
                remove_containers(self.engine, self.ground.labels_of(node))
            case RemoveNetwork():
                remove_all(self.engine, self.ground.own_labels, may_be_in_flight=False)
            case RegisterRouters() | SettleNames():
                chain.perform(op)

    def all_made(self) -> None:
        """Nodes waited for each other's containers; they will be asked whether they are ready."""
        self._gate.open()
        self._lenders.warm(self._to_be_asked)

    def exec(
        self,
        node: str,
        argv: Sequence[str],
        stdio: tuple[int, int, int],
        env: Mapping[str, str],
        tty: bool = False,
    ) -> Running:
        """In the node's sandbox, or in a container beside it that is made when first needed.

        The caller's directory and environment mean nothing in there; its terminal's kind does.
        """
        kept = {name: value for name, value in env.items() if name in PASSED_ON}
        container = self._beside.tools(node)
        return run_in(self.engine, container, argv, stdio, {"PATH": PATH, **kept}, tty)

    def beside(
        self,
        node: str,
        argv: Sequence[str],
        stdio: tuple[int, int, int],
        env: Mapping[str, str],
    ) -> Running:
        """With its guard in the network of the container that has the node's."""
        owner = self._beside.owner(node)
        resolv_conf = (self.ground.extras(node) / "resolv.conf").read_text(encoding="ascii")
        keep = [str(self.places.run), str(self.places.state)]
        return start_guest(owner["State"]["Pid"], resolv_conf, keep, argv, stdio, env)

    def socket(self, node: str, kind: SocketKind) -> sockets.socket:
        """Made in the node's network namespace: by a thread that enters it, or a program there."""
        if self.ground.is_roots:
            return socket_in(self._beside.owner(node)["State"]["Pid"], *SOCKET_KINDS[kind])
        try:
            return self._lenders.ask(node, kind)
        except OSError as error:
            raise OperatorError(f"{node}: no socket there: {error.strerror or error}") from error

    def control(self, node: str, path: str) -> sockets.socket:
        """A node that is root in its container lets only root in: a program in there goes."""
        try:
            return connected(path)
        except PermissionError:
            return self._lenders.ask(node, f"stream {path}")

    def logs(self, node: str) -> dict[str, str]:
        """Every *.log file of the node's directory."""
        files = sorted(self.places.node(node).glob("*.log"))
        return {file.stem: str(file) for file in files}

    def close(self) -> None:
        """Let go of connections."""
        self._gate.open()
        self._lenders.close()
        self.engine.close()

    # Acts

    def _create_network(self) -> None:
        gateway = gateway_of(self.underlay)
        try:
            body = network_body(self.ground, self.underlay, gateway)
            self._close_bridge(self.engine.create_network(body))
            self._is_new = True
            self._gate.shut()
        except NameTaken:
            found = self._network(self.ground.name)
            if found is None:
                raise
            self._close_bridge(found)
        except Refused as error:
            if "overlap" not in str(error):
                raise
            raise HostUnfit(
                f"{error}: somebody took {self.underlay} meanwhile: try again, or give the "
                "topology another `underlay`"
            ) from error

    def _close_bridge(self, network: str) -> None:
        if self.ground.is_roots:
            close_bridge(network)
        elif network not in self._closed:
            fences.filter_sources(self.engine, bridge_of(network), self.ground.own_labels)
            self._closed.add(network)

    def _create_clearnet(self, address: str) -> None:
        """Made with the first node on it; one that is there stays."""
        subnet = str(IPv4Network(f"{address}/{CLEARNET_PREFIX_LENGTH}", strict=False))
        number = self._network(self.ground.clearnet)
        if number is None:
            body = network_body(self.ground, subnet, gateway_of(subnet), self.ground.clearnet)
            try:
                number = self.engine.create_network(body)
            except Refused as error:
                raise HostUnfit(f"{error}: somebody took {subnet} meanwhile: try again") from error
        self._close_bridge(number)

    def _network(self, name: str) -> str | None:
        """The number of one of the network's own, if it is there."""
        rows = self.engine.networks(self.ground.own_labels)
        return next((str(row["Id"]) for row in rows if row["Name"] == name), None)

    def _make_node(self, spec: NodeSpec) -> None:
        if spec.clearnet:
            with self._clearnet_lock:
                self._create_clearnet(spec.clearnet)
        furnish(self.ground, spec)
        if not self.ground.is_roots and (spec.tun or not spec.is_on_underlay):
            self._to_be_asked.append(spec.name)
        if not has_sandbox(spec):
            return
        name = self.ground.container(spec.name, SANDBOX)
        second = second_leg(spec) if spec.clearnet and spec.is_on_underlay else None
        self._run(name, sandbox_body(self.ground, spec), owns_namespace=True, second=second)
        if spec.rules:
            self._set_rules(spec.name)

    def _set_rules(self, node: str) -> None:
        """A packet filter, before anything runs that could forward; raises CheckFailed."""
        result = captured(self, node, ["nft", "-f", f"{SHARED}/{RULES}"], RULES_TIMEOUT_S)
        if result.code != 0:
            raise CheckFailed(f"{node}: nft: {result.err.strip() or result.code}")

    def _start(self, op: StartProcess) -> None:
        spec, process = op.spec, op.process
        assert spec is not None
        owner = None
        if has_sandbox(spec):
            owner = str(self._beside.owner(op.node)["Id"])
        name = self.ground.container(op.node, process.name)
        former = [name, f"{name}{STOPPED}"]
        if owner is None:  # what people ran there held on to a namespace that is gone
            former += [self.ground.container(op.node, program) for program in BESIDE]
        for each in () if self._is_new else former:
            self._remove_ours(each)
        furnish(self.ground, spec)
        furnish_program(self.ground, op, self._take_back)
        body = program_body(self.ground, spec, process, op.fingerprint, owner)
        self._run(name, body, owns_namespace=owner is None)

    def _run(
        self,
        name: str,
        body: Mapping[str, Any],
        owns_namespace: bool,
        second: Mapping[str, Any] | None = None,
    ) -> None:
        """Make a container and start it; one that is there and runs is left as it is.

        `second`: how it is on the clearnet besides.
        """
        try:
            container = self.engine.create(name, body)
            if second is not None:
                self.engine.connect(self.ground.clearnet, container, second)
        except NameTaken:
            found = self._ours(name)
            if found is None:
                raise
            container = found
        self.engine.start(container, name)
        made = self._look.started(container) if owns_namespace else {}
        if made and (pid := made["State"].get("Pid")):  # else it ended: the wait tells why
            legs = made["NetworkSettings"]["Networks"].values()
            if self.ground.is_roots:
                with suppress(OperatorError):
                    drop_default_route(pid)
            elif any(leg["Gateway"] for leg in legs):  # newer engines set none
                fences.drop_default_route(self.engine, container, self.ground.own_labels)
            for joined in legs:
                silence_bridge(joined["NetworkID"])

    def _ours(self, name: str) -> str | None:
        """The number of the container of that name, if it has our label."""
        found = self.engine.inspect(name)
        if found is None:
            return None
        number = (found["Config"]["Labels"] or {}).get(f"{LABEL}id")
        return str(found["Id"]) if number == self.ground.network_id else None

    def _remove_ours(self, name: str) -> None:
        """Asked by its name, which is quicker than by labels where there are many."""
        container = self._ours(name)
        if container is not None:
            self.engine.remove(container)

    def _stop(self, node: str, program: str) -> None:
        for row in self.engine.containers(self.ground.labels_of(node, program)):
            if row["State"] != "running":
                continue
            name = self.ground.container(node, program)
            with suppress(NameTaken):
                self.engine.rename(row["Id"], f"{name}{STOPPED}")
            self.engine.stop(row["Id"], STOP_GRACE_S)

    def _running(self, node: str, program: str) -> str:
        for row in self.engine.containers(self.ground.labels_of(node, program)):
            if row["State"] == "running":
                return str(row["Id"])
        raise CheckFailed(f"{node}: {program} does not run")

    # Files

    def _remove_keys(self, directory: Path) -> None:
        if not self.ground.is_roots and has_foreign(directory):
            self._take_back(directory)
        shutil.rmtree(directory, ignore_errors=True)

    def _take_back(self, folder: Path) -> None:
        take_back(self.engine, folder, self.ground.own_labels)
