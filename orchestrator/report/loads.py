"""What a network was asked by `testnet load`, as a report tells it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from orchestrator.directories import Places
from orchestrator.journal import read_owner
from orchestrator.report.exhibits import Exhibit, plotted
from orchestrator.report.redact import Redactor, printable
from orchestrator.traffic.jobs import Job, find_jobs
from orchestrator.traffic.loads import described
from orchestrator.traffic.telling import told

__all__ = ["LoadSeen", "drawn_charts", "loads_of"]

MOST_LOADS = 50
"""The youngest."""


@dataclass(frozen=True, slots=True)
class LoadSeen:
    """One of them, without secrets."""

    name: str
    what: str
    state: str
    lines: tuple[str, ...]
    record: Mapping[str, Any]
    """All of it, for programs."""


def loads_of(places: Places, redactor: Redactor) -> tuple[LoadSeen, ...]:
    """Those of a network, running or not."""
    owner = read_owner(places.journal)
    jobs = find_jobs(places, owner.network_id) if owner else []
    return tuple(_seen(job, redactor) for job in jobs[-MOST_LOADS:])


def _seen(job: Job, redactor: Redactor) -> LoadSeen:
    def text(said: str) -> str:
        return printable(redactor.text(said))

    lines = tuple(text(line) for line in told(job))
    record = redactor.data(asdict(job))
    return LoadSeen(job.name, text(described(job.load)), text(job.state), lines, record)


def drawn_charts(load: LoadSeen) -> list[Exhibit]:
    """Those of its charts that have a point."""
    charts = (json.dumps(chart).encode() for chart in load.record["charts"])
    drawn = (plotted(f"load/{load.name}.json", data) for data in charts)
    return [each for each in drawn if each.plot]
