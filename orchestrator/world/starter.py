"""Starting the programs of nodes: forked from a nursery where it lives, else by argv.

The start is answered when the pid is known, which is later for a nursery that is still importing.
"""

from __future__ import annotations

import os
import selectors
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from orchestrator.world.messages import Message
from orchestrator.world.nodes import Node, Process
from orchestrator.world.nursery import Nursery, start_nursery
from orchestrator.world.spawn import SpawnError, spawn

__all__ = ["Starter", "now_us"]

Reply = Callable[[Message], None]


@dataclass(slots=True, eq=False)
class Starter:
    """Starts programs and keeps the nurseries; the loop tells it of everybody who ended."""

    selector: selectors.BaseSelector
    """Each entry's data is called without arguments when its socket is readable."""
    _nurseries: dict[tuple[str, ...], Nursery | None] = field(default_factory=dict)
    """By command; None: it died, its programs are run by argv."""
    _ended_unborn: dict[int, int] = field(default_factory=dict)
    """Exit codes of children whose nursery has not told their pids yet."""

    def start(self, node: Node, message: Message, reply: Reply) -> None:
        """Start a program unless it runs; raises SpawnError, or replies with an error later."""
        name = message["process"]
        known = node.processes.get(name)
        if known is not None and known.exit_code is None:
            reply({"ok": known.pid})
            return
        nursery = self.warm(message) if message["nursery"] else None
        if nursery is None:
            reply({"ok": self._start_by_argv(node, message)})
            return
        began = now_us()

        def born(pid: int | str) -> None:
            if isinstance(pid, int):
                code = self._ended_unborn.pop(pid, None)
                node.processes[name] = Process(pid, began, code, message["fingerprint"])
                reply({"ok": pid})
                return
            print(f"world: {node.request.name}: {pid}", file=sys.stderr, flush=True)
            try:
                reply({"ok": self._start_by_argv(node, message)})
            except (SpawnError, OSError) as error:
                reply({"error": str(error)})

        log = _open_log(message["log"])
        try:
            request = {
                "arguments": message["argv"][-1:],
                "directory": message["cwd"],
                "umask": message["umask"],
            }
            nursery.bear(request, node.namespaces, log, born)
        finally:
            os.close(log)

    def warm(self, message: Message) -> Nursery | None:
        """The nursery for a command, started if there was none; None if it died."""
        key = tuple(message["nursery"])
        if key not in self._nurseries:
            log = _open_log(message["nursery_log"])
            try:
                nursery = start_nursery(key, message["env"], log)
            finally:
                os.close(log)
            self._nurseries[key] = nursery
            self.selector.register(
                nursery.channel, selectors.EVENT_READ, lambda: self._hear(key, nursery)
            )
        return self._nurseries[key]

    def note_end(self, pid: int, code: int) -> None:
        """Somebody ended who may be a child we are about to hear of."""
        if self._is_anybody_unborn():
            self._ended_unborn[pid] = code

    def _hear(self, key: tuple[str, ...], nursery: Nursery) -> None:
        if not nursery.hear():
            self._nurseries[key] = None
            self.selector.unregister(nursery.channel)
            nursery.channel.close()
        if not self._is_anybody_unborn():
            self._ended_unborn.clear()

    def _is_anybody_unborn(self) -> bool:
        return any(nursery.waiting for nursery in self._nurseries.values() if nursery)

    def _start_by_argv(self, node: Node, message: Message) -> int:
        log = _open_log(message["log"])
        nothing = os.open("/dev/null", os.O_RDONLY | os.O_CLOEXEC)
        try:
            began, stdio = now_us(), (nothing, log, log)
            umask = message["umask"]
            pid = spawn(
                node.namespaces, message["argv"], message["env"], message["cwd"], stdio, umask
            )
        finally:
            os.close(log)
            os.close(nothing)
        node.processes[message["process"]] = Process(pid, began, None, message["fingerprint"])
        return pid


def now_us() -> int:
    """Microseconds of the monotonic clock, which is the host's."""
    return time.monotonic_ns() // 1000


def _open_log(path: str) -> int:
    flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC | os.O_NOFOLLOW
    return os.open(path, flags, 0o600)
