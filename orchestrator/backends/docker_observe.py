"""What the engine shows of a network's containers, as nodes and programs."""

from __future__ import annotations

import os
import socket
import threading
import time
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from typing import Any

from orchestrator.backends.docker_containers import BESIDE, SANDBOX, TOOLS, NodeNote
from orchestrator.engine.belongings import LABEL
from orchestrator.engine.client import Engine
from orchestrator.ops import NODE_PROCESS, ObservedNode, ObservedProcess

__all__ = ["STOPPED", "Look", "observed_nodes"]

Row = dict[str, Any]
STOPPED = ".stopped"
"""End of the name of a container that was asked to end; labels cannot be changed."""
WORKERS = 8
FRESH_S = 0.5
"""For so long a look counts, unless somebody ended."""
SIGNAL_BASE = 128
HIGHEST_SIGNAL = 64
GONE = "namespace=gone"
"""In a fingerprint: the container that held the namespace does not run."""


class Look:
    """What the engine shows of a network, asked as seldom as can be.

    A list of all containers is one question, details are one for each, so only who is new is asked
    for; and while every program that ran still runs, nothing is asked for a while, as whoever waits
    for a network looks many times a second.
    """

    def __init__(self, engine: Engine, labels: dict[str, str]) -> None:
        """Labels of the network."""
        self._engine = engine
        self._labels = labels
        self._known: dict[tuple[str, str], Row] = {}
        self._lock = threading.Lock()
        self.offset_s = time.time() - time.monotonic()
        """Measured once: a program that runs on has always started at the same instant."""
        self._seen: tuple[float, dict[str, ObservedNode]] | None = None

    def nodes(self) -> dict[str, ObservedNode] | None:
        """By name, in the order of their addresses; None where there is no network."""
        seen = self._seen
        if seen and time.monotonic() - seen[0] < FRESH_S and _still_run(seen[1]):
            return seen[1]
        before = time.monotonic()
        if not self._engine.networks(self._labels):
            self.forget()
            return None
        found = observed_nodes(self.containers(), self.offset_s)
        self._seen = (before, found)
        return found

    def forget(self) -> None:
        """Something was changed: ask again."""
        self._seen = None

    def started(self, container: str) -> Row:
        """One that was just started, remembered for the next look; empty if it is gone."""
        found = self._engine.inspect(container)
        if found is None:
            return {}
        with self._lock:
            self._known[found["Id"], found["State"]["Status"]] = found
        return found

    def containers(self) -> list[Row]:
        """All, in full, as `GET /containers/ID/json` has them."""
        rows = self._engine.containers(self._labels)
        current = {(row["Id"], row["State"]) for row in rows}
        with self._lock:
            self._known = {key: value for key, value in self._known.items() if key in current}
            new = [row for row in rows if (row["Id"], row["State"]) not in self._known]
        if len(new) > 1:
            with ThreadPoolExecutor(WORKERS) as pool:
                list(pool.map(self.details, new))
        found = [self.details(row) for row in rows]
        return [each for each in found if each is not None]

    def details(self, row: Row) -> Row | None:
        """Of one that was listed; None if it is gone by now."""
        key = (row["Id"], row["State"])
        with self._lock:
            known = self._known.get(key)
        if known is None:
            known = self._engine.inspect(row["Id"])
            if known is not None:
                with self._lock:
                    self._known[known["Id"], known["State"]["Status"]] = known
        return known


def _still_run(nodes: dict[str, ObservedNode]) -> bool:
    """Whether every process that was seen is there; the engine reaps who ended at once."""
    return all(
        os.path.exists(f"/proc/{process.pid}")
        for node in nodes.values()
        for process in node.processes.values()
        if process.exit_code is None
    )


def observed_nodes(containers: Iterable[Row], offset_s: float = 0.0) -> dict[str, ObservedNode]:
    """By name, in the order of their addresses.

    Args:
        containers: in full.
        offset_s: from the monotonic clock to the epoch.
    """
    notes: dict[str, NodeNote] = {}
    processes: dict[str, dict[str, ObservedProcess]] = {}
    asleep: set[str] = set()
    for each in containers:
        labels = each["Config"]["Labels"]
        program = labels.get(f"{LABEL}program", TOOLS)  # one for files has no node either
        if program in BESIDE:
            continue
        node = labels[f"{LABEL}node"]
        notes[node] = NodeNote.read(labels[f"{LABEL}note"])
        processes.setdefault(node, {})
        if program == SANDBOX:
            if not each["State"]["Running"]:
                asleep.add(node)
        elif each["State"]["Status"] != "created":  # made by who was killed before the start
            fingerprint = labels.get(f"{LABEL}fingerprint", "")
            processes[node][program] = _process(each, fingerprint, offset_s)
    in_order = sorted(notes, key=lambda name: socket.inet_aton(notes[name].address))
    return {
        name: _node(notes[name], processes[name], name in asleep)
        for name in in_order
        if processes[name] or name not in asleep
    }


def _node(note: NodeNote, processes: dict[str, ObservedProcess], asleep: bool) -> ObservedNode:
    node_first = sorted(processes.items(), key=lambda item: (item[0] != NODE_PROCESS, item[0]))
    fingerprint = f"{note.fingerprint},{GONE}" if asleep else note.fingerprint
    return ObservedNode(fingerprint, note.address, dict(note.labels), dict(node_first))


def _process(each: Row, fingerprint: str, offset_s: float) -> ObservedProcess:
    state = each["State"]
    started_us = int((_instant(state["StartedAt"]) - offset_s) * 1_000_000)
    if state["Running"]:
        return ObservedProcess(int(state["Pid"]), started_us, None, fingerprint)
    stopped = str(each["Name"]).endswith(STOPPED)
    return ObservedProcess(0, started_us, _code(int(state["ExitCode"])), fingerprint, stopped)


def _code(code: int) -> int:
    """The engine tells 128 + number for a signal."""
    is_signal = SIGNAL_BASE < code <= SIGNAL_BASE + HIGHEST_SIGNAL
    return SIGNAL_BASE - code if is_signal else code


def _instant(text: str) -> float:
    """Seconds since the epoch, from `2026-11-22T05:04:03.123456789Z`."""
    seconds, _, fraction = text.removesuffix("Z").partition(".")
    return datetime.fromisoformat(f"{seconds}+00:00").timestamp() + float(f"0.{fraction or 0}")
