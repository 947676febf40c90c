"""Tests as a report tells of them: what was expected and seen, figures, and the files that show it.

Rules: what all exhibits of a run may hold is bounded; those of tests that did not hold come first.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

__all__ = ["TriedTest", "place_of", "within_bounds"]

MOST_BYTES = 64 << 20
"""Exhibits of one report, all together."""
LONGEST_PLACE = 60


@dataclass(frozen=True, slots=True)
class TriedTest:
    """A test and what came of it."""

    title: str
    has_held: bool
    expected: str
    seen: str
    at: float
    """When the verdict was known."""
    seconds: float
    round: int = 1
    figures: Mapping[str, float] = field(default_factory=dict)
    exhibits: Mapping[str, bytes] = field(default_factory=dict)
    """By file name."""
    is_skipped: bool = False
    """It was not tried: `seen` says what is missing."""

    @property
    def outcome(self) -> str:
        """In a word or two."""
        return "held" if self.has_held else "skipped" if self.is_skipped else "did not hold"


def place_of(number: int, test: TriedTest) -> str:
    """The folder of a test's exhibits within a report's: `exhibits/03-voip-mumble-alice-bob`.

    Args:
        number: which of the report's tests it is, from 1.
        test: its title may be anything.
    """
    words = re.sub(r"[^a-z0-9]+", "-", test.title.lower()).strip("-")[:LONGEST_PLACE]
    return f"exhibits/{number:02d}-{words.strip('-') or 'test'}"


def within_bounds(tests: Sequence[TriedTest], most: int = MOST_BYTES) -> list[TriedTest]:
    """The same, in the same order; the exhibits that are too much, are not there."""
    left = most
    kept: dict[int, TriedTest] = {}
    for number, test in sorted(
        enumerate(tests), key=lambda each: each[1].has_held or each[1].is_skipped
    ):
        size = sum(map(len, test.exhibits.values()))
        kept[number] = test if size <= left else replace(test, exhibits={})
        left -= min(size, left)
    return [kept[number] for number in range(len(tests))]
