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


def test_what_is_lost_is_silence() -> None:
    packets = dict(enumerate(encoded(tone(1.0))))
    for number in range(10, 20):
        del packets[number]
    packets[1000] = packets[0]  # of somebody else's turn
    sound = decoded(packets, 50)
    gap = sound[10 * PACKET_SAMPLES : 20 * PACKET_SAMPLES]
    assert not gap.any()
    assert len(sound) == 50 * PACKET_SAMPLES
    assert sound[: 10 * PACKET_SAMPLES].any()
    assert sound[20 * PACKET_SAMPLES :].any()
