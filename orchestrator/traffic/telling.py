"""A load's figures as lines of text."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from orchestrator.traffic.jobs import Job
from orchestrator.traffic.loads import HttpLoad
from orchestrator.units import format_rate

__all__ = ["short", "told"]

PERCENTS = ("p50", "p90", "p95", "p99", "p999", "max")


def short(job: Job) -> str:
    """A job's figures in a few words."""
    found = job.figures
    if not found:
        return "none yet"
    if isinstance(job.load, HttpLoad):
        return f"{found['answered']} answered, {found['failed']} failed, {_ms(found['response'])}"
    return f"{found['talking']} talking, {100 * found['loss']:.2f} % lost, {_ms(found['delay'])}"


def _ms(delays: dict[str, float]) -> str:
    if not delays["count"]:
        return "no delays yet"
    return f"p50 {delays['p50_ms']:.1f} ms, p95 {delays['p95_ms']:.1f} ms"


def told(job: Job) -> list[str]:
    """All that matters, a table of percentiles last; nothing before there are figures."""
    if not job.figures:
        return []
    lines = _http_lines if isinstance(job.load, HttpLoad) else _voip_lines
    return lines(job.figures)


def _http_lines(found: dict[str, Any]) -> list[str]:
    rate = f"{found['answered_per_second']:g} answers/s, {format_rate(found['bits_per_second'])}"
    on_the_way = found["arrived"] - found["answered"] - found["failed"]
    waiting = f", {on_the_way} on their way" if on_the_way else ""
    counts = f"{found['answered']} answered, {found['failed']} failed{waiting}"
    table = _table([("response", found["response"]), ("service", found["service"])])
    return [f"{found['arrived']} requests: {counts}; {rate}", *_causes(found["failures"]), *table]


def _voip_lines(found: dict[str, Any]) -> list[str]:
    lost = f"{found['lost']} lost ({100 * found['loss']:.2f} %)"
    counts = f"{found['sent']} packets sent, {lost}, jitter {found['jitter_ms']:.2f} ms"
    lines = [f"{found['calls']} calls, {found['talking']} connected; {counts}"]
    if found["mos"]:
        mos, r = found["mos"], found["r"]
        quality = f"MOS {mos['median']:.2f} (worst {mos['worst']:.2f})"
        lines.append(f"{quality}, R {r['median']:.1f} (worst {r['worst']:.1f})")
    lines += _causes(found["failures"] | found["unsent"])
    rows = [("one way", "delay"), ("set-up", "setup"), ("lateness", "lateness")]
    return lines + _table([(shown, found[name]) for shown, name in rows])


def _causes(failures: dict[str, int]) -> list[str]:
    return [f"{many} × {what}" for what, many in failures.items()]


def _table(rows: Sequence[tuple[str, dict[str, float]]]) -> list[str]:
    """Percentiles in milliseconds, `-` without any."""
    lines = [f"{'ms':10}" + "".join(f"{name:>9}" for name in PERCENTS)]
    for name, delays in rows:
        cells = (delays.get(f"{each}_ms") for each in PERCENTS)
        shown = (f"{'-' if cell is None else format(cell, '.2f'):>9}" for cell in cells)
        lines.append(f"{name:10}" + "".join(shown))
    return lines
