"""What came of a call: of each who spoke to each who listened, in figures and in words."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from orchestrator.checks.exhibits import series
from orchestrator.checks.wiretap import Wiretap
from orchestrator.voice.delays import Delays, delays_of, jitters, percentile
from orchestrator.voice.emodel import mos, r_factor
from orchestrator.voice.mumble.call import Stream
from orchestrator.voice.opus import decoded
from orchestrator.voice.score import Score, scored
from orchestrator.voice.sound import RATE, Samples, to_wav
from orchestrator.voice.speech import Speech

__all__ = ["Findings", "Passed", "judged"]

MOST_LINES = 12
"""Of a plot, as a report draws it."""
MOST_RECORDINGS = 4


@dataclass(frozen=True, slots=True)
class Passed:
    """What one heard of another."""

    speaker: str
    listener: str
    to_hear: Speech
    stream: Stream

    def __str__(self) -> str:
        return f"{self.speaker} → {self.listener}"


@dataclass(frozen=True, slots=True)
class Heard:
    """The same, judged."""

    passed: Passed
    delays: Delays
    score: Score
    sound: Samples
    r: float
    fault: str
    """What is wrong; empty if nothing is."""

    @property
    def mos(self) -> float:
        """What a listener would say, from delay and loss."""
        return mos(self.r)

    def __str__(self) -> str:
        score = self.score
        quality = f"PESQ {score.pesq_wb:.2f}, STOI {score.stoi:.2f}, MOS {self.mos:.2f}"
        return f"{self.passed}: {self.fault or 'heard'}, {self.delays}, {quality}"


@dataclass(slots=True)
class Findings:
    """Of a whole call."""

    heard: Sequence[Heard]
    tapped: str = ""
    """What is wrong with what passed at the service."""
    counted: dict[str, float] = field(default_factory=dict)

    @property
    def faults(self) -> list[str]:
        """All that is wrong."""
        found = [f"{each.passed}: {each.fault}" for each in self.heard if each.fault]
        return [*found, self.tapped] if self.tapped else found

    def judge_tap(self, tap: Wiretap) -> None:
        """Whatever was heard must have passed at the service as datagrams, in and out."""
        streams: dict[str, list[Stream]] = {}
        for each in self.heard:
            streams.setdefault(each.passed.speaker, []).append(each.passed.stream)
        came = sum(max(stream.datagrams for stream in group) for group in streams.values())
        went = sum(stream.datagrams for group in streams.values() for stream in group)
        seen_in = sum(datagram.is_to_server for datagram in tap.datagrams)
        seen_out = len(tap.datagrams) - seen_in
        self.counted = {"udp_to_service": seen_in, "udp_from_service": seen_out}
        if tap.missed:
            self.tapped = f"{tap.missed} frames at the service were missed: too busy to tell"
        elif seen_in < came or seen_out < went:
            self.tapped = (
                f"{seen_in} datagrams to the service and {seen_out} from it were seen there, "
                f"fewer than the {came} and {went} that were heard"
            )

    def text(self) -> str:
        """For people: of two both ways, of more the worst."""
        if len(self.heard) <= 2:
            texts = [str(each) for each in self.heard]
        else:
            good = sum(not each.fault for each in self.heard)
            worst = min(self.heard, key=lambda each: (not each.fault, each.r))
            texts = [f"{good} of {len(self.heard)} ways are good, the worst: {worst}"]
        if self.tapped:
            texts.insert(0, self.tapped)
        return "; ".join(texts)

    def figures(self) -> dict[str, float]:
        """Delays and loss of all packets together; of the rest the worst of all ways."""
        ways = sorted(way for each in self.heard for _, way in _ways(each.passed.stream))
        sent = sum(each.delays.sent for each in self.heard)
        missing = sum(each.delays.loss * each.delays.sent for each in self.heard)
        return {
            "packets": sent,
            "lost_packets": sum(each.delays.sent - each.delays.came for each in self.heard),
            "late_packets": sum(each.delays.late for each in self.heard),
            "loss": missing / sent if sent else 0.0,
            "delay_p50_ms": percentile(ways, 50),
            "delay_p95_ms": percentile(ways, 95),
            "delay_most_ms": percentile(ways, 100),
            "jitter_ms": max(each.delays.jitter_ms for each in self.heard),
            "jitter_buffer_ms": max(each.delays.room_ms for each in self.heard),
            "envelope": min(each.score.envelope_correlation for each in self.heard),
            "pesq": min(each.score.pesq_wb for each in self.heard),
            "stoi": min(each.score.stoi for each in self.heard),
            "r": min(each.r for each in self.heard),
            "mos": min(each.mos for each in self.heard),
            **self.counted,
        }

    def exhibits(self) -> dict[str, bytes]:
        """Plots, every packet, and recordings of whom the others had to hear."""
        began = min(at for each in self.heard for at in each.passed.stream.sent_at)
        delays: dict[str, list[tuple[float, float]]] = {}
        variations: dict[str, list[tuple[float, float]]] = {}
        for each in self.heard[:MOST_LINES]:
            way, stream = str(each.passed), each.passed.stream
            delays[way] = [(at - began, took) for at, took in _ways(stream)]
            estimates = jitters(stream.sent_at, stream.came_at)
            variations[way] = [(at - began, jitter) for at, jitter in estimates]
        packets = {str(each.passed): _packets(each.passed.stream, began) for each in self.heard}
        found = {
            "one-way-delay.series.json": series("one-way delay", "s", "ms", delays),
            "jitter.series.json": series("jitter (RFC 3550)", "s", "ms", variations),
            "packets.json": json.dumps(packets, separators=(",", ":")).encode(),
        }
        for each in self.heard[:MOST_RECORDINGS]:
            name = f"{each.passed.speaker}-heard-by-{each.passed.listener}.wav"
            found[name] = to_wav(each.sound, RATE)
        return found


def judged(passed: Sequence[Passed], most_loss: float, least_mos: float) -> Findings:
    """Play, compare, count."""
    return Findings([_heard(each, most_loss, least_mos) for each in passed])


def _heard(passed: Passed, most_loss: float, least_mos: float) -> Heard:
    stream = passed.stream
    delays, late = delays_of(stream.sent_at, stream.came_at)
    played = {number: opus for number, opus in stream.packets.items() if number not in late}
    sound = decoded(played, len(stream.sent_at))
    score = scored(passed.to_hear, sound, RATE)
    r = r_factor(delays.p50_ms, delays.loss, jitter_buffer_ms=delays.room_ms)
    fault = ""
    if not delays.came:
        fault = "nothing came"
    elif not score.was_heard:
        fault = str(score)
    elif stream.datagrams < delays.came:
        by_tcp = delays.came - stream.datagrams
        fault = f"{by_tcp} of {delays.came} packets came by TCP, as UDP does not get through"
    elif delays.loss > most_loss:
        fault = f"{delays.loss:.1%} of the packets lost, of {most_loss:.1%} allowed"
    elif mos(r) < least_mos:
        fault = f"MOS {mos(r):.2f}, below {least_mos:.2f}"
    return Heard(passed, delays, score, sound, r, fault)


def _ways(stream: Stream) -> list[tuple[float, float]]:
    """(when it was sent, milliseconds) of each packet that came."""
    sent: Sequence[float] = stream.sent_at
    came: Mapping[int, float] = stream.came_at
    return [(sent[number], (came[number] - sent[number]) * 1000) for number in sorted(came)]


def _packets(stream: Stream, began: float) -> list[tuple[int, float, float | None]]:
    """(number, when it was sent in seconds, milliseconds or null) of each packet."""
    return [
        (
            number,
            round(at - began, 6),
            round((stream.came_at[number] - at) * 1000, 3) if number in stream.came_at else None,
        )
        for number, at in enumerate(stream.sent_at)
    ]
