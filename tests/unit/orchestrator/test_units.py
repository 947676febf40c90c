"""Durations."""

from __future__ import annotations

import pytest

from orchestrator.units import format_seconds, parse_duration


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("60s", 60), ("20 min", 1200), ("250ms", 0.25), ("1.5 h", 5400), ("2m", 120)],
)
def test_a_number_with_its_unit_is_seconds(text: str, seconds: float) -> None:
    assert parse_duration(text) == seconds


@pytest.mark.parametrize("text", ["", "60", "s", "0s", "-1s", "1 year", "1s 2s", "nan s"])
def test_anything_else_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is not a duration"):
        parse_duration(text)


def test_seconds_are_printed_as_finely_as_they_matter() -> None:
    shown = [format_seconds(seconds) for seconds in (0.4321, 12.34, 600)]
    assert shown == ["0.43 s", "12.3 s", "10 min"]
