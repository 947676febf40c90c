"""What is said of a call whose streams were made up."""

from __future__ import annotations

import json

import numpy as np
import pytest

from orchestrator.checklist_media import WORDS, VoipMumbleCheck
from orchestrator.checks import make
from orchestrator.checks.hearing import Findings, Passed, judged
from orchestrator.checks.wiretap import Datagram, Wiretap
from orchestrator.voice.mumble.call import Stream
from orchestrator.voice.opus import encoded
from orchestrator.voice.sound import RATE
from orchestrator.voice.speech import Speech

SECONDS = 2.0


def babble(seed: int) -> Speech:
    """Noise with syllables, another order of them for each seed."""
    random = np.random.default_rng(seed)
    loudness = np.repeat(random.choice([0, 1000, 4000, 9000], round(SECONDS * 8)), RATE // 8)
    sound = random.standard_normal(len(loudness)) * loudness
    return Speech(f"babble {seed}", np.clip(sound, -32000, 32000).astype(np.int16))


def stream(
    speech: Speech, lost: int = 0, way_ms: float = 5.0, datagrams: int | None = None
) -> Stream:
    """Every packet comes but the first so many of each 50."""
    packets = encoded(speech)
    sent_at = [0.02 * number for number in range(len(packets))]
    came = {number: opus for number, opus in enumerate(packets) if number % 50 >= lost}
    came_at = {number: sent_at[number] + way_ms / 1000 for number in came}
    return Stream(sent_at, came_at, came, len(came) if datagrams is None else datagrams)


def call(*streams: Stream, to_hear: Speech | None = None, loss: float = 0.02) -> Findings:
    passed = [
        Passed("alice", name, to_hear or babble(1), each)
        for name, each in zip(("bob", "carol", "dave"), streams, strict=False)
    ]
    return judged(passed, loss, 3.6)


def test_what_was_said_was_heard() -> None:
    findings = call(stream(babble(1)))
    assert findings.faults == []
    figures = findings.figures()
    assert figures["loss"] == 0
    assert figures["delay_p50_ms"] == pytest.approx(5)
    assert figures["mos"] > 4.3
    assert figures["envelope"] > 0.9
    assert findings.text().startswith("alice → bob: heard, 0/")
    exhibits = findings.exhibits()
    assert set(exhibits) == {
        "one-way-delay.series.json",
        "jitter.series.json",
        "packets.json",
        "alice-heard-by-bob.wav",
    }
    drawn = json.loads(exhibits["jitter.series.json"])["series"]["alice → bob"]
    assert drawn[-1][1] == pytest.approx(findings.figures()["jitter_ms"], abs=1e-6)
    assert json.loads(exhibits["packets.json"])["alice → bob"][1] == [1, 0.02, 5.0]


def test_other_words_and_silence_are_told_apart() -> None:
    assert "other words were heard" in call(stream(babble(2))).text()
    silence = Speech("", np.zeros(RATE, np.int16))
    assert "silence was heard" in call(stream(silence)).text()
    assert "nothing came" in call(Stream([0.0, 0.02], {}, {}, 0)).text()


def test_loss_and_delay_are_too_much_from_where_they_are_not_allowed() -> None:
    lossy = stream(babble(1), lost=3)
    assert "of the packets lost, of 2.0% allowed" in call(lossy).faults[0]
    assert call(lossy, loss=0.1).faults == []
    slow = call(stream(babble(1), way_ms=400))
    assert "MOS" in slow.faults[0]
    assert "below 3.60" in slow.faults[0]


def test_loss_lowers_the_mos_in_order() -> None:
    values = [call(stream(babble(1), lost=lost)).figures()["mos"] for lost in (0, 1, 3, 6)]
    assert values == sorted(values, reverse=True)
    assert values[0] - values[2] > 0.3


def test_voice_over_tcp_is_a_fault() -> None:
    assert "came by TCP" in call(stream(babble(1), datagrams=3)).faults[0]


def test_of_many_the_worst_is_told_and_all_are_counted() -> None:
    findings = call(stream(babble(1)), stream(babble(1), lost=3), stream(babble(1)))
    assert findings.text().startswith("2 of 3 ways are good, the worst: alice → carol: ")
    assert findings.figures()["packets"] == sum(each.delays.sent for each in findings.heard)
    lost = sum(number % 50 < 3 for number in range(findings.heard[1].delays.sent))
    assert (findings.figures()["lost_packets"], findings.figures()["late_packets"]) == (lost, 0)


def tapped(to_server: int, from_server: int, missed: int = 0) -> Wiretap:
    made = [Datagram(0, True, "a", b"")] * to_server + [Datagram(0, False, "a", b"")] * from_server
    return Wiretap(None, 1, made, missed=missed)  # type: ignore[arg-type]


def test_what_was_heard_passed_at_the_service() -> None:
    sound = stream(babble(1))
    count = sound.datagrams
    for tap, fault in (
        (tapped(count, 2 * count), ""),
        (tapped(count - 1, 2 * count), "fewer than"),
        (tapped(count, 2 * count - 1), "fewer than"),
        (tapped(count, 2 * count, missed=1), "too busy to tell"),
    ):
        findings = call(sound, sound)
        findings.judge_tap(tap)
        assert bool(findings.faults) == bool(fault)
        assert fault in findings.text()
    assert findings.figures()["udp_from_service"] == 2 * count


@pytest.mark.parametrize(
    ("says", "hears", "to_be_heard"),
    [("one", None, "one"), ("one", "two", "two"), ("", None, WORDS), ("", "two", "two")],
)
def test_what_is_to_be_heard(says: str, hears: str | None, to_be_heard: str) -> None:
    """A silent microphone is a fault, whoever forgets to say so."""
    check = make(VoipMumbleCheck, from_="a", to="b", server="x.loki", says=says, hears=hears)
    assert check.to_be_heard == to_be_heard
