"""Containers beside a node's own: in its network namespace, made when first needed.

People's commands run in one, or in the sandbox where there is one; sockets are lent to a plain user
out of the node's own container, or out of one beside it.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from orchestrator.backends.docker_containers import (
    BESIDE,
    LENDER,
    SANDBOX,
    TOOLS,
    Ground,
    NodeNote,
    lender_body,
    tools_body,
)
from orchestrator.backends.docker_lending import Lender, Started
from orchestrator.backends.docker_observe import Look
from orchestrator.engine.belongings import LABEL, remove_containers
from orchestrator.engine.client import Engine
from orchestrator.engine.images import OURS, PYTHON
from orchestrator.errors import CheckFailed, HostUnfit
from orchestrator.ops import CHAIN_PROCESS, NODE_PROCESS

__all__ = ["Beside"]


class Run(Protocol):
    """Makes a container and starts it."""

    def __call__(self, name: str, body: Mapping[str, Any], owns_namespace: bool) -> None: ...


@dataclass(slots=True, eq=False)
class Beside:
    """Of one network; several threads ask."""

    engine: Engine
    ground: Ground
    look: Look
    run: Run
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def owner(self, node: str) -> dict[str, Any]:
        """The running container with the node's namespace, in full; raises CheckFailed."""
        rows = self.engine.containers(self.ground.labels_of(node))
        rows.sort(key=lambda row: row["Labels"][f"{LABEL}program"] != SANDBOX)
        for row in rows:
            if row["State"] == "running" and row["Labels"][f"{LABEL}program"] not in BESIDE:
                found = self.look.details(row)
                if found is not None and found["State"]["Pid"]:
                    return found
        raise CheckFailed(f"{node} is stopped, and in containers its network ends with it")

    def tools(self, node: str) -> str:
        """Where people's commands run."""
        owner = self.owner(node)
        labels = owner["Config"]["Labels"]
        if labels[f"{LABEL}program"] == SANDBOX:
            return str(owner["Id"])
        note, number = NodeNote.read(labels[f"{LABEL}note"]), str(owner["Id"])
        return self._beside(node, owner, TOOLS, lambda: tools_body(self.ground, node, note, number))

    def lender(self, node: str, is_raw: bool) -> Lender:
        """A program that lends sockets; `is_raw`: those that hear all frames of a link, too."""
        container = self._lending(node, is_raw)
        folder = self.ground.sockets(node)

        def start(name: str) -> Started:
            argv = [PYTHON, "-I", "-m", "lokinet_node.lending", str(self.ground.places.run / name)]
            number = self.engine.prepare_exec(container, argv, {}, tty=False)
            channel, _ = self.engine.start_exec(number, tty=False)

            def pid() -> int:
                return int(self.engine.inspect_exec(number).get("Pid") or 0)

            return Started(pid, channel, channel.close)

        return Lender.begin(node, folder, start)

    def _lending(self, node: str, is_raw: bool) -> str:
        owner = self.owner(node)
        for program in () if is_raw else (NODE_PROCESS, CHAIN_PROCESS):
            for row in self.engine.containers(self.ground.labels_of(node, program)):
                if row["State"] == "running":
                    return str(row["Id"])
        image = self.engine.image(OURS["node"])
        if image is None:
            raise HostUnfit(f"the engine has no image {OURS['node']}: `make images` builds it")
        note = NodeNote.read(owner["Config"]["Labels"][f"{LABEL}note"])
        number, image_number = str(owner["Id"]), str(image["Id"])
        folder = self.ground.sockets(node)
        folder.mkdir(mode=0o700, exist_ok=True)
        folder.chmod(0o770)
        return self._beside(
            node,
            owner,
            LENDER,
            lambda: lender_body(self.ground, node, note, number, image_number),
        )

    def _beside(
        self,
        node: str,
        owner: dict[str, Any],
        program: str,
        body: Callable[[], Mapping[str, Any]],
    ) -> str:
        """The one that is there and in the namespace of now, or a new one."""
        with self._lock:
            labels = self.ground.labels_of(node, program)
            for row in self.engine.containers(labels):
                details = self.look.details(row)
                if details is None or row["State"] != "running":
                    continue
                joined = details["HostConfig"]["NetworkMode"] == f"container:{owner['Id']}"
                if joined and details["State"]["StartedAt"] > owner["State"]["StartedAt"]:
                    return str(row["Id"])
            remove_containers(self.engine, labels)
            name = self.ground.container(node, program)
            self.run(name, body(), owns_namespace=False)
            found = self.engine.inspect(name)
            if found is None:
                raise CheckFailed(f"{node} was stopped meanwhile")
            return str(found["Id"])
