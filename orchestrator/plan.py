"""Desired network × observed network → `Plan`: which acts, in which order, and why each.

Pure: the same two inputs always give the same plan, and tests compare its text. The executor
decides nothing.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from orchestrator.ops import (
    CreateKeys,
    CreateNetwork,
    CreateNode,
    Desired,
    NodeSpec,
    Observed,
    ObservedNode,
    Op,
    RemoveNetwork,
    RemoveNode,
    StartProcess,
    StopProcess,
    subject,
)

__all__ = ["Plan", "Step", "plan", "plan_removal"]


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
class _Draft:
    steps: list[Step] = field(default_factory=list)

    def add(self, op: Op, reason: str, *after: int | None) -> int:
        number = len(self.steps) + 1
        needed = tuple(sorted({step for step in after if step is not None}))
        self.steps.append(Step(number, needed, op, reason))
        return number


def plan(desired: Desired, observed: Observed) -> Plan:
    """What to do so that what is observed becomes what is desired."""
    draft = _Draft()
    requests = tuple(
        node.key for node in desired.nodes if node.key and node.name not in observed.keys
    )
    keys = None
    if requests:
        keys = draft.add(CreateKeys(requests), "not found")
    network = None
    if not observed.exists:
        network = draft.add(CreateNetwork(desired.name, desired.nursery), "not found")
    freed = _remove_outdated(draft, desired, observed)
    for spec in desired.nodes:
        found = observed.nodes.get(spec.name)
        is_kept = found is not None and found.fingerprint == spec.fingerprint
        created = None
        if found is None or not is_kept:
            create = CreateNode(spec, desired.prefix_length)
            reason = "not found" if found is None else "changed"
            after = (network, freed.get(spec.name), freed.get(spec.address))
            created = draft.add(create, reason, *after)
        _start(draft, spec, found if is_kept else None, created, keys)
    return Plan(tuple(draft.steps))


def plan_removal(name: str, observed: Observed) -> Plan:
    """What to do so that nothing is left."""
    draft = _Draft()
    if observed.exists:
        draft.add(RemoveNetwork(name), "asked to")
    return Plan(tuple(draft.steps))


def _remove_outdated(draft: _Draft, desired: Desired, observed: Observed) -> dict[str, int]:
    """Remove what is not wanted as it is: the step that frees each name and each address."""
    wanted = {spec.name: spec.fingerprint for spec in desired.nodes}
    freed: dict[str, int] = {}
    for name, node in observed.nodes.items():
        if wanted.get(name) == node.fingerprint:
            continue
        reason = "changed" if name in wanted else "not in the topology"
        freed[name] = freed[node.address] = _remove(draft, name, node, reason)
    return freed


def _start(
    draft: _Draft,
    spec: NodeSpec,
    found: ObservedNode | None,
    created: int | None,
    keys: int | None,
) -> None:
    for process in spec.processes:
        running = found.processes.get(process.name) if found else None
        if running is not None and running.exit_code is None:
            continue
        reason = "not running" if running is None else f"ended with {running.exit_code}"
        draft.add(StartProcess(spec.name, process), reason, created, keys)


def _remove(draft: _Draft, name: str, node: ObservedNode, reason: str) -> int:
    stops = [
        draft.add(StopProcess(name, process), reason)
        for process, state in node.processes.items()
        if state.exit_code is None
    ]
    return draft.add(RemoveNode(name), reason, *stops)
