"""A network that is a dict: for tests of everything above the backends.

Programs run until `crash()`; nothing listens, so there is nothing to exec and no socket.
"""

from __future__ import annotations

import socket
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import ClassVar

from orchestrator.backends import Connection, Running, SocketKind
from orchestrator.control import connected
from orchestrator.errors import CheckFailed, OperatorError
from orchestrator.ops import (
    CreateKeys,
    CreateNetwork,
    CreateNode,
    ForgetProcess,
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
    describe,
)
from orchestrator.registry import NameNote, ObservedRegistry, hash_of

__all__ = ["MemoryBackend"]


@dataclass(slots=True)
class MemoryBackend:
    """Does every op on plain values; `refuse` names ops (as `describe` prints them) that fail."""

    workers: ClassVar[int] = 4
    sees_this_machine: ClassVar[bool] = False
    refuse: frozenset[str] = frozenset()
    done: list[Op] = field(default_factory=list)
    observed: Observed = field(default_factory=Observed)
    logs_of: dict[str, dict[str, str]] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _next_pid: int = 100

    def observe(self) -> Observed:
        """The dict."""
        return self.observed

    def perform(self, op: Op) -> None:
        """Change the dict."""
        with self._lock:
            if describe(op) in self.refuse:
                raise OperatorError(f"{describe(op)} refused")
            self.observed = self._after(op)
            self.done.append(op)

    def crash(self, node: str, process: str, exit_code: int) -> None:
        """Let a program end by itself."""
        old = self.observed.nodes[node]
        ended = replace(old.processes[process], exit_code=exit_code)
        self._put(node, replace(old, processes={**old.processes, process: ended}))

    def all_made(self) -> None:
        """Nothing is held back."""

    def exec(
        self,
        node: str,
        argv: Sequence[str],
        stdio: tuple[int, int, int],
        env: Mapping[str, str],
        tty: bool = False,
    ) -> Running:
        """Always an error."""
        raise CheckFailed("nothing runs in a network in memory")

    def beside(
        self,
        node: str,
        argv: Sequence[str],
        stdio: tuple[int, int, int],
        env: Mapping[str, str],
    ) -> Running:
        """Always an error."""
        raise CheckFailed("nothing runs in a network in memory")

    def socket(self, node: str, kind: SocketKind) -> socket.socket:
        """Always an error."""
        raise CheckFailed("a network in memory has no sockets")

    def control(self, node: str, path: str) -> Connection:
        """Nothing stands between."""
        return connected(path)

    def logs(self, node: str) -> dict[str, str]:
        """What the test put there."""
        return self.logs_of.get(node, {})

    def close(self) -> None:
        """Nothing is held."""

    def _put(self, name: str, node: ObservedNode) -> None:
        self.observed = replace(self.observed, nodes={**self.observed.nodes, name: node})

    def _after(self, op: Op) -> Observed:  # noqa: PLR0911 -- one return for each op
        now = self.observed
        match op:
            case CreateKeys(requests):
                return replace(now, keys=now.keys | {request.node for request in requests})
            case RemoveKeys(name):
                return replace(now, keys=now.keys - {name})
            case CreateNetwork():
                return replace(now, exists=True)
            case RemoveNetwork():
                return Observed(keys=now.keys)
            case CreateNode(spec):
                node = ObservedNode(spec.fingerprint, spec.address)
                return replace(now, nodes={**now.nodes, spec.name: node})
            case RemoveNode(name):
                return replace(now, nodes={k: v for k, v in now.nodes.items() if k != name})
            case StartProcess() | StopProcess() | ForgetProcess() | SignalProcess():
                return self._after_process(op)
            case RegisterRouters() | SettleNames():
                return replace(now, registry=self._after_registry(op))

    def _after_registry(self, op: RegisterRouters | SettleNames) -> ObservedRegistry:
        """A node's identity is its name here, a name's transaction how often it was settled."""
        now = self.observed.registry or ObservedRegistry()
        if isinstance(op, RegisterRouters):
            new = {router.node: router.node for router in op.routers}
            listed = (now.listed - set(op.retired)) | new.keys()
            return replace(now, listed=listed, routers={**now.routers, **new})
        records, notes = dict(now.records), dict(now.names)
        for spec in op.names:
            txid = records.get(hash_of(spec.name), "") + "+"
            records[hash_of(spec.name)] = txid
            notes[spec.name] = NameNote(spec.to, spec.owner, spec.backup_owner, txid)
        return replace(now, records=records, names=notes)

    def _after_process(
        self, op: StartProcess | StopProcess | ForgetProcess | SignalProcess
    ) -> Observed:
        node = self.observed.nodes[op.node]
        match op:
            case StartProcess(process=process):
                self._next_pid += 1
                started = ObservedProcess(self._next_pid, 0, fingerprint=op.fingerprint)
                return self._with_process(op.node, process.name, started)
            case StopProcess(process=name):
                stopped = replace(node.processes[name], exit_code=0, stopped=True)
                return self._with_process(op.node, name, stopped)
            case SignalProcess(process=name):
                ended = replace(node.processes[name], exit_code=-op.number)
                return self._with_process(op.node, name, ended)
            case ForgetProcess(process=name):
                rest = {k: v for k, v in node.processes.items() if k != name}
                nodes = {**self.observed.nodes, op.node: replace(node, processes=rest)}
                return replace(self.observed, nodes=nodes)

    def _with_process(self, node: str, name: str, process: ObservedProcess) -> Observed:
        old = self.observed.nodes[node]
        new = replace(old, processes={**old.processes, name: process})
        return replace(self.observed, nodes={**self.observed.nodes, node: new})
