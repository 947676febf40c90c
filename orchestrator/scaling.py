"""A definition's topology, with the sizes of groups that were changed after it was written."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from orchestrator.definition import Definition
from orchestrator.errors import UsageError
from orchestrator.groups import ADDRESSES_PER_GROUP, CLEARNET_ADDRESSES_PER_GROUP, OnClearnet
from orchestrator.load import load_bytes, parse
from orchestrator.topology import Topology, problems

__all__ = ["read_definition", "scaled", "topology_of"]


def read_definition(path: Path) -> Definition:
    """A topology file as it is; raises UsageError."""
    return Definition(load_bytes(path).decode("utf-8", "surrogateescape"), str(path))


def topology_of(definition: Definition) -> Topology:
    """Checked; raises UsageError with file and line."""
    topology = parse(definition.text.encode("utf-8", "surrogateescape"), definition.file)
    if not definition.counts:
        return topology
    groups = {
        name: group.model_copy(update={"count": definition.counts.get(name, group.count)})
        for name, group in topology.nodes.items()
    }
    changed = topology.model_copy(update={"nodes": groups})
    if found := problems(changed):
        raise UsageError("\n".join(problem.message for problem in found))
    return changed


def scaled(definition: Definition, wanted: Mapping[str, int]) -> Definition:
    """The same with other sizes, by the name of a group or the role of the only one that has it.

    Raises UsageError for who is not there, who cannot be counted, and what cannot work together.
    """
    topology = topology_of(definition)
    counts = dict(definition.counts)
    for word, count in wanted.items():
        name = _group(topology, word)
        if topology.nodes[name].count is None:
            raise UsageError(
                f"{name!r} is one node, not a group: write `count: 1` in its line of the topology"
            )
        is_there = isinstance(topology.nodes[name], OnClearnet)
        room = CLEARNET_ADDRESSES_PER_GROUP if is_there else ADDRESSES_PER_GROUP
        if not 1 <= count < room:
            raise UsageError(f"{name}={count}: a group has 1 to {room - 1} nodes")
        counts[name] = count
    result = Definition(definition.text, definition.file, counts)
    topology_of(result)
    return result


def _group(topology: Topology, word: str) -> str:
    if word in topology.nodes:
        return word
    of_role = [name for name, group in topology.nodes.items() if group.role == word]
    if len(of_role) == 1:
        return of_role[0]
    if of_role:
        raise UsageError(f"{len(of_role)} groups have role {word}: say {' or '.join(of_role)}")
    raise UsageError(f"no group and no role {word!r}: there are {', '.join(topology.nodes)}")
