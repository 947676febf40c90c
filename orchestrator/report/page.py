"""The page: one HTML file that loads nothing, runs nothing and says first what is wrong.

Rules: jinja2 with autoescape on and undefined names refused; `safe` are the style and the drawings,
which are serialised elements. A policy in the page forbids everything but its own style and the
pictures and sounds that are within it, should an escape ever be missing.
"""

from __future__ import annotations

import base64
import hashlib
import xml.etree.ElementTree as ElementTree
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.resources import files

from jinja2 import Environment, StrictUndefined

from orchestrator.census import paths_of
from orchestrator.graph import Graph, graph_of
from orchestrator.pictures import COLOURS
from orchestrator.report import plots
from orchestrator.report.evidence import Evidence, LogTail
from orchestrator.report.exhibits import shown_exhibits
from orchestrator.report.loads import drawn_charts
from orchestrator.report.redact import printable
from orchestrator.report.tried import TriedTest
from orchestrator.report.troubles import TEST, Since, Trouble, clock_time
from orchestrator.report.witness import judged
from orchestrator.units import format_seconds
from orchestrator.webpage import STYLE, drawing

__all__ = ["all_troubles", "render_page"]

MOST_DRAWN_NODES = 150
MOST_DRAWN_LINKS = 3000
LINES_OF_A_LOG = 40
MOST_LOGS = 60
MOST_ROWS = 500
POLICY = (
    "default-src 'none'; style-src 'sha256-{}'; img-src data:; media-src data:; base-uri 'none'; "
    "form-action 'none'"
)
OWN_STYLE = """
body { max-width: 78rem } header h2 { font-size: 1rem } td { overflow-wrap: anywhere }
pre { overflow-x: auto; background: #f6f6f6; padding: .5rem; font-size: 13px }
header { border: 2px solid #2a7f3f; border-radius: 6px; padding: .5rem 1.2rem; margin-bottom: 1rem }
header.bad { border-color: #b3261e } header.bad dd { font-weight: 600 } small { font-weight: 400 }
header dl { display: grid; grid-template-columns: max-content 1fr; gap: .2rem 1.2rem }
header dt { color: #666 } header dd { margin: 0; overflow-wrap: anywhere }
header.bad #layer, header.bad #node, header.bad #since { font-size: 1.35rem; color: #b3261e }
.figures { display: grid; grid-template-columns: 1fr 1fr; gap: 1rem } figure { margin: 0 }
figure img { max-width: 100%; border: 1px solid #ddd } figcaption { color: #555; font-size: 13px }
.tests td:first-child { min-width: 9rem }
.tests td:nth-child(2), .tests td:nth-child(5), .tests td:nth-child(6) { white-space: nowrap }
""".strip()


@dataclass(frozen=True, slots=True)
class _Figures:
    """Both layers, drawn."""

    underlay: str
    overlay: str
    links: int
    ways: list[tuple[str, str]]
    """Of each its colour, and whom it leads through."""


def all_troubles(evidence: Evidence) -> list[Trouble]:
    """What nodes lack, then the tests that did not hold."""
    failed = [test for test in evidence.occasion.tests if not test.has_held and not test.is_skipped]
    return [*evidence.troubles, *map(_of_test, failed)]


def _of_test(test: TriedTest) -> Trouble:
    since = Since(test.at - test.seconds, test.at, "its first and its last try")
    return Trouble(test.title, TEST, f"expected {test.expected}; saw {test.seen}", since, "", "")


def render_page(evidence: Evidence) -> str:
    """The whole file."""
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True)
    source = files("orchestrator.report").joinpath("page.html").read_text(encoding="utf-8")
    style = f"{STYLE}\n{plots.STYLE}\n{OWN_STYLE}"
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    wrong = all_troubles(evidence)
    first = wrong[0] if wrong else None
    logs, hidden = _logs(evidence, [each.subject.partition(" ")[0] for each in wrong])
    return environment.from_string(source).render(
        e=evidence,
        policy=POLICY.format(digest),
        style=style,
        first=first,
        kernel=[
            f"{program}: {said}"
            for (node, program), said in evidence.kernel_states.items()
            if first is not None and node == first.subject
        ],
        others=[(t.layer, t.subject, str(t.since), t.seen) for t in wrong[1 : MOST_ROWS + 1]],
        tests=[_tried(test) for test in evidence.occasion.tests],
        skipped=sum(test.is_skipped for test in evidence.occasion.tests),
        exhibits=shown_exhibits(evidence.occasion.tests),
        loads=[(load, drawn_charts(load)) for load in evidence.loads],
        figures=_figures(evidence),
        nodes=_nodes(evidence),
        paths=_paths(evidence)[:MOST_ROWS],
        events=[
            (
                f"{clock_time(event.after)} and {clock_time(event.by)}",
                event.happening.node,
                event.happening.kind,
                event.happening.detail,
            )
            for event in evidence.events[-MOST_ROWS:]
        ],
        history=[
            (line.at, line.node, line.event, line.detail) for line in evidence.history[-MOST_ROWS:]
        ],
        acts=[(day(act.at), act.text, act.reason) for act in evidence.acts[-MOST_ROWS:]],
        logs=logs,
        hidden_logs=hidden,
        versions=list(evidence.versions.items()),
        day=day,
        printable=printable,
    )


def _tried(test: TriedTest) -> tuple[str, ...]:
    return (
        test.title + (f" (round {test.round})" if test.round > 1 else ""),
        test.outcome,
        test.expected,
        test.seen,
        clock_time(test.at),
        format_seconds(test.seconds),
        ", ".join(f"{name} {_shown(value)}" for name, value in test.figures.items()),
    )


def _shown(value: float) -> str:
    return f"{value:.4g}" if abs(value) < 1e4 else f"{value:.0f}"


def day(instant: float) -> str:
    """`2026-11-22 08:59:36 UTC`."""
    return f"{datetime.fromtimestamp(instant, UTC):%Y-%m-%d %H:%M:%S} UTC"


def _figures(evidence: Evidence) -> _Figures | None:
    if evidence.census is None:
        return None
    graph: Graph = graph_of(evidence.census)
    if len(graph.vertices) > MOST_DRAWN_NODES or len(graph.links) > MOST_DRAWN_LINKS:
        return None

    def drawn(underlay: bool, overlay: bool) -> str:
        element = drawing(graph, underlay, overlay)
        return ElementTree.tostring(element, encoding="unicode", method="html")

    ways = [
        (COLOURS[number % len(COLOURS)], f"{way.sender} → {way.through} → {way.receiver}")
        for number, way in enumerate(graph.ways)
    ]
    return _Figures(drawn(True, False), drawn(False, True), len(graph.links), ways)


def _nodes(evidence: Evidence) -> list[tuple[str, ...]]:
    census = evidence.census
    if census is None:
        return []
    lacking = judged(census)
    rows: list[tuple[str, ...]] = []
    for name, node in census.observed.nodes.items():
        programs = [
            f"{program}: {_state(evidence, name, program, state.exit_code)}"
            for program, state in node.processes.items()
        ]
        status, lack = census.statuses.get(name, {}), lacking.get(name)
        ready = sum(path.is_ready for path in paths_of(census, name))
        owns = census.role(name) in ("client", "service", "exit")
        rows.append(
            (
                name,
                census.role(name),
                node.address,
                "; ".join(programs),
                str(status.get("numPeersConnected", "-")),
                str(ready) if owns else "-",
                f"{lack.layer.title}: {lack.seen}" if lack else "",
            )
        )
    return rows


def _state(evidence: Evidence, node: str, program: str, exit_code: int | None) -> str:
    if exit_code is not None:
        return f"ended with {exit_code}"
    return evidence.kernel_states.get((node, program), "runs")


def _paths(evidence: Evidence) -> list[tuple[str, ...]]:
    census = evidence.census
    return [
        (
            owner,
            path.status or ("ready" if path.is_ready else "-"),
            path.purpose,
            clock_time(path.expires_ms / 1000) if path.expires_ms else "-",
            "-" if path.rtt_ms is None else f"{path.rtt_ms:.1f} ms",
            str(path.cells_in),
            str(path.cells_out),
            " → ".join(path.hops),
        )
        for owner in (census.statuses if census else ())
        for path in (paths_of(census, owner) if census else ())
    ]


def _logs(
    evidence: Evidence, wanted: Sequence[str]
) -> tuple[list[tuple[LogTail, tuple[str, ...], bool]], int]:
    """Those of nodes in trouble first; the first of them open."""
    order = {node: place for place, node in reversed(list(enumerate(wanted)))}
    ranked = sorted(evidence.logs, key=lambda log: order.get(log.node, len(order)))
    shown = [
        (log, log.lines[-LINES_OF_A_LOG:], bool(wanted) and log.node == wanted[0])
        for log in ranked[:MOST_LOGS]
    ]
    return shown, len(ranked) - len(shown)
