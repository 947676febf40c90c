"""Sound as arrays: from and to WAV files, from one rate to another.

An array has shape (samples,), int16, one channel.
"""

from __future__ import annotations

import io
import math
import wave

import numpy as np
from numpy.typing import NDArray
from scipy.signal import resample_poly

__all__ = ["RATE", "Samples", "from_wav", "level_dbfs", "resampled", "to_wav"]

Samples = NDArray[np.int16]

RATE = 48_000
"""Hz: that of Opus, and of nearly every sound card."""
FULL_SCALE = 32_768
LOWEST_DBFS = -120.0
"""What digital silence is said to have: below the step of 16 bits."""


def from_wav(data: bytes) -> tuple[Samples, int]:
    """Samples and their rate; several channels become their mean.

    A program that writes into a pipe does not know the length beforehand, so what the header says
    of it counts for nothing.

    Raises:
        ValueError: no WAV file, or not of 16 bits.
    """
    try:
        with wave.open(io.BytesIO(data)) as file:
            channels, width, rate = file.getnchannels(), file.getsampwidth(), file.getframerate()
            frames = file.readframes(len(data))
    except (wave.Error, EOFError) as error:
        raise ValueError(f"no WAV file: {error}") from error
    if width != 2:
        raise ValueError(f"a WAV file of {8 * width} bits, not of 16")
    frames = frames[: len(frames) - len(frames) % (2 * channels)]
    samples = np.frombuffer(frames, dtype="<i2").reshape(-1, channels)
    return (samples[:, 0] if channels == 1 else samples.mean(axis=1)).astype(np.int16), rate


def to_wav(samples: Samples, rate: int, channels: int = 1) -> bytes:
    """A WAV file; each channel is the same."""
    file = io.BytesIO()
    with wave.open(file, "wb") as writer:
        writer.setnchannels(channels)
        writer.setsampwidth(2)
        writer.setframerate(rate)
        writer.writeframes(np.repeat(samples, channels).astype("<i2").tobytes())
    return file.getvalue()


def resampled(samples: Samples, rate: int, to_rate: int) -> Samples:
    """The same sound with so many samples a second."""
    if rate == to_rate:
        return samples
    common = math.gcd(rate, to_rate)
    sound = resample_poly(samples.astype(np.float64), to_rate // common, rate // common)
    loudest = np.iinfo(np.int16)
    clipped: Samples = np.clip(np.rint(sound), loudest.min, loudest.max).astype(np.int16)
    return clipped


def level_dbfs(samples: Samples) -> float:
    """Power over the whole length, in dB below the loudest possible."""
    power = float(np.mean(np.square(samples.astype(np.float64)))) if len(samples) else 0.0
    return 20 * math.log10(math.sqrt(power) / FULL_SCALE) if power else LOWEST_DBFS
