"""Whether a recording has the speech in it, and how good that sounds.

Three measures, each for something else:

- the envelope correlation says whether these words are there at all: how far loudness follows
  theirs, in steps of 10 ms. The same words have more than 0.85 even over a bad line, other words of
  the same voice some 0.1.
- PESQ (ITU-T P.862.2, wide band, 1.0 to 4.64) is what listeners would say of the sound.
- STOI (0 to 1) is how much of it is understood.

Synthetic speech scores lower than people's in PESQ: compare with the same speech over a bare link.
"""

from __future__ import annotations

import math
import warnings
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from pesq import NoUtterancesError, pesq
from pystoi import stoi
from scipy.signal import correlate

from orchestrator.voice.sound import Samples, level_dbfs, resampled
from orchestrator.voice.speech import Speech

__all__ = ["HEARD", "Score", "scored"]

HEARD = 0.6
"""Envelope correlation from which on the words were heard."""
SILENCE_DBFS = -70.0
"""Quieter is nothing: noise of a codec that is fed silence stays below."""
SCORED_RATE = 16_000
"""Hz: what PESQ takes for wide band."""
FRAME = SCORED_RATE // 100
"""Samples of one step of the envelope: 10 ms."""
LOWEST_PESQ = 1.0

Sound = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Score:
    """What a recording is worth, compared with what was said."""

    envelope_correlation: float
    lag_s: float
    """From the recording's beginning to the speech's; negative if its beginning is missing."""
    pesq_wb: float
    stoi: float
    level_dbfs: float
    """Of the whole recording: -120 is digital silence."""

    @property
    def is_silence(self) -> bool:
        """Nothing was heard at all."""
        return self.level_dbfs < SILENCE_DBFS

    @property
    def was_heard(self) -> bool:
        """These words were."""
        return not self.is_silence and self.envelope_correlation >= HEARD

    def __str__(self) -> str:
        if self.is_silence:
            return "silence was heard"
        if not self.was_heard:
            return f"other words were heard (envelope {self.envelope_correlation:.2f})"
        figures = f"envelope {self.envelope_correlation:.2f}, PESQ {self.pesq_wb:.2f}"
        return f"the words were heard ({figures}, STOI {self.stoi:.2f})"


def scored(reference: Speech, heard: Samples, rate: int) -> Score:
    """Find the speech in a recording of that rate and compare the two.

    What cannot be judged, as nothing is in it, has the lowest of each scale.

    Raises:
        ValueError: the reference is silence, with which nothing can be compared.
    """
    level = level_dbfs(heard)
    said = resampled(reference.samples, reference.rate, SCORED_RATE).astype(np.float64)
    if not said.any():
        raise ValueError("silence is no reference")
    if level < SILENCE_DBFS:
        return Score(0.0, 0.0, LOWEST_PESQ, 0.0, level)
    recorded = resampled(heard, rate, SCORED_RATE).astype(np.float64)
    lag = _lag(said, recorded)
    aligned = _cut(recorded, lag, len(said))
    return Score(
        envelope_correlation=_correlation(_envelope(said), _envelope(aligned)),
        lag_s=lag / SCORED_RATE,
        pesq_wb=_pesq(said, aligned),
        stoi=_stoi(said, aligned),
        level_dbfs=level,
    )


def _lag(said: Sound, recorded: Sound) -> int:
    """At which of the recording's samples the speech begins."""
    product = correlate(recorded, said, mode="full", method="fft")
    return int(np.argmax(np.abs(product))) - (len(said) - 1)


def _cut(recorded: Sound, lag: int, length: int) -> Sound:
    """So many samples from there on; what was not recorded is silence."""
    aligned = np.zeros(length)
    found = recorded[max(lag, 0) : max(lag + length, 0)]
    offset = max(-lag, 0)
    aligned[offset : offset + len(found)] = found
    return aligned


def _envelope(sound: Sound) -> Sound:
    """Loudness of each 10 ms."""
    frames = sound[: len(sound) // FRAME * FRAME].reshape(-1, FRAME)
    envelope: Sound = np.sqrt(np.square(frames).mean(axis=1))
    return envelope


def _correlation(one: Sound, other: Sound) -> float:
    """Pearson's; 0 where one of them does not change."""
    if not one.std() or not other.std():
        return 0.0
    return float(np.corrcoef(one, other)[0, 1])


def _pesq(said: Sound, aligned: Sound) -> float:
    if not aligned.any():
        return LOWEST_PESQ
    try:
        value = float(pesq(SCORED_RATE, said / 32_768, aligned / 32_768, "wb"))
    except NoUtterancesError:
        return LOWEST_PESQ
    return value if math.isfinite(value) else LOWEST_PESQ


def _stoi(said: Sound, aligned: Sound) -> float:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # too little sound for a figure: it returns 1e-5, rightly
        value = float(stoi(said, aligned, SCORED_RATE))
    return value if math.isfinite(value) else 0.0
