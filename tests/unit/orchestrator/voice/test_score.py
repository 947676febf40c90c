"""A score tells these words from others, and a good line from a bad one."""

import numpy as np
import pytest

from orchestrator.voice.score import HEARD, Score, scored
from orchestrator.voice.sound import Samples, resampled
from orchestrator.voice.speech import Speech, spoken

SAID = "Seven ships sail slowly past the quiet harbour. Bring me the blue book from the table."
OTHER = "Nobody waters the roses while the gardener is away. Four grey horses wait at the gate."
FRAME = 960
"""Samples of 20 ms: what one packet holds."""


@pytest.fixture(scope="module")
def said() -> Speech:
    return spoken(SAID)


def with_silence_before(samples: Samples, seconds: float) -> Samples:
    return np.concatenate([np.zeros(round(seconds * 48_000), np.int16), samples])


def without_some_packets(samples: Samples, share: float) -> Samples:
    lossy = samples.copy()
    lost = np.random.default_rng(1).random(len(samples) // FRAME) < share
    for number in np.flatnonzero(lost):
        lossy[number * FRAME : (number + 1) * FRAME] = 0
    return lossy


def test_the_same_sound_has_the_best_score(said: Speech) -> None:
    score = scored(said, said.samples, 48_000)
    assert score.envelope_correlation == pytest.approx(1)
    assert score.pesq_wb == pytest.approx(4.64, abs=0.01)
    assert score.stoi == pytest.approx(1, abs=0.001)
    assert score.was_heard


def test_later_quieter_and_at_another_rate_it_is_still_found(said: Speech) -> None:
    late = resampled(with_silence_before(said.samples, 0.75) // np.int16(4), 48_000, 16_000)
    score = scored(said, late, 16_000)
    assert score.lag_s == pytest.approx(0.75, abs=0.001)
    assert score.was_heard
    assert score.pesq_wb > 4.3


def test_a_recording_that_begins_too_late_has_a_negative_lag(said: Speech) -> None:
    score = scored(said, said.samples[24_000:], 48_000)
    assert score.lag_s == pytest.approx(-0.5, abs=0.001)
    assert score.was_heard


def test_other_words_of_the_same_voice_are_not_these(said: Speech) -> None:
    score = scored(said, spoken(OTHER).samples, 48_000)
    assert score.envelope_correlation < HEARD / 2
    assert not score.was_heard
    assert str(score).startswith("other words were heard (envelope 0.")


def test_silence_is_named_and_has_the_lowest_of_each_scale(said: Speech) -> None:
    score = scored(said, np.zeros(96_000, np.int16), 48_000)
    assert score == Score(0.0, 0.0, 1.0, 0.0, -120.0)
    assert score.is_silence
    assert not score.was_heard
    assert str(score) == "silence was heard"


def test_an_empty_recording_is_silence(said: Speech) -> None:
    assert scored(said, np.zeros(0, np.int16), 48_000).is_silence


def test_a_snippet_is_not_the_words(said: Speech) -> None:
    assert not scored(said, said.samples[:19_200], 48_000).was_heard


def test_loss_lowers_the_score_in_order(said: Speech) -> None:
    values = [
        scored(said, without_some_packets(said.samples, share), 48_000).pesq_wb
        for share in (0.0, 0.02, 0.1, 0.3)
    ]
    assert values == sorted(values, reverse=True)
    assert values[0] - values[-1] > 2


def test_silence_is_no_reference() -> None:
    with pytest.raises(ValueError, match="silence is no reference"):
        scored(spoken("", 1), np.ones(48_000, np.int16), 48_000)
