"""What is said in a call: words spoken by espeak-ng, 48 kHz mono int16.

The same words are the same samples.
"""

from __future__ import annotations

import functools
import os
import shutil
import subprocess
from dataclasses import dataclass

import numpy as np

from orchestrator.errors import HostUnfit, UsageError
from orchestrator.voice.sound import RATE, Samples, from_wav, resampled

__all__ = ["Speech", "spoken"]

SYNTHESIZER = "espeak-ng"
VOICE = "en-gb"
WORDS_A_MINUTE = 160
PEAK = 16_384
"""Half of full scale: loud enough for 16 bits, with room for a codec's overshoot."""
SILENCE_S = 3.0
"""How long nothing is said where nobody says how long."""
NO_SOUND_CARD = {"PULSE_SERVER": "unix:/nonexistent"}
"""It would look for PulseAudio though it only writes, and leave a folder where that would be."""
TIMEOUT_S = 30.0
"""A sentence takes 20 ms."""


@dataclass(frozen=True, slots=True, eq=False)
class Speech:
    """Words and their sound. Its samples are not to be written to: they are shared."""

    text: str
    """"" is silence."""
    samples: Samples
    rate: int = RATE

    @property
    def seconds(self) -> float:
        """How long it takes."""
        return len(self.samples) / self.rate


@functools.lru_cache(maxsize=64)
def spoken(text: str, seconds: float | None = None) -> Speech:
    """These words; with `seconds` followed by silence until then. "" is silence from the start.

    Raises:
        HostUnfit: espeak-ng is not there, or does not speak.
        UsageError: more words than fit into the seconds.
    """
    samples = _said(text) if text.strip() else np.zeros(0, np.int16)
    if seconds is None and not text.strip():
        seconds = SILENCE_S
    if seconds is not None:
        wanted = round(seconds * RATE)
        if wanted < len(samples):
            needed = len(samples) / RATE
            raise UsageError(f"{text!r} takes {needed:.1f} s to say, more than {seconds:.1f} s")
        samples = np.concatenate([samples, np.zeros(wanted - len(samples), np.int16)])
    samples.flags.writeable = False
    return Speech(text, samples)


def _said(text: str) -> Samples:
    program = shutil.which(SYNTHESIZER)
    if program is None:
        raise HostUnfit(f"no {SYNTHESIZER} to speak with: apt-get install {SYNTHESIZER}")
    argv = [program, "--stdin", "--stdout", "-v", VOICE, "-s", str(WORDS_A_MINUTE)]
    done = subprocess.run(
        argv,
        input=text.encode(),
        env={**os.environ, **NO_SOUND_CARD},
        capture_output=True,
        timeout=TIMEOUT_S,
        check=False,
    )
    if done.returncode != 0 or not done.stdout:
        words = done.stderr.decode(errors="replace").strip() or "it said nothing"
        raise HostUnfit(f"{SYNTHESIZER} ended with {done.returncode}: {words}")
    samples, rate = from_wav(done.stdout)
    sound = resampled(samples, rate, RATE).astype(np.float64)
    loudest = float(np.abs(sound).max(initial=0))
    if not loudest:
        raise UsageError(f"{text!r} has no word in it that can be said")
    return (sound * (PEAK / loudest)).astype(np.int16)
