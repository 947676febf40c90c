"""What a report tells of loads: their figures, drawn over time, without a secret."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from orchestrator.directories import Places
from orchestrator.journal import Journal
from orchestrator.report.evidence import Evidence
from orchestrator.report.folder import write_folder
from orchestrator.report.page import render_page
from orchestrator.traffic.jobs import folder_of
from orchestrator.traffic.loads import HttpLoad, record_of
from orchestrator.traffic.requests import Requests
from tests.unit.orchestrator import loopback
from tests.unit.orchestrator.test_report import HOSTILE, TOKEN, Page, gathered, places

__all__ = ["places"]

LOAD = HttpLoad(20, 100.0, ("alice",), "web", 80, f"/{HOSTILE}", 10.0, 30.0)


@pytest.fixture
def evidence(monkeypatch: pytest.MonkeyPatch, places: Places) -> Evidence:
    """Of a network under a load, whose figures are written as its process writes them."""
    with monkeypatch.context() as inner:
        requests = Requests(loopback.network(inner)[0], LOAD)
    for second in (1, 2):
        requests.arrived += 3
        requests.response.add(20_000 * second)
        requests.service.add(10_000)
        requests.failures[f"token={TOKEN}"] += 1
        requests.sample(float(second))
    Journal.open(places)
    folder = folder_of(places) / "http-1"
    folder.mkdir(parents=True)
    (folder / "load.json").write_text(json.dumps({**record_of(LOAD), "began": 1.0}))
    charts = [chart.data() for chart in requests.charts]
    written = {"seconds": 2.0, "ended": "stopped", "figures": requests.figures(2.0)}
    (folder / "figures.json").write_text(json.dumps({**written, "charts": charts}))
    return gathered(monkeypatch, places)


def test_a_load_is_told_with_its_figures_and_drawn(evidence: Evidence, tmp_path: Path) -> None:
    page = write_folder(evidence, tmp_path / "out")
    text = page.read_text()
    assert "http-1: 100 requests/s by 20 clients of alice to http://web/" in text
    assert "; ended after 2.00 s: stopped" in text
    assert "6 requests: 2 answered, 2 failed, 2 on their way; 1 answers/s" in text
    assert text.count('class="plot"') == 3
    assert "p95: 2 points, median 20" in text
    record = json.loads((page.parent / "load" / "http-1.json").read_text())
    assert record["figures"]["answered"] == 2
    assert record["charts"][1]["series"]["arrived"] == [[1.0, 3.0], [2.0, 3.0]]
    assert TOKEN not in text + json.dumps(record)


def test_nothing_hostile_gets_out_of_it(evidence: Evidence) -> None:
    page = Page(render_page(evidence))
    assert not page.tags & {"script", "img", "a"}
    assert page.active == []


def test_a_chart_without_a_point_is_left_out(evidence: Evidence) -> None:
    (load,) = evidence.loads
    charts = [{"title": "loss", "x": "s", "y": "%", "series": {}}]
    bare = replace(load, record={**load.record, "charts": charts})
    assert 'class="plot"' not in render_page(replace(evidence, loads=(bare,)))
