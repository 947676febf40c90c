"""Durations and rates."""

from __future__ import annotations

import pytest

from orchestrator.units import format_rate, format_seconds, parse_duration, parse_rate


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


@pytest.mark.parametrize(
    ("text", "rate"), [("10 Mbit/s", 1e7), ("1.5Gbit/s", 1.5e9), ("64 kbit/s", 64e3)]
)
def test_a_rate_is_bits_per_second_and_shown_as_written(text: str, rate: float) -> None:
    assert parse_rate(text) == rate
    assert parse_rate(format_rate(rate)) == rate


@pytest.mark.parametrize("text", ["10", "10 MB/s", "10 mbit/s", "-1 bit/s", ""])
def test_a_rate_without_its_unit_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is not a rate"):
        parse_rate(text)
