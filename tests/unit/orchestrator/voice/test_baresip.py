"""What baresip is told, and what is read from its log."""

from pathlib import Path

import pytest

from orchestrator.voice.baresip import (
    Phone,
    agreed_on,
    files_of,
    has_ended,
    is_ready,
    last_words,
    received,
    was_established,
)

TALKED = (
    "\x1b[31mmain: epoll_ctl: EPOLL_CTL_ADD: fd=0 (Operation not permitted)\n\x1b[;m"
    "baresip is ready.\n"
    "call: connecting to 'sip:bob@bob.loki;transport=udp'..\n"
    "audio: Set audio encoder: opus 48000Hz 2ch\n"
    "alice@172.16.0.1: Call established: sip:bob@bob.loki;transport=udp\n"
    "[0:00:00] audio=0/0 (bit/s)    \r[0:00:01] audio=0/0 (bit/s)    \r"
    "sip:alice@172.16.0.1: Call with sip:bob@bob.loki;transport=udp terminated (duration: 9 secs)\n"
    "audio: destroyed (started=1)\n\naudio           Transmit:     Receive:\n"
    "packets:            500          498\navg. bitrate:      64.1         64.1  (kbit/s)\n"
    "lost:                 0            2\njitter:             4.3          4.2  (ms)\n"
    "terminated by signal 15\nmain: unloading modules..\n"
)
REFUSED = (
    "baresip is ready.\n"
    "call: connecting to 'sip:bob@bob.loki;transport=udp'..\n"
    "\x1b[31malice@172.16.0.1: session closed: 486 Busy Here\n\x1b[;m"
    "ua: stop all (forced=0)\nua exited -- stopping main runloop\nmenu: close (redial)\n"
)


@pytest.mark.parametrize(
    ("codec", "rate", "spelled"), [("opus", 48_000, "opus/48000/1"), ("pcmu", 8_000, "pcmu/8000/1")]
)
def test_its_sound_has_the_codecs_rate(codec: str, rate: int, spelled: str) -> None:
    phone = Phone("alice", Path("/tmp/x"), "172.16.0.1", "172.16.0.2:4000", codec)  # type: ignore[arg-type]
    files = files_of(phone)
    assert phone.rate == rate
    assert f"ausrc_srate {rate}\n" in files["config"]
    assert "audio_source aufile,/tmp/x/said.wav\n" in files["config"]
    assert "sip_listen 172.16.0.1:5060\n" in files["config"]
    assert f";audio_codecs={spelled};" in files["accounts"]
    assert ";stunserver=stun:172.16.0.2:4000\n" in files["accounts"]


def test_it_dials_by_name() -> None:
    phone = Phone("alice", Path("/tmp/x"), "172.16.0.1", "172.16.0.2:4000", "opus")
    assert phone.dialling("bob", "bob.loki")[-1] == "/dial sip:bob@bob.loki"


def test_what_it_heard_is_its_last_recording(tmp_path: Path) -> None:
    phone = Phone("alice", tmp_path, "172.16.0.1", "172.16.0.2:4000", "opus")
    assert phone.recording() is None
    (tmp_path / "dump-2030-01-01-enc.wav").write_bytes(b"said")
    (tmp_path / "dump-2030-01-01-dec.wav").write_bytes(b"heard")
    assert phone.recording() == b"heard"


def test_a_log_tells_how_far_a_call_is() -> None:
    begun = TALKED.partition("alice@")[0]
    assert [is_ready(log) for log in ("", begun, TALKED)] == [False, True, True]
    assert [was_established(log) for log in (begun, TALKED, REFUSED)] == [False, True, False]
    assert [has_ended(log) for log in (begun, TALKED, REFUSED)] == [False, True, True]


def test_a_log_tells_the_codec() -> None:
    assert [agreed_on(log) for log in (TALKED, REFUSED)] == ["opus", ""]
    assert agreed_on("audio: Set audio encoder: PCMU 8000Hz 1ch\n") == "pcmu"


def test_a_log_has_the_phones_own_count_of_what_it_got() -> None:
    assert received(TALKED) == {"lost": 2, "jitter_ms": 4.2}
    assert received(REFUSED) == {}


def test_its_last_words_are_neither_a_counter_nor_a_farewell() -> None:
    assert last_words(REFUSED) == "alice@172.16.0.1: session closed: 486 Busy Here"
    assert last_words("baresip is ready.\n[0:00:01] audio=0/0 (bit/s)    \r") == "baresip is ready."
    assert last_words(TALKED) == "jitter:             4.3          4.2  (ms)"
    assert last_words("") == "it said nothing"
