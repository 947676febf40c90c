"""Which layer, which node, since when: judged from what was seen, done and written."""

from __future__ import annotations

from typing import Any

import pytest

from orchestrator.errors import Missing
from orchestrator.readiness.layers import Judgement, Layer
from orchestrator.report.troubles import Act, Since, Traces, nobody_there, troubles
from orchestrator.report.witness import Illness

STOP = Act(100.0, "SignalProcess process:r1/lokinet", "signal 19")


def since(*acts: Act, illness: Illness | None = None, **traces: Any) -> Since:
    missing = Missing("r1", "control socket", "silent", "")
    known = Traces(500.0, acts, illnesses={"r1": illness} if illness else {}, **traces)
    return troubles([missing], known)[0].since


SILENT = Judgement(Layer.SOCKET, "silent")


def test_since_an_act_of_ours_that_silences() -> None:
    assert since(STOP) == Since(100.0, 100.0, "testnet sent it SIGSTOP")
    stopped = Act(120.0, "StopProcess process:r1/lokinet", "asked to")
    assert since(STOP, stopped).why == "testnet stopped it"


@pytest.mark.parametrize(
    "later",
    [
        Act(110.0, "SignalProcess process:r1/lokinet", "signal 18"),
        Act(110.0, "StartProcess process:r1/lokinet", "stopped"),
        Act(110.0, "SignalProcess process:r1/lokinet", "signal 999"),
    ],
    ids=["continued", "started", "nonsense"],
)
def test_an_act_that_was_taken_back_is_no_cause(later: Act) -> None:
    assert since(STOP, later, illness=Illness(SILENT, 200.0, 210.0)).earliest == 200.0


@pytest.mark.parametrize("whom", ["r2/lokinet", "r1/nginx"])
def test_an_act_on_somebody_else_is_no_cause(whom: str) -> None:
    other = Act(100.0, f"SignalProcess process:{whom}", "signal 19")
    assert since(other, illness=Illness(SILENT, 200.0, 210.0)).earliest == 200.0


def test_since_between_two_looks_a_log_line_a_start_or_nothing() -> None:
    assert since(illness=Illness(SILENT, 200.0, 210.0)).earliest == 200.0
    never_well = Illness(SILENT, None, 210.0)
    wrote = since(illness=never_well, started={"r1": 50.0}, wrote={"r1": 90.0})
    assert (wrote.earliest, wrote.latest) == (90.0, 210.0)
    older = since(illness=never_well, started={"r1": 95.0}, wrote={"r1": 90.0})
    assert (older.earliest, older.why) == (95.0, "its start, and the first look")
    assert since() == Since(None, 500.0, "nobody looked before")
    assert str(since()) == "00:08:20 UTC at the latest"


def test_a_log_line_is_no_sign_that_a_client_had_paths() -> None:
    missing = Missing("alice", "paths", "no path ready", "")
    known = Traces(500.0, started={"alice": 50.0}, wrote={"alice": 90.0})
    assert troubles([missing], known)[0].since.earliest == 50.0


def test_two_who_do_not_meet_since_one_of_them_is_ill() -> None:
    missing = Missing("alice → web", "port answers", "no answer", "")
    ill = Illness(Judgement(Layer.PATHS, "no path ready"), 200.0, 210.0)
    found = troubles([missing], Traces(500.0, illnesses={"web": ill}))
    pair = next(each for each in found if each.subject == "alice → web")
    assert (pair.since.earliest, pair.since.latest) == (200.0, 210.0)


def test_a_network_that_was_stopped_and_one_whose_world_ended() -> None:
    stopped = Act(120.0, "StopNetwork network:net", "asked to")
    trouble = nobody_there("stopped", Traces(500.0, [STOP, stopped]))
    assert (trouble.layer, trouble.subject, trouble.since.earliest) == (
        "process",
        "all nodes",
        120.0,
    )
    killed = nobody_there("stopped", Traces(500.0, wrote={"r1": 90.0, "r2": 95.0}))
    assert (killed.since.earliest, killed.since.latest) == (95.0, 500.0)
