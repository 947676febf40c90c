"""The one loop that waits until a network is ready, or says who is missing what.

It ends at once when a program died, at the deadline with layer, nodes and last log lines, and never
sleeps for a fixed time: it waits for descriptors, or for the next probe that is due.
"""

from __future__ import annotations

import select
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from orchestrator.backends import Backend
from orchestrator.errors import Missing, NotReady
from orchestrator.ops import Desired, NodeSpec, Observed, ObservedProcess
from orchestrator.readiness.layers import GOALS, LAST_OF_ROLE, Judgement, Layer
from orchestrator.readiness.probes import NodeProbe, PairProbe, Probe
from orchestrator.units import format_seconds

__all__ = ["Ready", "last_log_lines", "wait_until_ready"]

OBSERVE_EVERY_S = 0.05
TELL_EVERY_S = 2.0
LOG_TAIL_BYTES = 8192
CRASH_LOG_LINES = 8


@dataclass(frozen=True, slots=True)
class Pair:
    """A service that is reachable from a client, and how."""

    client: str
    service: str
    name: str
    address: str
    port: int | None


@dataclass(frozen=True, slots=True)
class Ready:
    """A network that is ready."""

    addresses: Mapping[str, str]
    """`.loki` or `.snode` address by node."""
    pairs: tuple[Pair, ...]


@dataclass(slots=True)
class _Watch:
    desired: Desired
    backend: Backend
    tell: Callable[[str], None]
    started: float
    deadline: float
    goal: Layer
    nodes: dict[str, NodeProbe] = field(default_factory=dict)
    pairs: dict[tuple[str, str], PairProbe] = field(default_factory=dict)
    servers: dict[str, PairProbe] = field(default_factory=dict)
    _complete: set[Layer] = field(default_factory=set)
    _tell_at: float = 0.0

    def probes(self) -> list[Probe]:
        return [*self.nodes.values(), *self.servers.values(), *self.pairs.values()]

    def pending(self) -> list[Probe]:
        return [
            probe
            for probe in self.probes()
            if probe.judgement is not None and probe.judgement.layer <= self.goal
        ]


def wait_until_ready(
    desired: Desired,
    backend: Backend,
    timeout_s: float,
    tell: Callable[[str], None],
    goal: Layer = GOALS["all"],
) -> Ready:
    """Wait for every layer of every node up to a goal; raises NotReady.

    Args:
        desired: what must become ready.
        backend: where it is.
        timeout_s: how long that may take.
        tell: gets a line when a layer is complete, and now and then who is waited for.
        goal: the last layer that matters.
    """
    now = time.monotonic()
    watch = _Watch(desired, backend, tell, now, now + timeout_s, goal, _tell_at=now + TELL_EVERY_S)
    for spec in desired.nodes:
        if spec.role == "server":
            port = next((app.port for app in spec.processes if app.port is not None), None)
            if port is not None:
                watch.servers[spec.name] = PairProbe.of_server(
                    spec.name, spec.address, port, backend
                )
            continue
        registry = desired.registry if spec.role == "chain" else None
        watch.nodes[spec.name] = NodeProbe(spec.name, spec.role, spec.control, backend, registry)
    for client, service in pairs_to_try(desired.nodes):
        subject = f"{client.name} → {service.name}"
        port = next((app.port for app in service.processes if app.port is not None), None)
        watch.pairs[client.name, service.name] = PairProbe(
            subject, client.name, client.resolver, port, backend
        )
    try:
        _loop(watch)
        return _ready(watch)
    finally:
        for probe in watch.probes():
            probe.close()


def pairs_to_try(nodes: Sequence[NodeSpec]) -> list[tuple[NodeSpec, NodeSpec]]:
    """Every client with some service and every service with some client, in few pairs."""
    clients = [node for node in nodes if node.role == "client"]
    services = [node for node in nodes if node.role == "service"]
    if not clients or not services:
        return []
    count = max(len(clients), len(services))
    return [(clients[i % len(clients)], services[i % len(services)]) for i in range(count)]


def _loop(watch: _Watch) -> None:
    observe_at = 0.0
    while True:
        now = time.monotonic()
        if now >= observe_at:
            _check_alive(watch, watch.backend.observe())
            observe_at = now + OBSERVE_EVERY_S
        for probe in watch.pending():
            probe.step(now)
        _begin_pairs(watch)
        _report(watch, now)
        pending = watch.pending()
        if not pending:
            return
        if now >= watch.deadline:
            raise NotReady(*_timeout(watch, pending))
        wake = min([observe_at, watch.deadline, *(probe.due for probe in pending)])
        _sleep(pending, max(0.0, wake - time.monotonic()))


def _sleep(pending: Iterable[Probe], seconds: float) -> None:
    reading = [fd for probe in pending if (fd := probe.reading()) is not None]
    writing = [fd for probe in pending if (fd := probe.writing()) is not None]
    poll = select.poll()
    for descriptor in reading:
        poll.register(descriptor, select.POLLIN)
    for descriptor in writing:
        poll.register(descriptor, select.POLLOUT)
    # +1: poll rounds down, and a wake-up just before `due` would spin
    poll.poll(int(seconds * 1000) + 1)


def _begin_pairs(watch: _Watch) -> None:
    for (client, service), pair in watch.pairs.items():
        ends = (watch.nodes[client], watch.nodes[service])
        if not pair.name and all(end.judgement is None for end in ends):
            pair.begin(_bought_name(watch.desired, service) or ends[1].address)


def _bought_name(desired: Desired, service: str) -> str | None:
    """The first name that was bought for a service: whoever resolves it finds the address, too."""
    names = desired.registry.names if desired.registry else ()
    return next((spec.name for spec in names if spec.to == service), None)


def _check_alive(watch: _Watch, observed: Observed) -> None:
    for spec in watch.desired.nodes:
        found = observed.nodes.get(spec.name)
        for process in spec.processes:
            state = found.processes.get(process.name) if found else None
            if state is None:
                raise _dead(spec.name, f"{process.name} is gone: the network went down", [])
            if state.exit_code is not None:
                lines = last_log_lines(process.log, CRASH_LOG_LINES)
                how = f"{process.name} {_ending(state, state.exit_code)}"
                raise _dead(spec.name, how, lines or ["(it said nothing)"])


def _dead(node: str, how: str, lines: Sequence[str]) -> NotReady:
    layer = Layer.PROCESS.title
    said = "".join(f"\n  {line}" for line in lines)
    text = f"{layer}: {node}: {how}{'; its last words:' if lines else ''}{said}"
    return NotReady(text, [Missing(node, layer, how, lines[-1] if lines else "")])


def _ending(state: ObservedProcess, code: int) -> str:
    if state.stopped:
        return "was stopped"
    return f"was killed by signal {-code}" if code < 0 else f"ended with exit code {code}"


def _report(watch: _Watch, now: float) -> None:
    """A line for each layer that everybody who needs it has passed."""
    elapsed = format_seconds(now - watch.started)
    for layer in Layer:
        needed = _needing(watch, layer) if layer <= watch.goal else []
        if layer in watch._complete or not needed:
            continue
        if any(judgement is not None and judgement.layer <= layer for judgement in needed):
            break
        watch._complete.add(layer)
        watch.tell(f"{elapsed:>7}  {layer.title}: {len(needed)} of {len(needed)}")
    if now >= watch._tell_at:
        watch._tell_at = now + TELL_EVERY_S
        watch.tell(f"{elapsed:>7}  waiting for {_missing(watch.pending())}")


def _needing(watch: _Watch, layer: Layer) -> list[Judgement | None]:
    if layer >= Layer.NAME:
        pairs = watch.pairs.values()
        if layer is Layer.NAME:
            return [pair.judgement for pair in pairs]
        asked = [*(pair for pair in pairs if pair.port is not None), *watch.servers.values()]
        return [probe.judgement for probe in asked]
    nodes = watch.nodes.values()
    return [node.judgement for node in nodes if LAST_OF_ROLE[node.role] >= layer]


def _missing(pending: Iterable[Probe]) -> str:
    """`paths: alice, bob; introset published: web`."""
    by_layer: dict[Layer, list[str]] = {}
    for probe in pending:
        if probe.judgement is not None and probe.due != float("inf"):
            by_layer.setdefault(probe.judgement.layer, []).append(probe.subject)
    return "; ".join(f"{layer.title}: {', '.join(by_layer[layer])}" for layer in sorted(by_layer))


def _timeout(watch: _Watch, pending: Sequence[Probe]) -> tuple[str, list[Missing]]:
    lines = [
        f"not ready after {format_seconds(watch.deadline - watch.started)}: {_missing(pending)}"
    ]
    missing = []
    logs = {spec.name: spec.processes[0].log for spec in watch.desired.nodes}
    for probe in pending:
        if probe.judgement is None or probe.due == float("inf"):
            continue
        node = probe.client if isinstance(probe, PairProbe) else probe.subject
        last = last_log_lines(logs[node], 1)
        said = f"; last log line: {last[0]}" if last else "; its log is empty"
        layer = probe.judgement.layer.title
        seen = probe.judgement.seen
        lines.append(f"  {probe.subject}: {layer}: {seen}{said}")
        missing.append(Missing(probe.subject, layer, seen, last[0] if last else ""))
    return "\n".join(lines), missing


def _ready(watch: _Watch) -> Ready:
    addresses = {name: probe.address for name, probe in watch.nodes.items()}
    pairs = tuple(
        Pair(client, service, probe.name, probe.address or "", probe.port)
        for (client, service), probe in watch.pairs.items()
        if probe.address
    )
    return Ready(addresses, pairs)


def last_log_lines(path: str, count: int) -> list[str]:
    """The last non-empty lines of a log; none where there is no log."""
    try:
        with Path(path).open("rb") as file:
            file.seek(0, 2)
            file.seek(max(0, file.tell() - LOG_TAIL_BYTES))
            text = file.read().decode(errors="replace")
    except OSError:
        return []
    return [line for line in text.splitlines() if line.strip()][-count:]
