"""Words that a jitter buffer has moved against each other are found, other words are not."""

from __future__ import annotations

import numpy as np

from orchestrator.voice.pieces import HEARD_IN_PIECES, correlation_in_pieces
from orchestrator.voice.score import HEARD, scored
from orchestrator.voice.sound import RATE, Samples
from orchestrator.voice.speech import Speech

SECONDS = 6


def words(seed: int) -> Speech:
    """Syllables of a tenth of a second, as loud as chance has it."""
    chance = np.random.default_rng(seed)
    loudness = np.repeat(chance.uniform(0, 1, SECONDS * 10) ** 3, RATE // 10)
    noise = chance.normal(0, 4000, SECONDS * RATE)
    return Speech("words", (loudness * noise).astype(np.int16))


def with_pauses(samples: Samples, longer_s: float) -> Samples:
    """A second of silence, then the words, every two seconds held up a little more."""
    gap = np.zeros(round(longer_s * RATE), np.int16)
    parts = [np.zeros(RATE, np.int16)]
    for part in np.split(samples, SECONDS // 2):
        parts += [part, gap]
    return np.concatenate(parts)


def test_words_whose_pauses_were_changed_are_found() -> None:
    said = words(1)
    heard = with_pauses(said.samples, 0.07)
    whole = scored(said, heard, RATE)
    assert whole.envelope_correlation < HEARD  # no one shift fits
    assert correlation_in_pieces(said, heard, RATE, whole.lag_s) > HEARD_IN_PIECES


def test_other_words_are_not_found_wherever_their_pieces_are_put() -> None:
    for seed in range(2, 8):
        heard = with_pauses(words(seed).samples, 0.07)
        lag_s = scored(words(1), heard, RATE).lag_s
        assert correlation_in_pieces(words(1), heard, RATE, lag_s) < HEARD_IN_PIECES


def test_silence_and_what_is_too_short_have_nothing_of_them() -> None:
    silence = np.zeros(RATE, np.int16)
    assert correlation_in_pieces(words(1), silence, RATE, 0.0) == 0.0
    assert correlation_in_pieces(words(1), silence[:10], RATE, 5.0) == 0.0
