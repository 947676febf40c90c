"""Durations, rates and sizes."""

from __future__ import annotations

import pytest

from orchestrator.units import (
    format_rate,
    format_seconds,
    parse_duration,
    parse_rate,
    parse_size,
)


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


@pytest.mark.parametrize(
    ("text", "size"), [("100 MB", 10**8), ("1B", 1), ("64 kB", 64_000), ("2 GB", 2 * 10**9)]
)
def test_a_size_is_bytes_by_the_thousand(text: str, size: int) -> None:
    assert parse_size(text) == size


@pytest.mark.parametrize("text", ["100", "0 MB", "1.5 MB", "1 MiB", "-1 B", ""])
def test_a_size_is_a_whole_number_with_its_unit(text: str) -> None:
    with pytest.raises(ValueError, match="is not a size: write a whole number and one of B, kB"):
        parse_size(text)
