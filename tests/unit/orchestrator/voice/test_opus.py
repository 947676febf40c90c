"""Opus and back."""

import numpy as np

from orchestrator.voice.opus import PACKET_SAMPLES, decoded, encoded
from orchestrator.voice.score import scored
from orchestrator.voice.sound import RATE
from orchestrator.voice.speech import Speech


def tone(seconds: float) -> Speech:
    at = np.arange(round(seconds * RATE)) / RATE
    swell = np.abs(np.sin(2 * np.pi * 3 * at))  # three syllables a second
    samples = (8000 * swell * np.sin(2 * np.pi * 220 * at)).astype(np.int16)
    return Speech("tone", samples)


def test_what_is_encoded_comes_out_again() -> None:
    speech = tone(0.99)
    packets = encoded(speech)
    assert len(packets) in (50, 51)  # the encoder looks ahead
    assert max(map(len, packets)) < 200
    sound = decoded(dict(enumerate(packets)), len(packets))
    assert sound.dtype == np.int16
    assert len(sound) == len(packets) * PACKET_SAMPLES
    assert scored(speech, sound, RATE).envelope_correlation > 0.95


def test_what_is_lost_is_concealed() -> None:
    speech = tone(1.0)
    packets = dict(enumerate(encoded(speech)))
    for number in (0, 1, 10, 20, 21, 30):
        del packets[number]
    packets[1000] = packets[2]  # of somebody else's turn
    sound = decoded(packets, 50)
    assert len(sound) == 50 * PACKET_SAMPLES
    assert not sound[: 2 * PACKET_SAMPLES].any()  # there is nothing to go on from
    concealed = sound[10 * PACKET_SAMPLES : 11 * PACKET_SAMPLES]
    assert np.abs(concealed).max() > 1000
    assert np.abs(sound).max() < 1.5 * np.abs(speech.samples).max()  # nor is there a bang
