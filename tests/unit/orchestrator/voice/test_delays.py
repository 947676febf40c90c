"""Delay, loss and jitter of streams that were made up."""

import pytest

from orchestrator.voice.delays import delays_of, percentile

SENT = [0.02 * number for number in range(100)]


def came(ways_ms: dict[int, float]) -> dict[int, float]:
    return {number: SENT[number] + way / 1000 for number, way in ways_ms.items()}


def test_a_steady_stream() -> None:
    figures, late = delays_of(SENT, came(dict.fromkeys(range(100), 5.0)))
    assert (figures.sent, figures.came, figures.loss, late) == (100, 100, 0.0, frozenset())
    assert [figures.p50_ms, figures.p95_ms, figures.most_ms] == pytest.approx([5, 5, 5])
    assert figures.jitter_ms == pytest.approx(0)
    assert figures.room_ms == pytest.approx(40)
    assert str(figures) == "0/100 lost, 5.0 ms (p95 5.0), jitter 0.0 ms"


def test_what_does_not_come_is_lost() -> None:
    figures, _ = delays_of(SENT, came(dict.fromkeys(range(5, 100), 5.0)))
    assert figures.loss == pytest.approx(0.05)
    assert "5/100 lost" in str(figures)


def test_what_comes_too_late_is_lost_as_well() -> None:
    ways = dict.fromkeys(range(100), 5.0) | {50: 300.0, 51: 46.0}
    figures, late = delays_of(SENT, came(ways))
    assert figures.room_ms == pytest.approx(41)  # that 99 of 100 are in time
    assert late == {50}
    assert figures.loss == pytest.approx(0.01)
    assert ", 1 late" in str(figures)


def test_nobody_waits_longer_than_people_can_talk() -> None:
    ways = {number: 5.0 + 10 * number for number in range(100)}
    figures, late = delays_of(SENT, came(ways))
    assert figures.room_ms == pytest.approx(200)
    assert late == frozenset(range(21, 100))


def test_jitter_is_rfc_3550s() -> None:
    # one packet 16 ms slower: J = 16/16, then the way back 16 ms: J = 1 + (16 - 1)/16
    figures, _ = delays_of(SENT[:3], came({0: 5.0, 1: 21.0, 2: 5.0}))
    assert figures.jitter_ms == pytest.approx(1 + 15 / 16)


def test_of_nothing_there_are_no_figures() -> None:
    figures, late = delays_of(SENT, {})
    assert (figures.loss, figures.p50_ms, figures.jitter_ms, late) == (1.0, 0.0, 0.0, frozenset())
    assert delays_of([], {})[0].loss == 0.0


def test_percentiles_are_of_what_was_measured() -> None:
    assert [percentile([1, 2, 3, 4], share) for share in (0, 25, 50, 95, 100)] == [1, 1, 2, 4, 4]
