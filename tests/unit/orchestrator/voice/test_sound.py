import io
import wave

import numpy as np
import pytest

from orchestrator.voice.sound import from_wav, level_dbfs, resampled, to_wav

RAMP = np.arange(-500, 500, dtype=np.int16)


@pytest.mark.parametrize("channels", [1, 2])
def test_a_wav_file_gives_back_what_was_written(channels: int) -> None:
    samples, rate = from_wav(to_wav(RAMP, 16_000, channels))
    assert rate == 16_000
    assert samples.tolist() == RAMP.tolist()


def test_a_wav_file_from_a_pipe_is_as_long_as_what_came() -> None:
    """Its header says 2 GiB, as the program did not know."""
    data = bytearray(to_wav(RAMP, 22_050))
    data[4:8] = data[40:44] = b"\x00\xf0\xff\x7f"
    samples, _ = from_wav(bytes(data))
    assert samples.tolist() == RAMP.tolist()


def test_a_wav_file_cut_in_a_sample_loses_that_sample() -> None:
    samples, _ = from_wav(to_wav(RAMP, 8_000)[:-1])
    assert samples.tolist() == RAMP[:-1].tolist()


@pytest.mark.parametrize("data", [b"", b"RIFF", b"ID3 no wav file at all"])
def test_what_is_no_wav_file_is_told(data: bytes) -> None:
    with pytest.raises(ValueError, match="no WAV file"):
        from_wav(data)


def test_eight_bits_are_not_taken() -> None:
    file = io.BytesIO()
    with wave.open(file, "wb") as writer:
        writer.setparams((1, 1, 8_000, 0, "NONE", ""))
        writer.writeframes(b"\x80" * 8)
    with pytest.raises(ValueError, match="8 bits"):
        from_wav(file.getvalue())


def test_a_tone_keeps_its_length_and_its_level_at_another_rate() -> None:
    tone = (10_000 * np.sin(2 * np.pi * 440 * np.arange(22_050) / 22_050)).astype(np.int16)
    other = resampled(tone, 22_050, 48_000)
    assert len(other) == 48_000
    assert level_dbfs(other) == pytest.approx(level_dbfs(tone), abs=0.1)


def test_what_would_be_too_loud_is_clipped_and_does_not_turn_over() -> None:
    square = np.repeat(np.array([32_767, -32_768] * 20, np.int16), 50)
    other = resampled(square, 8_000, 48_000).astype(int)
    # Just after an edge the ringing goes beyond full scale: a sample that turned over has the
    # other sign.
    middles = other[150::300]
    assert (np.sign(middles) == [1, -1] * 20).all()
    assert int(other.max()) == 32_767


def test_level() -> None:
    assert level_dbfs(np.zeros(100, np.int16)) == -120
    assert level_dbfs(np.zeros(0, np.int16)) == -120
    assert level_dbfs(np.full(100, 16_384, np.int16)) == pytest.approx(-6.02, abs=0.01)
