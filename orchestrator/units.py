"""Durations, rates and sizes as people write them (`60s`, `10 Mbit/s`, `100 MB`), and as shown."""

from __future__ import annotations

import re

__all__ = [
    "DURATION_PATTERN",
    "RATE_PATTERN",
    "SIZE_PATTERN",
    "format_rate",
    "format_seconds",
    "parse_duration",
    "parse_rate",
    "parse_size",
]

SECONDS_PER_UNIT = {
    "ms": 0.001,
    "s": 1.0,
    "sec": 1.0,
    "m": 60.0,
    "min": 60.0,
    "h": 3600.0,
}
DURATION = re.compile(r"(\d+(?:\.\d+)?)\s*([a-z]+)")
DURATION_PATTERN = r"^\s*\d+(\.\d+)?\s*(" + "|".join(SECONDS_PER_UNIT) + r")\s*$"
"""The same for readers of a schema."""
BITS_PER_UNIT = {"bit/s": 1.0, "kbit/s": 1e3, "Mbit/s": 1e6, "Gbit/s": 1e9}
RATE = re.compile(r"(\d+(?:\.\d+)?)\s*([kMG]?bit/s)")
RATE_PATTERN = r"^\s*\d+(\.\d+)?\s*[kMG]?bit/s\s*$"

BYTES_PER_UNIT = {"B": 1, "kB": 10**3, "MB": 10**6, "GB": 10**9}
SIZE = re.compile(r"(\d+)\s*([kMG]?B)")
SIZE_PATTERN = r"^\s*\d+\s*[kMG]?B\s*$"


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


def parse_rate(text: str) -> float:
    """Bits per second of a number with its unit; raises ValueError for anything else."""
    match = RATE.fullmatch(text.strip())
    if match is None:
        units = ", ".join(BITS_PER_UNIT)
        raise ValueError(f"{text!r} is not a rate: write a number and one of {units}")
    return float(match[1]) * BITS_PER_UNIT[match[2]]


def format_rate(bits_per_second: float) -> str:
    """`930 bit/s`, `12.3 Mbit/s`."""
    for unit, size in reversed(BITS_PER_UNIT.items()):
        if bits_per_second >= size:
            return f"{bits_per_second / size:.3g} {unit}"
    return f"{bits_per_second:.3g} bit/s"


def parse_size(text: str) -> int:
    """Bytes of a whole number with its unit (1 MB is 10^6); raises ValueError, also for 0."""
    match = SIZE.fullmatch(text.strip())
    if match is None or int(match[1]) == 0:
        units = ", ".join(BYTES_PER_UNIT)
        raise ValueError(f"{text!r} is not a size: write a whole number and one of {units}")
    return int(match[1]) * BYTES_PER_UNIT[match[2]]
