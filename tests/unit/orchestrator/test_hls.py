"""What a player told, read as pictures, standstills and faults."""

from __future__ import annotations

import pytest

from orchestrator.checks.hls import Playing, faults_of

INTRODUCTION = (
    "[info]   Stream #0:0: Video: h264 (High), yuv420p, 640x360, 25 fps, 25 tbr, 90k tbn\n"
)


def playing(*shown: tuple[float, int], seconds: float = 4.0) -> Playing:
    return Playing(seconds, shown, True, INTRODUCTION)


def test_a_film_that_keeps_its_time_never_stands_still() -> None:
    smooth = playing(*((0.5 + n / 10, round(n * 2.5)) for n in range(1, 40)))
    assert smooth.rate == 25
    assert smooth.wanted == 100
    assert smooth.start_s == pytest.approx(0.5, abs=0.05)
    assert smooth.stalled_s < 0.05
    assert smooth.stalls == 0


def test_a_standstill_counts_though_the_player_catches_up_later() -> None:
    one = playing((0.5, 1), (1.5, 26), (3.5, 27), (3.6, 60), (4.4, 98))
    assert one.stalled_s == pytest.approx(1.96)
    assert one.stalls == 1
    assert one.start_s == pytest.approx(0.46)


def test_two_standstills_of_a_player_that_never_catches_up_add_up() -> None:
    two = playing((0.5, 1), (1.5, 2), (2.5, 27), (3.5, 28), (6.0, 90))
    assert two.stalled_s == pytest.approx(1.96, abs=0.05)
    assert two.stalls == 2


def test_how_long_a_player_takes_to_end_is_nothing_people_see() -> None:
    ended = playing((0.5, 1), (4.4, 98), (6.0, 99), (6.1, 99))
    assert ended.stalled_s < 0.05
    assert ended.frames == 99


def test_without_a_picture_nothing_is_known() -> None:
    nothing = Playing(4, (), True, "[fatal] http://x/: Connection refused\n")
    assert (nothing.rate, nothing.behind, nothing.frames, nothing.stalled_s) == (0, [], 0, 0)


def test_faults_are_what_the_player_calls_an_error() -> None:
    words = (
        "[hls @ 0x5] [info] Opening 'http://x/1.ts' for reading\n"
        "[h264 @ 0x5] [error] error while decoding MB 3 7\n"
        "[fatal] it cannot go on\n"
        "[mpegts @ 0x5] [warning] an error that it lives with\n"
    )
    assert faults_of(words) == ["error while decoding MB 3 7", "it cannot go on"]
