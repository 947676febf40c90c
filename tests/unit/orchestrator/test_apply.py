"""The executor: order, failure, and that applying a plan makes the next one empty."""

from __future__ import annotations

import threading
from contextlib import suppress
from pathlib import Path

import pytest

from orchestrator.apply import apply
from orchestrator.backends.memory import MemoryBackend
from orchestrator.directories import Places
from orchestrator.errors import OperatorError
from orchestrator.load import find_topology, load
from orchestrator.ops import Desired, Op, describe
from orchestrator.plan import Plan, Step, plan
from orchestrator.render import render


def desired() -> Desired:
    places = Places("default", Path("/state"), Path("/run"))
    return render(load(find_topology("default")), places, "python3")


@pytest.mark.parametrize("workers", [1, 4])
def test_every_step_is_done_once_and_after_what_it_needs(workers: int) -> None:
    backend, todo = MemoryBackend(), plan(desired(), MemoryBackend().observe())
    told: list[Step] = []
    apply(todo, backend, told.append, workers)
    order = {describe(op): position for position, op in enumerate(backend.done)}
    assert len(backend.done) == len(todo.steps) == len(order)
    by_number = {step.number: step for step in todo.steps}
    for step in todo.steps:
        for before in step.after:
            assert order[describe(by_number[before].op)] < order[describe(step.op)]
    assert {step.number for step in told} == set(by_number)


def test_applying_a_plan_leaves_nothing_to_change() -> None:
    backend = MemoryBackend()
    apply(plan(desired(), backend.observe()), backend)
    assert plan(desired(), backend.observe()).summary == "0 changes"


def test_a_failed_step_is_raised_and_nothing_that_needs_it_is_done() -> None:
    backend = MemoryBackend(refuse=frozenset({"CreateNode node:web"}))
    with pytest.raises(OperatorError, match="CreateNode node:web refused"):
        apply(plan(desired(), backend.observe()), backend, workers=1)
    assert not any("process:web" in describe(op) for op in backend.done)


def test_what_was_held_back_begins_whether_all_was_made_or_not() -> None:
    for refuse in (frozenset[str](), frozenset({"CreateNode node:web"})):
        begun: list[list[Op]] = []

        class Holding(MemoryBackend):
            def all_made(self, begun: list[list[Op]] = begun) -> None:
                begun.append(list(self.done))

        backend = Holding(refuse=refuse)
        with suppress(OperatorError):
            apply(plan(desired(), backend.observe()), backend)
        assert begun == [backend.done]


def test_independent_steps_run_beside_each_other() -> None:
    """Each of two acts waits for the other: only both at once can end."""
    barrier = threading.Barrier(2, timeout=10)

    class Meeting(MemoryBackend):
        def perform(self, op: Op) -> None:
            barrier.wait()

    steps = tuple(
        Step(step.number, (), step.op, step.reason)
        for step in plan(desired(), MemoryBackend().observe()).steps[:2]
    )
    apply(Plan(steps), Meeting(), workers=2)
