"""Looks at a network while somebody waits for it: since when each node lacks which layer.

A look costs what `testnet status` costs. What comes and goes between two looks is not seen, so a
change is known to lie between two instants. Instants are seconds since the epoch.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass

from orchestrator.backends import Backend
from orchestrator.census import Census, take_census
from orchestrator.errors import OperatorError
from orchestrator.happenings import Happening, happenings
from orchestrator.ops import CHAIN_PROCESS, NODE_PROCESS, ObservedNode
from orchestrator.readiness.layers import Judgement, Layer, judge
from orchestrator.registry import Registry

__all__ = ["Event", "Illness", "Witness", "judged"]

LOOK_EVERY_S = 1.0
MOST_EVENTS = 2000

Clock = Callable[[], float]


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened between two looks."""

    after: float
    by: float
    happening: Happening


@dataclass(frozen=True, slots=True)
class Illness:
    """A layer that a node lacks: last seen with it, first seen without."""

    judgement: Judgement
    well_at: float | None
    """None: it never was seen well."""
    seen_at: float


class Witness:
    """Looks when told to, or from a thread of its own."""

    def __init__(
        self, backend: Backend, registry: Registry | None = None, clock: Clock = time.time
    ) -> None:
        """Nothing is looked at yet."""
        self.events: deque[Event] = deque(maxlen=MOST_EVENTS)
        self.illnesses: dict[str, Illness] = {}
        self.census: Census | None = None
        """The last one; None before the network was seen."""
        self._backend, self._registry, self._clock = backend, registry, clock
        self._well: dict[str, float] = {}
        self._looked_at = 0.0
        self._over = threading.Event()
        self._thread: threading.Thread | None = None

    def look(self) -> Census | None:
        """Look once; None if there is no network."""
        at = self._clock()
        observed = self._backend.observe()
        if not observed.exists:
            return None
        before = self.census
        census = take_census(self._backend, observed, before.names if before else {})
        if before is not None:
            found = happenings(before, census)
            self.events += [Event(self._looked_at, at, each) for each in found]
        self._judge(census, at)
        self.census, self._looked_at = census, at
        return census

    def _judge(self, census: Census, at: float) -> None:
        missing = judged(census, self._registry)
        for node in census.observed.nodes:
            judgement, known = missing.get(node), self.illnesses.get(node)
            if judgement is None:
                self._well[node] = at
                self.illnesses.pop(node, None)
            elif known is None or known.judgement.layer is not judgement.layer:
                # another layer than before is another illness; when it was well stays the same
                self.illnesses[node] = Illness(judgement, self._well.get(node), at)

    def begin(self, after_s: float) -> None:
        """Look again and again beside the caller, the first time after a while."""
        self._thread = threading.Thread(
            target=self._go_on, args=(after_s,), name="witness", daemon=True
        )
        self._thread.start()

    def _go_on(self, after_s: float) -> None:
        pause = after_s
        while not self._over.wait(pause):
            # who is being made or removed answers nobody; whoever waits tells of it
            with suppress(OperatorError, OSError):
                self.look()
            pause = LOOK_EVERY_S

    def stop(self) -> None:
        """No further look begins; one that has begun is not waited for."""
        self._over.set()

    def end(self) -> None:
        """No further look, and none under way."""
        self.stop()
        if self._thread is not None:
            self._thread.join()


def judged(census: Census, registry: Registry | None = None) -> Mapping[str, Judgement]:
    """The first layer that each node lacks; nodes that lack none are left out."""
    found = {}
    for name, node in census.observed.nodes.items():
        judgement = _judged(census, name, node, registry)
        if judgement is not None:
            found[name] = judgement
    return found


def _judged(
    census: Census, name: str, node: ObservedNode, registry: Registry | None
) -> Judgement | None:
    for program, state in node.processes.items():
        if state.exit_code is not None:
            how = "was stopped" if state.stopped else _ending(state.exit_code)
            return Judgement(Layer.PROCESS, f"{program} {how}")
    role = node.labels.get("role", "")
    if role == "server":
        return None
    program = CHAIN_PROCESS if role == "chain" else NODE_PROCESS
    if program not in node.processes:
        return Judgement(Layer.PROCESS, f"{program} is not there")
    if name in census.errors:
        # without the path of the socket, which tells nobody anything
        return Judgement(Layer.SOCKET, census.errors[name].rpartition(".sock: ")[2])
    return judge(role, census.statuses[name], registry)  # type: ignore[arg-type] # as created


def _ending(code: int) -> str:
    return f"was killed by signal {-code}" if code < 0 else f"ended with exit code {code}"
