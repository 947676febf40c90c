"""What a check expected and what it saw."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

__all__ = ["Verdict", "failed", "held"]

LONGEST = 300
"""Characters of something seen that are worth reading."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """True if it held."""

    has_held: bool
    expected: str
    seen: str
    figures: Mapping[str, float] = field(default_factory=dict)
    """Numbers that were measured on the way, with their unit in the name."""

    def __bool__(self) -> bool:
        return self.has_held

    def __str__(self) -> str:
        return self.seen if self.has_held else f"expected {self.expected}; saw {self.seen}"


def held(expected: str, seen: str, **figures: float) -> Verdict:
    """It was as expected."""
    return Verdict(True, expected, _short(seen), figures)


def failed(expected: str, seen: str, **figures: float) -> Verdict:
    """It was not."""
    return Verdict(False, expected, _short(seen), figures)


def _short(text: str) -> str:
    """Printable, in one line, and not the whole page: it comes from programs under test."""
    line = " ".join(text.split())
    shown = "".join(char if char.isprintable() else "�" for char in line)
    return shown if len(shown) <= LONGEST else f"{shown[:LONGEST]}…"
