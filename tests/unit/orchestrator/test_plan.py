"""Plans, compared as the text people read."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from orchestrator.apply import apply
from orchestrator.backends.memory import MemoryBackend
from orchestrator.directories import Places
from orchestrator.load import parse
from orchestrator.ops import Desired, Observed
from orchestrator.plan import plan, plan_removal
from orchestrator.render import render
from orchestrator.verbs import plan_stop

TEXT = "name: n\nhops: 1\nnodes:\n  r: {role: router, count: 1}\n  w: {role: service, app: nginx}\n"


def desired(text: str = TEXT) -> Desired:
    places = Places("n", Path("/state/n"), Path("/run/n"))
    return render(parse(text.encode(), "x"), places, "python3")


def running(text: str = TEXT) -> MemoryBackend:
    backend = MemoryBackend()
    apply(plan(desired(text), backend.observe()), backend)
    return backend


def lines(wanted: Desired, observed: Observed) -> list[str]:
    return [" ".join(line.split()) for line in str(plan(wanted, observed)).splitlines()]


def test_from_nothing_everything_is_made_in_an_order_that_works() -> None:
    assert lines(desired(), Observed()) == [
        "[] -> #1 keys:2, CreateKeys, not found",
        "[] -> #2 network:n, CreateNetwork, not found",
        "[2] -> #3 node:r-1, CreateNode, not found",
        "[1,3] -> #4 process:r-1/lokinet, StartProcess, not running",
        "[2] -> #5 node:w, CreateNode, not found",
        "[1,4,5] -> #6 process:w/lokinet, StartProcess, not running",
        "[1,4,5] -> #7 process:w/nginx, StartProcess, not running",
        "7 changes",
    ]


def test_what_is_as_desired_needs_no_change() -> None:
    assert lines(desired(), running().observe()) == ["0 changes"]


def test_keys_that_exist_are_checked_before_nodes_are_made_of_them() -> None:
    text = lines(desired(), Observed(keys=frozenset({"r-1", "w"})))
    assert text[0] == "[] -> #1 keys:2, CreateKeys, to be checked"
    assert text[1] == "[] -> #2 network:n, CreateNetwork, not found"
    text = lines(desired(), Observed(keys=frozenset({"w"})))
    assert text[0] == "[] -> #1 keys:2, CreateKeys, not found"


def test_a_crashed_program_is_started_again_with_its_exit_code_as_the_reason() -> None:
    backend = running()
    backend.crash("w", "nginx", -9)
    assert lines(desired(), backend.observe()) == [
        "[] -> #1 process:w/nginx, StartProcess, ended with -9",
        "1 change",
    ]


def test_a_changed_application_restarts_alone_and_the_reason_names_what_changed() -> None:
    edited = desired(TEXT.replace("app: nginx", "app: {kind: nginx, port: 81}"))
    assert lines(edited, running().observe()) == [
        "[] -> #1 process:w/nginx, StopProcess, nginx/nginx.conf changed",
        "[1] -> #2 process:w/nginx, StartProcess, nginx/nginx.conf changed",
        "2 changes",
    ]


def test_a_changed_configuration_restarts_lokinet_and_not_its_application() -> None:
    edited = desired(TEXT.replace("app: nginx", "app: nginx, log: debug"))
    assert lines(edited, running().observe()) == [
        "[] -> #1 process:w/lokinet, StopProcess, lokinet.ini changed",
        "[1] -> #2 process:w/lokinet, StartProcess, lokinet.ini changed",
        "2 changes",
    ]


def test_a_node_that_moves_is_made_anew_and_the_others_stay() -> None:
    edited = desired(TEXT.replace("  w:", "  x: {role: client}\n  w:"))
    assert lines(edited, running().observe())[:4] == [
        "[] -> #1 process:w/lokinet, StopProcess, address changed",
        "[] -> #2 process:w/nginx, StopProcess, address changed",
        "[1,2] -> #3 node:w, RemoveNode, address changed",
        "[3] -> #4 node:x, CreateNode, not found",
    ]


def test_an_application_that_left_is_forgotten_and_its_node_stays() -> None:
    with_app = TEXT.replace("nginx", "{kind: command, run: [sleep, inf]}")
    without = desired(with_app.replace(", app: {kind: command, run: [sleep, inf]}", ""))
    backend = running(with_app)
    assert lines(without, backend.observe()) == [
        "[] -> #1 process:w/command, ForgetProcess, not in the topology",
        "1 change",
    ]
    apply(plan(without, backend.observe()), backend)
    assert lines(without, backend.observe()) == ["0 changes"]


def test_what_was_stopped_is_started_again_and_the_plan_says_so() -> None:
    backend = running()
    apply(plan_stop(backend.observe(), ["w"]), backend)
    assert lines(desired(), backend.observe()) == [
        "[] -> #1 process:w/lokinet, StartProcess, stopped",
        "[] -> #2 process:w/nginx, StartProcess, stopped",
        "2 changes",
    ]


def test_a_node_that_left_the_topology_is_removed() -> None:
    larger = TEXT + "  a: {role: client}\n"
    assert lines(desired(), running(larger).observe()) == [
        "[] -> #1 process:a/lokinet, StopProcess, not in the topology",
        "[1] -> #2 node:a, RemoveNode, not in the topology",
        "2 changes",
    ]


def test_an_address_is_given_to_another_node_only_after_it_was_freed() -> None:
    backend = running(TEXT + "  a: {role: client}\n")
    text = lines(desired(TEXT + "  b: {role: client}\n"), backend.observe())
    assert text[:3] == [
        "[] -> #1 process:a/lokinet, StopProcess, not in the topology",
        "[1] -> #2 node:a, RemoveNode, not in the topology",
        "[2] -> #3 node:b, CreateNode, not found",
    ]


def test_nodes_that_change_places_wait_for_each_other() -> None:
    two = TEXT + "  a: {role: client}\n  b: {role: client}\n"
    swapped = TEXT + "  b: {role: client}\n  a: {role: client}\n"
    steps = plan(desired(swapped), running(two).observe()).steps
    removals = {step.number for step in steps if "RemoveNode" in str(step)}
    creations = [step for step in steps if "CreateNode" in str(step)]
    assert len(removals) == len(creations) == 2
    assert all(set(step.after) == removals for step in creations)


def test_removal_is_one_act_and_nothing_when_there_is_nothing() -> None:
    assert str(plan_removal("n", Observed())) == "0 changes"
    text = str(plan_removal("n", replace(Observed(), exists=True)))
    assert text.endswith("#1 network:n, RemoveNetwork, asked to\n1 change")
