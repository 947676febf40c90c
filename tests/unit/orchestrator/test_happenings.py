"""What is different between two looks at a network, and what nodes took between them."""

from __future__ import annotations

import os
from typing import Any

import pytest

from orchestrator.backends.memory import MemoryBackend
from orchestrator.census import take_census
from orchestrator.cli import watching
from orchestrator.happenings import happenings
from orchestrator.ops import Observed
from orchestrator.usage import Look, loads, look
from tests.unit.orchestrator.people import census, link, observed, path, statuses


def between(
    monkeypatch: pytest.MonkeyPatch, shown: dict[str, dict[str, Any]], seen: Observed | None = None
) -> list[tuple[str, str, str]]:
    """What happened when everybody said the usual before and says `shown` now."""
    before = census(monkeypatch)
    after = census(monkeypatch, shown, seen, before)
    return [(each.node, each.kind, each.detail) for each in happenings(before, after)]


def test_nothing_happened(monkeypatch: pytest.MonkeyPatch) -> None:
    assert between(monkeypatch, statuses()) == []


def test_a_killed_router_is_told_by_itself_and_no_path_through_it_is_renamed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    shown = statuses()
    shown["r2"]["links"] = [link("r1", "down"), link("r3")]
    assert between(monkeypatch, shown, observed(exit_code=-9)) == [
        ("r1", "process-ended", "lokinet was killed by signal 9"),
        ("r1", "silent", "lokinet ended with -9"),
        ("r2", "link-down", "r1"),
    ]


def test_paths_links_introsets_and_sessions(monkeypatch: pytest.MonkeyPatch) -> None:
    shown = statuses()
    endpoint = shown["alice"]["services"]["default"]
    endpoint["paths"] = [path("r1", "r2", ready=False), path("r3", "r2")]
    endpoint["remoteSessions"][0]["route"].reverse()
    shown["web"]["services"]["default"] |= {"introset": {"published": 0}, "remoteSessions": []}
    shown["r1"]["links"] = [link("r2"), link("r3"), link("web")]
    assert between(monkeypatch, shown) == [
        ("r1", "link-down", "alice"),
        ("r1", "link-up", "r3"),
        ("r1", "link-up", "web"),
        ("web", "introset-unpublished", ""),
        ("web", "session-closed", "alice"),
        ("alice", "path-lost", "r1 → r2"),
        ("alice", "path-lost", "r3 → r1"),
        ("alice", "path-ready", "r3 → r2"),
        ("alice", "session-moved", "web to r2 → r1"),
    ]


def test_the_last_path_is_told_and_so_is_a_session_that_begins(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    shown = statuses()
    shown["alice"]["services"]["default"]["paths"] = []
    kinds = [kind for _, kind, _ in between(monkeypatch, shown)]
    assert kinds == ["path-lost", "path-lost", "no-path-left"]
    before = census(monkeypatch, shown)
    after = census(monkeypatch)
    told = [(each.node, each.kind) for each in happenings(before, after)]
    assert told == [("alice", "path-ready"), ("alice", "path-ready")]
    empty = statuses()
    empty["alice"]["services"]["default"]["remoteSessions"] = []
    begun = happenings(census(monkeypatch, empty), census(monkeypatch))
    assert [(each.kind, each.detail) for each in begun] == [("session-opened", "web over r1 → r2")]


def test_nodes_that_come_go_fall_silent_and_answer_again(monkeypatch: pytest.MonkeyPatch) -> None:
    shown = statuses()
    del shown["web"]
    everybody = observed()
    silent = between(monkeypatch, shown, everybody)
    assert ("web", "silent", "nobody answers") in silent
    before = census(monkeypatch, shown)
    assert ("web", "answers") in [
        (each.node, each.kind) for each in happenings(before, census(monkeypatch))
    ]
    gone = between(monkeypatch, shown, observed("web"))
    assert ("web", "node-removed", "") in gone
    fewer = census(monkeypatch, shown, observed("web"))
    back = happenings(fewer, census(monkeypatch))
    assert ("web", "node-added", "10.77.4.1") in [
        (each.node, each.kind, each.detail) for each in back
    ]


def test_a_restarted_process_is_started_and_not_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    from dataclasses import replace

    old = observed(exit_code=1)
    again = replace(old.nodes["r1"].processes["lokinet"], started_us=2000, exit_code=None, pid=99)
    new = replace(
        old, nodes={**old.nodes, "r1": replace(old.nodes["r1"], processes={"lokinet": again})}
    )
    before = census(monkeypatch, seen=old)
    told = happenings(before, take_census(MemoryBackend(), new, before.names))
    assert [(each.kind, each.detail) for each in told] == [
        ("process-started", "lokinet, pid 99 inside"),
        ("answers", ""),
    ]


def test_loads_are_what_grew_between_two_looks(monkeypatch: pytest.MonkeyPatch) -> None:
    found = census(monkeypatch)
    before = Look(10.0, {"r1": 1.0, "web": 5.0}, {}, {"r1": 100}, {"r1": 50})
    after = Look(12.0, {"r1": 1.5, "web": 4.0}, {"r1": 7 << 20}, {"r1": 300}, {"r1": 50})
    rows = {row.node: row for row in loads(found, before, after)}
    assert (rows["r1"].cpu_pct, rows["r1"].memory_bytes) == (25.0, 7 << 20)
    assert (rows["r1"].cells_in_per_s, rows["r1"].cells_out_per_s) == (100.0, 0.0)
    assert rows["web"].cpu_pct == 0.0  # restarted: its counter began anew
    assert (rows["r1"].paths, rows["alice"].paths, rows["alice"].links) == (None, 2, 1)


def test_a_look_reads_the_machines_own_counters(monkeypatch: pytest.MonkeyPatch) -> None:
    found = census(monkeypatch)
    seen = look(found, {10: os.getpid(), 11: 2**22 - 1}, 1.0)
    assert seen.cpu_s["r1"] > 0
    assert seen.memory["r1"] > 1 << 20
    assert (seen.cpu_s["r2"], seen.memory["r2"]) == (0, 0)  # gone, or never there
    assert (seen.cells_in["r1"], seen.cells_out["r1"]) == (30, 60)


def test_who_is_killed_while_asked_has_ended_before_he_is_silent(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    before = census(monkeypatch)
    shown = statuses()
    del shown["r1"]
    census(monkeypatch, shown)  # that is what everybody says from now on
    seen = iter([observed(), observed(exit_code=-9), Observed()])
    monkeypatch.setattr(MemoryBackend, "observe", lambda _: next(seen))
    monkeypatch.setattr(watching, "LOOK_EVERY_S", 0)
    told = watching._watch(MemoryBackend(), before, None)
    assert [(each.node, each.kind) for each in told] == [
        ("r1", "process-ended"),
        ("r1", "silent"),
        ("", "network-down"),
    ]
