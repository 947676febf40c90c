"""What a check expected and what it saw, with files that show it: the exhibits.

Rules: an exhibit's name is a plain file name, its ending says what it is; one that ends in
`.series.json` is drawn in a report (see `orchestrator.report.series`). They are bounded here, as a
report takes them as they are.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field

__all__ = ["LEFT_OUT", "MOST_EXHIBIT_BYTES", "Verdict", "failed", "held", "missing"]

LONGEST = 300
"""Characters of something seen that are worth reading."""
MOST_EXHIBIT_BYTES = 8 << 20
"""Of one check, all together."""
LEFT_OUT = "left-out.txt"
"""The exhibit that names those that were too large."""
PLAIN = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")


@dataclass(frozen=True, slots=True)
class Verdict:
    """True if it held."""

    has_held: bool
    expected: str
    seen: str
    figures: Mapping[str, float] = field(default_factory=dict)
    """Numbers that were measured on the way, with their unit in the name."""
    exhibits: Mapping[str, bytes] = field(default_factory=dict)
    """Files that show what was seen, by name: `bob.png`, `heard.wav`, `delays.series.json`."""
    is_skipped: bool = False
    """It was not tried: `seen` says what is missing on this machine and how to get it."""

    def __bool__(self) -> bool:
        return self.has_held

    def __str__(self) -> str:
        if self.is_skipped:
            return f"not tried: {self.seen}"
        return self.seen if self.has_held else f"expected {self.expected}; saw {self.seen}"


def held(
    expected: str, seen: str, *, exhibits: Mapping[str, bytes] | None = None, **figures: float
) -> Verdict:
    """It was as expected."""
    return Verdict(True, expected, _short(seen), figures, _bounded(exhibits or {}))


def failed(
    expected: str, seen: str, *, exhibits: Mapping[str, bytes] | None = None, **figures: float
) -> Verdict:
    """It was not."""
    return Verdict(False, expected, _short(seen), figures, _bounded(exhibits or {}))


def _bounded(exhibits: Mapping[str, bytes]) -> Mapping[str, bytes]:
    """The smaller ones first, until that is too much; raises ValueError for a name with a path."""
    kept: dict[str, bytes] = {}
    out: list[str] = []
    total = 0
    for name, data in sorted(exhibits.items(), key=lambda exhibit: len(exhibit[1])):
        if not PLAIN.fullmatch(name):
            raise ValueError(f"{name!r} is no plain file name for an exhibit")
        total += len(data)
        if total > MOST_EXHIBIT_BYTES:
            out.append(f"{name}: {len(data)} bytes\n")
        else:
            kept[name] = data
    if out:
        kept[LEFT_OUT] = "".join(out).encode()
    return kept


def missing(expected: str, what: str, remedy: str) -> Verdict:
    """It cannot be tried here; where CI is set, where everything is to be there, it failed.

    Args:
        expected: what would have been.
        what: is missing.
        remedy: the command that gets it.
    """
    in_ci = os.environ.get("CI", "").lower() not in ("", "0", "false")
    return Verdict(False, expected, f"{what}: {remedy}", is_skipped=not in_ci)


def _short(text: str) -> str:
    """Printable, in one line, and not the whole page: it comes from programs under test."""
    line = " ".join(text.split())
    shown = "".join(char if char.isprintable() else "�" for char in line)
    return shown if len(shown) <= LONGEST else f"{shown[:LONGEST]}…"
