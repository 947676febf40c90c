"""Desired network × observed network → `Plan`: which acts, in which order, and why each.

Pure: the same two inputs always give the same plan, and tests compare its text. The executor
decides nothing. What people ask for by node (`stop`, `restart`, …) is in `verbs`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from orchestrator.fingerprints import changes, files_of, process_fingerprint
from orchestrator.ops import (
    CreateKeys,
    CreateNetwork,
    CreateNode,
    Desired,
    ForgetProcess,
    NodeSpec,
    Observed,
    ObservedNode,
    ObservedProcess,
    Op,
    ProcessSpec,
    RegisterRouters,
    RemoveNetwork,
    RemoveNode,
    SettleNames,
    StartProcess,
    StopProcess,
    subject,
)
from orchestrator.registry import ObservedRegistry, missing_names, missing_routers

__all__ = ["Draft", "Plan", "Step", "plan", "plan_removal", "start_op"]


@dataclass(frozen=True, slots=True)
class Step:
    """One act, the steps (by number, from 1) that must be done before it, and its reason."""

    number: int
    after: tuple[int, ...]
    op: Op
    reason: str

    def __str__(self) -> str:
        after = f"[{','.join(map(str, self.after))}]"
        what = f"{subject(self.op)}, {type(self.op).__name__}, {self.reason}"
        return f"{after:<8} -> #{self.number} {what}"


@dataclass(frozen=True, slots=True)
class Plan:
    """Steps in an order that respects their dependencies; prints as text, one step a line."""

    steps: tuple[Step, ...]

    def __str__(self) -> str:
        return "\n".join([*map(str, self.steps), self.summary])

    @property
    def summary(self) -> str:
        """`0 changes`, `1 change`, `38 changes`."""
        return "1 change" if len(self.steps) == 1 else f"{len(self.steps)} changes"


@dataclass(slots=True)
class Draft:
    """A plan being written."""

    steps: list[Step] = field(default_factory=list)

    def add(self, op: Op, reason: str, after: Iterable[int | None] = ()) -> int:
        """Its number."""
        number = len(self.steps) + 1
        needed = tuple(sorted({step for step in after if step is not None}))
        self.steps.append(Step(number, needed, op, reason))
        return number

    def finished(self) -> Plan:
        """As written so far."""
        return Plan(tuple(self.steps))


def plan(desired: Desired, observed: Observed) -> Plan:
    """What to do so that what is observed becomes what is desired."""
    draft = Draft()
    missing = tuple(
        node.key for node in desired.nodes if node.key and node.name not in observed.keys
    )
    # A key spoiled meanwhile is told of by the command that makes keys, and keeps good ones.
    kept = tuple(
        node.key
        for node in desired.nodes
        if node.key and node.name in observed.keys and node.name not in observed.nodes
    )
    keys = None
    if missing or kept:
        keys = draft.add(CreateKeys(missing + kept), "not found" if missing else "to be checked")
    network = None
    if not observed.exists:
        network = draft.add(CreateNetwork(desired.name, desired.nursery), "not found")
    freed = _remove_outdated(draft, desired, observed)
    new_keys = [request.node for request in missing]
    listed = None
    started: dict[str, int] = {}
    # the chain first: a router that hears of others before itself would keep to them for a while
    for spec in sorted(desired.nodes, key=lambda spec: spec.role != "chain"):
        needed = (keys, listed) if spec.role == "router" else (keys,)
        found = observed.nodes.get(spec.name)
        if found is not None and found.fingerprint == spec.fingerprint:
            _converge(draft, spec, found, needed)
        else:
            reason = changes(found.fingerprint, spec.fingerprint) if found else "not found"
            after = (network, freed.get(spec.name), freed.get(spec.address))
            created = draft.add(CreateNode(spec, desired.prefix_length), reason, after)
            asked = () if spec.role == "router" else [started.get(one) for one in _asked(spec)]
            for process in spec.processes:
                first = (created, *needed, *asked)
                step = draft.add(start_op(spec, process), "not running", first)
                started.setdefault(spec.directory, step)
        if spec.role == "chain":
            running = len(draft.steps) if draft.steps else None
            listed = _fill_chain(draft, desired, observed.registry, new_keys, (keys, running))
    return draft.finished()


def _asked(spec: NodeSpec) -> list[str]:
    """Directories of the routers a node asks first: asked too early, they cost it a timeout."""
    return [path.rpartition("/")[0] for path in spec.reads]


def plan_removal(name: str, observed: Observed) -> Plan:
    """What to do so that nothing is left."""
    draft = Draft()
    if observed.exists:
        draft.add(RemoveNetwork(name), "asked to")
    return draft.finished()


def _fill_chain(
    draft: Draft,
    desired: Desired,
    seen: ObservedRegistry | None,
    new_keys: Sequence[str],
    after: tuple[int | None, ...],
) -> int | None:
    """Acts on the chain; the step after which the routers are listed."""
    registry = desired.registry
    if registry is None:
        return None
    seen = seen or ObservedRegistry()
    missing, retired = missing_routers(registry, seen, new_keys)
    listed = None
    if missing or retired:
        reasons = [f"{len(missing)} not registered"] if missing else []
        reasons += [f"{len(retired)} gone"] if retired else []
        op = RegisterRouters(registry, missing, retired)
        listed = draft.add(op, ", ".join(reasons), after)
    if names := missing_names(registry, seen, new_keys):
        draft.add(SettleNames(registry, names), "not registered as wanted", after)
    return listed


def start_op(spec: NodeSpec, process: ProcessSpec) -> StartProcess:
    """Starting one program of a node, with the files it reads."""
    shared = tuple(name for name, _ in spec.shared)
    files = files_of(spec, process)
    fingerprint = process_fingerprint(spec, process)
    return StartProcess(spec.name, process, files, shared, fingerprint, spec)


def _remove_outdated(draft: Draft, desired: Desired, observed: Observed) -> dict[str, int]:
    """Remove what is not wanted as it is: the step that frees each name and each address."""
    wanted = {spec.name: spec.fingerprint for spec in desired.nodes}
    freed: dict[str, int] = {}
    for name, node in observed.nodes.items():
        if wanted.get(name) == node.fingerprint:
            continue
        reason = "not in the topology"
        if name in wanted:
            reason = changes(node.fingerprint, wanted[name])
        freed[name] = freed[node.address] = _remove(draft, name, node, reason)
    return freed


def _converge(
    draft: Draft, spec: NodeSpec, found: ObservedNode, needed: tuple[int | None, ...]
) -> None:
    """A node whose namespaces are as they should be: only programs that must restart do."""
    wanted = {process.name for process in spec.processes}
    for name in found.processes.keys() - wanted:
        draft.add(ForgetProcess(spec.name, name), "not in the topology")
    for process in spec.processes:
        start = start_op(spec, process)
        running = found.processes.get(process.name)
        if running is None or running.exit_code is not None:
            draft.add(start, _why_it_does_not_run(running), needed)
        elif reason := changes(running.fingerprint, start.fingerprint):
            stopped = draft.add(StopProcess(spec.name, process.name), reason)
            draft.add(start, reason, (stopped, *needed))


def _why_it_does_not_run(found: ObservedProcess | None) -> str:
    if found is None:
        return "not running"
    return "stopped" if found.stopped else f"ended with {found.exit_code}"


def _remove(draft: Draft, name: str, node: ObservedNode, reason: str) -> int:
    stops = [
        draft.add(StopProcess(name, process), reason)
        for process, state in node.processes.items()
        if state.exit_code is None
    ]
    return draft.add(RemoveNode(name), reason, stops)
