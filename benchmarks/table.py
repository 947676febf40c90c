"""The table, a row as soon as its figure is known, and the same as data."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from typing import Any

from benchmarks.figures import Benchmark, Figure, Summary
from benchmarks.machine import BUSY_LOAD, Machine

COLUMNS = (("figure", -45), ("median", 9), ("unit", -10), ("lowest – highest", 19), ("CPU-s", 7))
COLUMNS_AFTER = (("goal", -7), ("C++ Lokinet", 0))
MARGIN = "  "
LEAST_SHOWN = 0.001


def preamble(machine: Machine, runs: int) -> str:
    """What the figures are to be read against."""
    cores = "1 core" if machine.cores == 1 else f"{machine.cores} cores"
    load = " ".join(f"{one:.2f}" for one in machine.load)
    lines = [
        f"machine  {cores}, {machine.model}; Linux {machine.kernel}; "
        f"Python {machine.python}, cryptography {machine.cryptography}",
        f"load     {load} over 1, 5 and 15 minutes before the start",
        f"speed    {machine.seal_us:.2f} µs of CPU to seal one cell: what to compare machines by",
        f"runs     {runs} of each" + ("; medians" if runs > 1 else ""),
    ]
    if machine.is_busy:
        lines.append(
            f"WARNING  the load is above {BUSY_LOAD} for each core: others are at work here;"
            " do not quote these figures"
        )
    return "\n".join(lines)


def head() -> str:
    """The line above all rows."""
    return _row([name for name, _ in (*COLUMNS, *COLUMNS_AFTER)])


def title(benchmark: Benchmark) -> str:
    """The line above a benchmark's rows."""
    return f"{benchmark.name}: {benchmark.summary}"


def row(figure: Figure, summary: Summary) -> str:
    """One figure."""
    spread = ""
    if len(summary.values) > 1:
        spread = f"{shown(summary.lowest)} – {shown(summary.highest)}"
    cpu = "" if summary.cpu_s is None else shown(summary.cpu_s)
    cells = [shown(summary.median), figure.unit, spread, cpu, figure.goal, figure.reference]
    return _row([MARGIN + figure.title, *cells])


def shown(value: float) -> str:
    """At least three digits of a value from 0 on; what never came says so."""
    if not math.isfinite(value):
        return "never"
    if not value:
        return "0"
    if value < LEAST_SHOWN:
        return f"< {LEAST_SHOWN}"
    places = 0 if value >= 100 else 1 if value >= 10 else 2 if value >= 1 else 3
    return f"{value:.{places}f}"


def _row(cells: Iterable[str]) -> str:
    parts = []
    for text, (_, width) in zip(cells, (*COLUMNS, *COLUMNS_AFTER), strict=True):
        parts.append(text.ljust(-width) if width <= 0 else text.rjust(width))
    return MARGIN.join(parts).rstrip()


def as_data(
    machine: Machine,
    runs: int,
    results: Mapping[str, Mapping[str, Summary]],
    benchmarks: Iterable[Benchmark],
    failures: Mapping[str, str],
) -> dict[str, Any]:
    """Everything in the table, and each run's value; null for what never came."""
    return {
        "machine": asdict(machine),
        "runs": runs,
        "failed": dict(failures),
        "benchmarks": {
            benchmark.name: {
                figure.key: _figure_data(figure, results[benchmark.name][figure.key])
                for figure in benchmark.figures
            }
            for benchmark in benchmarks
            if benchmark.name in results
        },
    }


def _figure_data(figure: Figure, summary: Summary) -> dict[str, Any]:
    return {
        "title": figure.title.strip(),
        "unit": figure.unit,
        "goal": figure.goal or None,
        "median": _number(summary.median),
        "lowest": _number(summary.lowest),
        "highest": _number(summary.highest),
        "cpu_s": summary.cpu_s,
        "values": [_number(value) for value in summary.values],
    }


def _number(value: float) -> float | None:
    return value if math.isfinite(value) else None
