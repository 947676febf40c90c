"""What is asked of single nodes: only they are touched, and who they are survives."""

from __future__ import annotations

from pathlib import Path

import pytest

from orchestrator.apply import apply
from orchestrator.backends.memory import MemoryBackend
from orchestrator.definition import Definition
from orchestrator.directories import Places
from orchestrator.errors import CheckFailed, UsageError
from orchestrator.load import parse
from orchestrator.ops import Desired
from orchestrator.plan import Plan, plan
from orchestrator.render import render
from orchestrator.scaling import scaled, topology_of
from orchestrator.verbs import (
    narrowed,
    plan_kill,
    plan_replace,
    plan_restart,
    plan_start,
    plan_stop,
)

TEXT = """name: n
hops: 1
nodes:
  r: {role: router, count: 2}
  w: {role: service, app: nginx}
  a: {role: client}
"""


@pytest.fixture
def desired() -> Desired:
    places = Places("n", Path("/state/n"), Path("/run/n"))
    return render(parse(TEXT.encode(), "x"), places, "python3")


@pytest.fixture
def backend(desired: Desired) -> MemoryBackend:
    backend = MemoryBackend()
    apply(plan(desired, backend.observe()), backend)
    backend.done.clear()
    return backend


def lines(found: Plan) -> list[str]:
    return [" ".join(line.split()) for line in str(found).splitlines()]


def test_stop_ends_the_programs_and_leaves_the_namespace(backend: MemoryBackend) -> None:
    assert lines(plan_stop(backend.observe(), ["w"])) == [
        "[] -> #1 process:w/lokinet, StopProcess, asked to",
        "[] -> #2 process:w/nginx, StopProcess, asked to",
        "2 changes",
    ]


def test_start_touches_no_other_node(desired: Desired, backend: MemoryBackend) -> None:
    apply(plan_stop(backend.observe(), ["w", "a"]), backend)
    assert lines(plan_start(desired, backend.observe(), ["a"])) == [
        "[] -> #1 process:a/lokinet, StartProcess, stopped",
        "1 change",
    ]
    assert lines(plan_start(desired, backend.observe(), ["r-1"])) == ["0 changes"]


def test_restart_starts_each_program_after_its_end(
    desired: Desired, backend: MemoryBackend
) -> None:
    assert lines(plan_restart(desired, backend.observe(), ["a"])) == [
        "[] -> #1 process:a/lokinet, StopProcess, asked to",
        "[1] -> #2 process:a/lokinet, StartProcess, asked to",
        "2 changes",
    ]


def test_replace_keeps_keys_and_address(desired: Desired, backend: MemoryBackend) -> None:
    before = backend.observe()
    found = plan_replace(desired, before, ["r-2"])
    assert lines(found) == [
        "[] -> #1 process:r-2/lokinet, StopProcess, asked to",
        "[1] -> #2 node:r-2, RemoveNode, asked to",
        "[2] -> #3 node:r-2, CreateNode, asked to",
        "[3] -> #4 process:r-2/lokinet, StartProcess, asked to",
        "4 changes",
    ]
    apply(found, backend)
    assert backend.observe().nodes["r-2"].address == before.nodes["r-2"].address
    assert backend.observe().keys == before.keys
    assert plan(desired, backend.observe()).summary == "0 changes"


def test_a_new_identity_is_made_between_removing_and_making(
    desired: Desired, backend: MemoryBackend
) -> None:
    text = lines(plan_replace(desired, backend.observe(), ["r-2"], new_identity=True))
    assert text[2:5] == [
        "[2] -> #3 keys:r-2, RemoveKeys, a new identity",
        "[3] -> #4 keys:1, CreateKeys, a new identity",
        "[4] -> #5 node:r-2, CreateNode, asked to",
    ]


def test_kill_signals_what_runs_and_refuses_where_nothing_does(
    desired: Desired, backend: MemoryBackend
) -> None:
    assert lines(plan_kill(backend.observe(), ["w"], 9, "nginx")) == [
        "[] -> #1 process:w/nginx, SignalProcess, signal 9",
        "1 change",
    ]
    apply(plan_kill(backend.observe(), ["w"], 9, None), backend)
    assert "ended with -9" in str(plan(desired, backend.observe()))
    with pytest.raises(CheckFailed, match="w: no program runs"):
        plan_kill(backend.observe(), ["w"], 9, None)
    with pytest.raises(CheckFailed, match="a: nginx does not run"):
        plan_kill(backend.observe(), ["a"], 9, "nginx")


def test_a_node_that_is_not_in_the_topology_is_refused_by_name(desired: Desired) -> None:
    with pytest.raises(UsageError, match="no node 'b': there are r-1, r-2, w, a"):
        narrowed(desired, ["a", "b"])


@pytest.mark.parametrize("word", ["r", "router"])
def test_a_group_is_scaled_by_its_name_or_its_role(word: str) -> None:
    definition = scaled(Definition(TEXT, "t.yaml"), {word: 5})
    assert definition.counts == {"r": 5}
    assert topology_of(definition).nodes["r"].count == 5
    assert scaled(definition, {"r": 3}).counts == {"r": 3}


@pytest.mark.parametrize(
    ("wanted", "said"),
    [
        ({"x": 2}, "no group and no role 'x': there are r, w, a"),
        ({"a": 2}, "'a' is one node, not a group"),
        ({"r": 0}, "r=0: a group has 1 to 1023 nodes"),
    ],
)
def test_a_size_that_cannot_be_is_refused(wanted: dict[str, int], said: str) -> None:
    with pytest.raises(UsageError, match=said):
        scaled(Definition(TEXT, "t.yaml"), wanted)
