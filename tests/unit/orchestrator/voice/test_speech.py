from pathlib import Path

import numpy as np
import pytest

from orchestrator.errors import HostUnfit, UsageError
from orchestrator.voice.speech import spoken

WORDS = "Seven ships sail slowly past the quiet harbour."


def test_words_are_sound_of_48_khz() -> None:
    speech = spoken(WORDS)
    assert (speech.rate, str(speech.samples.dtype), speech.samples.ndim) == (48_000, "int16", 1)
    assert 2 < speech.seconds < 5
    assert np.abs(speech.samples.astype(int)).max() == pytest.approx(16_384, abs=1)


def test_the_same_words_are_the_same_samples_and_nobody_changes_them() -> None:
    speech = spoken(WORDS)
    assert spoken(WORDS) is speech
    with pytest.raises(ValueError, match="read-only"):
        speech.samples[0] = 1


def test_with_seconds_silence_follows() -> None:
    speech, longer = spoken(WORDS), spoken(WORDS, 6)
    assert longer.seconds == 6
    assert (longer.samples[: len(speech.samples)] == speech.samples).all()
    assert not longer.samples[len(speech.samples) :].any()


def test_more_words_than_seconds_is_an_error_that_says_how_long_they_take() -> None:
    with pytest.raises(UsageError, match=r"takes \d\.\d s to say, more than 1\.0 s"):
        spoken(WORDS, 1)


@pytest.mark.parametrize("text", ["", "  "])
def test_no_words_are_silence(text: str) -> None:
    assert not spoken(text, 2).samples.any()
    assert spoken(text, 2).seconds == 2
    assert spoken(text).seconds == 3


def test_what_looks_like_an_option_is_said() -> None:
    assert spoken("--version of the ship").seconds > 1


def test_without_the_program_the_error_says_how_to_get_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(HostUnfit, match="apt-get install espeak-ng"):
        spoken("words that nobody said before")


def test_a_program_that_fails_is_told_with_its_words(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    program = tmp_path / "espeak-ng"
    program.write_text("#!/bin/sh\necho no such voice >&2\nexit 2\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(HostUnfit, match="ended with 2: no such voice"):
        spoken("words that nobody said before")


def test_speaking_leaves_nothing_behind(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("HOME", "XDG_RUNTIME_DIR", "XDG_CONFIG_HOME"):
        monkeypatch.setenv(name, str(tmp_path))
    spoken("Nothing is left of what was said.")
    assert list(tmp_path.iterdir()) == []
