"""Networks in namespaces of one world process: no daemon, no image, nothing outside.

This side runs outside of the world. It writes files, starts the world, and asks it over its socket;
one connection a request, so that threads and other commands may ask at the same time.
"""

from __future__ import annotations

import json
import os
import select
import shutil
import socket as sockets
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from orchestrator.backends import Running, SocketKind, chain, clean_environment
from orchestrator.backends.files import (
    make_private,
    make_shared,
    nodes_with_keys,
    open_to_all,
    write_files,
)
from orchestrator.backends.guests import guard_of
from orchestrator.backends.keys import PACKAGE_ROOT, create_keys
from orchestrator.backends.making import make_content
from orchestrator.control import connected
from orchestrator.directories import Places
from orchestrator.errors import CheckFailed, HostUnfit, OperatorError
from orchestrator.ops import (
    CLEARNET_PREFIX_LENGTH,
    NODE_PROCESS,
    CreateKeys,
    CreateNetwork,
    CreateNode,
    ForgetProcess,
    NodeSpec,
    Observed,
    ObservedNode,
    ObservedProcess,
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
from orchestrator.world.guest import Invitation
from orchestrator.world.messages import Message, receive, send
from orchestrator.worlds import LABEL_OPTION

__all__ = ["NetnsBackend", "WorldGone", "find_ip"]

REPLY_TIMEOUT_S = 20.0
"""The world answers in milliseconds; making namespaces may take longer on a busy machine."""
SBIN = "/usr/sbin:/sbin:/usr/local/sbin"


class WorldGone(CheckFailed):
    """The network's world does not answer."""


def find_ip() -> str | None:
    """The `ip` command."""
    return _find("ip")


def _find(command: str) -> str | None:
    """Also where a plain user's PATH does not look."""
    return shutil.which(command, path=f"{os.environ.get('PATH', '')}:{SBIN}")


@dataclass(slots=True)
class NetnsBackend:
    """One network; see `Backend`. What changes it needs the number, and the lock's descriptor."""

    places: Places
    network_id: str = ""
    lock: int | None = None
    """Handed to children that must not be overtaken, so that it outlives this process."""
    workers: ClassVar[int] = 4
    """Most acts wait for one world process: more would only queue there."""
    sees_this_machine: ClassVar[bool] = True

    def observe(self) -> Observed:
        """Ask the world; keys are files and outlive it."""
        keys = frozenset(nodes_with_keys(self.places.state / "nodes"))
        try:
            nodes = self._ask({"verb": "observe"})
        except WorldGone:
            return Observed(keys=keys)
        in_order = sorted(nodes.items(), key=lambda item: sockets.inet_aton(item[1]["address"]))
        return Observed(True, {name: _node(raw) for name, raw in in_order}, keys)

    def perform(self, op: Op) -> None:  # noqa: C901 -- one branch for each kind of act
        """One act."""
        match op:
            case CreateKeys(requests):
                create_keys(self.places, requests, self.lock)
            case CreateNetwork(nursery=nursery):
                self._create_network(nursery)
            case CreateNode():
                self._create_node(op)
            case StartProcess():
                self._start(op)
            case RemoveKeys(node):
                shutil.rmtree(self.places.node(node), ignore_errors=True)
            case RemoveNetwork():
                with suppress(WorldGone):
                    self._ask({"verb": "shutdown"})
            case ForgetProcess(node, name):
                for verb in ("stop", "forget"):
                    self._ask({"verb": verb, "node": node, "process": name})
            case StopProcess() | SignalProcess() | RemoveNode():
                self._ask(_request(op))
            case RegisterRouters() | SettleNames():
                chain.perform(op)

    def all_made(self) -> None:
        """Nothing is held back: making a node takes less than its program's first steps."""

    def exec(
        self,
        node: str,
        argv: Sequence[str],
        stdio: tuple[int, int, int],
        env: Mapping[str, str],
        tty: bool = False,
    ) -> Running:
        """The world starts it on our descriptors and tells us how it ended."""
        request = {
            "verb": "run",
            "node": node,
            "argv": list(argv),
            "env": dict(env),
            "cwd": _working_directory(),
            "umask": _umask(),
            "tty": tty,
        }
        connection = self._connect()
        try:
            send(connection, request, stdio)
            _result(connection)
        except BaseException:
            connection.close()
            raise
        return WorldRunning(connection)

    def beside(
        self,
        node: str,
        argv: Sequence[str],
        stdio: tuple[int, int, int],
        env: Mapping[str, str],
    ) -> Running:
        """Nodes have this machine's files; the guard sees to it that nothing is left."""
        return self.exec(node, guard_of(Invitation(list(argv)), env), stdio, env)

    def socket(self, node: str, kind: SocketKind) -> sockets.socket:
        """Made by the world in the node's network, handed over."""
        with self._connect() as connection:
            send(connection, {"verb": "socket", "node": node, "kind": kind})
            _, descriptors = _result(connection)
        return sockets.socket(fileno=descriptors[0])

    def control(self, node: str, path: str) -> sockets.socket:
        """Nothing stands between."""
        return connected(path)

    def logs(self, node: str) -> dict[str, str]:
        """Every *.log file of the node's directory."""
        files = sorted(self.places.node(node).glob("*.log"))
        return {file.stem: str(file) for file in files}

    def close(self) -> None:
        """Nothing is held between requests."""

    def _connect(self) -> sockets.socket:
        connection = sockets.socket(sockets.AF_UNIX, sockets.SOCK_SEQPACKET)
        connection.settimeout(REPLY_TIMEOUT_S)
        try:
            connection.connect(str(self.places.world_socket))
        except (FileNotFoundError, ConnectionRefusedError) as error:
            connection.close()
            raise WorldGone(f"network {self.places.name!r} is not up") from error
        except PermissionError as error:
            connection.close()
            raise HostUnfit(f"network {self.places.name!r} belongs to somebody else") from error
        return connection

    def _ask(self, message: Message) -> Any:
        with self._connect() as connection:
            send(connection, message)
            return _result(connection)[0]

    def _held(self) -> tuple[int, ...]:
        return () if self.lock is None else (self.lock,)

    def _create_network(self, nursery: tuple[str, ...]) -> None:
        ip = find_ip()
        if ip is None:
            raise HostUnfit("no `ip` command: install it: `apt-get install iproute2`")
        command = [sys.executable, "-P", "-S", "-m", "orchestrator.world"]
        command += ["--socket", str(self.places.world_socket)]
        command += ["--world-file", str(self.places.world_file)]
        command += ["--log", str(self.places.world_log), "--ip", ip]
        for directory in (self.places.run, self.places.state):
            command += ["--keep", str(directory)]
        command += [LABEL_OPTION, self.network_id]
        if self.lock is not None:
            command += ["--lock", str(self.lock)]
        result = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            timeout=REPLY_TIMEOUT_S,
            env={**clean_environment(), "PYTHONPATH": str(PACKAGE_ROOT)},
            start_new_session=True,
            pass_fds=self._held(),
        )
        try:
            answer = json.loads(result.stdout)
        except ValueError:
            raise OperatorError(f"the world did not start: {result.stderr.strip()}") from None
        if "error" in answer:
            raise HostUnfit(answer["error"])
        if nursery:
            self._ask({"verb": "warm", **self._nursery(nursery)})

    def _create_node(self, op: CreateNode) -> None:
        spec = op.spec
        directory = Path(spec.directory)
        make_private(directory)
        make_shared(directory, [name for name, _ in spec.shared])
        labels = {"role": spec.role, "control": spec.control}
        if spec.clearnet:
            labels["clearnet"] = spec.clearnet
        for process in spec.processes:
            if process.port is not None:
                labels[f"port.{process.name}"] = str(process.port)
        node = {
            "name": spec.name,
            "legs": _legs(spec, op.prefix_length),
            "resolver": spec.resolver,
            "shared": [[str(directory / name), target] for name, target in spec.shared],
        }
        if spec.rules:
            node |= {"rules": spec.rules, "nft": _nft()}
        self._ask(
            {
                "verb": "create_node",
                "node": node,
                "fingerprint": spec.fingerprint,
                "labels": labels,
            }
        )

    def _start(self, op: StartProcess) -> None:
        process, directory = op.process, self.places.node(op.node)
        write_files(directory, op.files, op.shared)
        make_content(directory, process.content)
        open_to_all(directory, process.writes)
        self._ask(
            {
                "verb": "start",
                "node": op.node,
                "process": process.name,
                "argv": list(process.argv),
                "cwd": str(directory),
                "log": process.log,
                "fingerprint": op.fingerprint,
                "umask": process.umask,
                **self._nursery(process.nursery),
            }
        )

    def _nursery(self, argv: tuple[str, ...]) -> Message:
        """The part of a request that says how to start programs and by whom."""
        return {
            "nursery": list(argv),
            "nursery_log": str(self.places.state / "nursery.log"),
            "env": {**clean_environment(), "PYTHONPATH": str(PACKAGE_ROOT)},
        }


@dataclass(slots=True)
class WorldRunning:
    """A program the world runs for us, for as long as we hold the connection."""

    connection: sockets.socket

    def signal(self, number: int) -> None:
        """Send its process group a signal."""
        with suppress(OSError):
            send(self.connection, {"verb": "signal", "signal": number})

    def wait(self, timeout_s: float | None = None) -> int:
        """Its exit code; raises TimeoutError, or WorldGone when the world ended under it."""
        timeout_ms = None if timeout_s is None else timeout_s * 1000
        poll = select.poll()
        poll.register(self.connection, select.POLLIN)
        if not poll.poll(timeout_ms):
            raise TimeoutError
        message, _ = receive(self.connection)
        if message is None or "exit" not in message:
            raise WorldGone("the network went down while the program ran")
        return int(message["exit"])

    def close(self) -> None:
        """Hang up."""
        self.connection.close()


def _request(op: StopProcess | SignalProcess | RemoveNode) -> Message:
    """An act that is one question to the world."""
    match op:
        case StopProcess(node, name):
            return {"verb": "stop", "node": node, "process": name}
        case SignalProcess(node, name, number):
            return {"verb": "kill", "node": node, "process": name, "signal": number}
        case RemoveNode(node):
            return {"verb": "remove_node", "node": node}


def _legs(spec: NodeSpec, prefix_length: int) -> list[list[str]]:
    """A node's links, as the world wants them; bridge ends have numbers of their addresses."""
    legs = []
    if spec.is_on_underlay:
        number = int.from_bytes(sockets.inet_aton(spec.address)[2:], "big")
        legs.append([f"{spec.address}/{prefix_length}", f"veth{number}", "underlay"])
    if spec.clearnet:
        number = sockets.inet_aton(spec.clearnet)[3]
        address = f"{spec.clearnet}/{CLEARNET_PREFIX_LENGTH}"
        legs.append([address, f"clear{number}", "clearnet"])
    return legs


def _nft() -> str:
    found = _find("nft")
    if found is None:
        raise HostUnfit("no `nft` command: install it: `apt-get install nftables`")
    return found


def _working_directory() -> str:
    try:
        return os.getcwd()
    except FileNotFoundError:
        return "/"  # deleted under the caller


def _umask() -> int:
    """Ours, read without changing it: other threads may be creating files."""
    status = Path("/proc/self/status").read_text(encoding="utf-8")
    line = next(line for line in status.splitlines() if line.startswith("Umask:"))
    return int(line.split()[1], 8)


def _result(connection: sockets.socket) -> tuple[Any, list[int]]:
    try:
        message, descriptors = receive(connection)
    except TimeoutError as error:
        raise OperatorError(f"the world did not answer within {REPLY_TIMEOUT_S:.0f} s") from error
    except ConnectionResetError:
        message, descriptors = None, []
    if message is None:
        raise WorldGone("the network went down")
    if "error" in message:
        raise CheckFailed(message["error"])
    return message["ok"], descriptors


def _node(raw: dict[str, Any]) -> ObservedNode:
    node_first = sorted(
        raw["processes"].items(), key=lambda item: (item[0] != NODE_PROCESS, item[0])
    )
    processes = {name: ObservedProcess(**process) for name, process in node_first}
    return ObservedNode(raw["fingerprint"], raw["address"], raw["labels"], processes)
