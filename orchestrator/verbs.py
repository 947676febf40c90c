"""What people ask of single nodes, as plans: stop, start, restart, kill, replace. Pure.

Rules: identities, addresses and links survive whatever is asked, unless a new identity is asked
for; a plan only names nodes that were asked for.
"""

from __future__ import annotations

from collections.abc import Sequence

from orchestrator.errors import CheckFailed, UsageError
from orchestrator.ops import (
    CreateKeys,
    CreateNode,
    Desired,
    NodeSpec,
    Observed,
    ObservedNode,
    RegisterRouters,
    RemoveKeys,
    RemoveNode,
    SettleNames,
    SignalProcess,
    StopProcess,
)
from orchestrator.plan import Draft, Plan, plan, start_op

__all__ = ["narrowed", "plan_kill", "plan_replace", "plan_restart", "plan_start", "plan_stop"]

ASKED = "asked to"


def narrowed(desired: Desired, names: Sequence[str]) -> Desired:
    """Only these nodes, in their order; raises UsageError for one that is not in the topology."""
    known = [spec.name for spec in desired.nodes]
    for name in names:
        if name not in known:
            raise UsageError(f"no node {name!r}: there are {', '.join(known)}")
    wanted = tuple(spec for spec in desired.nodes if spec.name in names)
    return Desired(desired.name, desired.prefix_length, wanted, desired.nursery)


def plan_stop(observed: Observed, names: Sequence[str]) -> Plan:
    """End all programs of some nodes; their namespaces and links stay."""
    draft = Draft()
    for name in names:
        _stop(draft, name, observed.nodes[name])
    return draft.finished()


def plan_start(desired: Desired, observed: Observed, names: Sequence[str]) -> Plan:
    """Bring some nodes to what is desired, and touch no other."""
    some = narrowed(desired, names)
    seen = {name: node for name, node in observed.nodes.items() if name in names}
    return plan(some, Observed(observed.exists, seen, observed.keys))


def plan_restart(desired: Desired, observed: Observed, names: Sequence[str]) -> Plan:
    """End and start all programs of some nodes, in the namespaces they are in."""
    draft = Draft()
    for spec in narrowed(desired, names).nodes:
        stops = _stop(draft, spec.name, observed.nodes[spec.name])
        for process in spec.processes:
            draft.add(start_op(spec, process), ASKED, stops)
    return draft.finished()


def plan_replace(
    desired: Desired, observed: Observed, names: Sequence[str], new_identity: bool = False
) -> Plan:
    """Make some nodes anew, under the same addresses; with other keys only if that is asked."""
    draft = Draft()
    for spec in narrowed(desired, names).nodes:
        stops = _stop(draft, spec.name, observed.nodes[spec.name])
        before = draft.add(RemoveNode(spec.name), ASKED, stops)
        if new_identity and spec.key is not None:
            removed = draft.add(RemoveKeys(spec.name), "a new identity", (before,))
            before = draft.add(CreateKeys((spec.key,)), "a new identity", (removed,))
            before = _tell_chain(draft, desired, spec.name, before)
        _create(draft, desired, spec, before)
    return draft.finished()


def _tell_chain(draft: Draft, desired: Desired, node: str, keys: int) -> int:
    """Register a router under its new identity, lead names to a service's new address."""
    registry = desired.registry
    if registry is None:
        return keys
    last = keys
    routers = tuple(router for router in registry.routers if router.node == node)
    if routers:
        op = RegisterRouters(registry, routers, (node,))
        last = draft.add(op, "a new identity", (keys,))
    names = tuple(name for name in registry.names if name.to == node)
    if names:
        last = draft.add(SettleNames(registry, names), "a new identity", (keys,))
    return last


def plan_kill(observed: Observed, names: Sequence[str], number: int, program: str | None) -> Plan:
    """Signal programs of some nodes: all, or one by its name. Raises CheckFailed for none."""
    draft = Draft()
    for name in names:
        for process, state in observed.nodes[name].processes.items():
            if state.exit_code is None and program in (None, process):
                draft.add(SignalProcess(name, process, number), f"signal {number}")
    if not draft.steps:
        what = program or "no program"
        raise CheckFailed(f"{', '.join(names)}: {what} {'does not run' if program else 'runs'}")
    return draft.finished()


def _stop(draft: Draft, name: str, node: ObservedNode) -> list[int]:
    return [
        draft.add(StopProcess(name, process), ASKED)
        for process, state in node.processes.items()
        if state.exit_code is None
    ]


def _create(draft: Draft, desired: Desired, spec: NodeSpec, after: int) -> None:
    created = draft.add(CreateNode(spec, desired.prefix_length), ASKED, (after,))
    for process in spec.processes:
        draft.add(start_op(spec, process), ASKED, (created,))
