"""Durations as people write them (`60s`, `20 min`, `250ms`) and as they are printed."""

from __future__ import annotations

import re

__all__ = ["format_seconds", "parse_duration"]

SECONDS_PER_UNIT = {
    "ms": 0.001,
    "s": 1.0,
    "sec": 1.0,
    "m": 60.0,
    "min": 60.0,
    "h": 3600.0,
}
DURATION = re.compile(r"(\d+(?:\.\d+)?)\s*([a-z]+)")


def parse_duration(text: str) -> float:
    """Seconds of a number with its unit; raises ValueError for anything else, 0 included."""
    match = DURATION.fullmatch(text.strip())
    if match is None or match[2] not in SECONDS_PER_UNIT:
        units = ", ".join(SECONDS_PER_UNIT)
        raise ValueError(f"{text!r} is not a duration: write a number and one of {units}")
    seconds = float(match[1]) * SECONDS_PER_UNIT[match[2]]
    if seconds <= 0:
        raise ValueError(f"{text!r} is not a duration: it must be more than 0")
    return seconds


def format_seconds(seconds: float) -> str:
    """`0.43 s` below ten seconds, `12.3 s` below two minutes, `3 min` above."""
    if seconds < 10:
        return f"{seconds:.2f} s"
    if seconds < 120:
        return f"{seconds:.1f} s"
    return f"{seconds / 60:.0f} min"
