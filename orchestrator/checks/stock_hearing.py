"""What came of a call between stock clients, of each to the other: in figures and in words."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from orchestrator.checks.exhibits import series
from orchestrator.checks.stock_call import StockCall
from orchestrator.voice.delays import Delays, delays_of, percentile
from orchestrator.voice.desktop import RATE, Recording
from orchestrator.voice.emodel import mos, r_factor, r_of_delay
from orchestrator.voice.pieces import HEARD_IN_PIECES, correlation_in_pieces
from orchestrator.voice.score import Score, scored
from orchestrator.voice.sound import Samples, to_wav
from orchestrator.voice.speech import Speech

__all__ = ["Heard", "Way", "exhibits", "figures", "judged"]


@dataclass(frozen=True, slots=True)
class Way:
    """From one to the other."""

    speaker: str
    listener: str
    said: Speech
    to_hear: Speech

    def __str__(self) -> str:
        return f"{self.speaker} → {self.listener}"


@dataclass(frozen=True, slots=True)
class Heard:
    """The same, judged."""

    way: Way
    score: Score
    in_pieces: float
    """Correlation of loudness, the jitter buffer's shifts taken out."""
    delays: Delays
    points: list[tuple[float, float]]
    """(seconds since the first was sent, milliseconds on the way) of each packet that came."""
    ear_ms: float
    """From mouth to ear, with sound cards and jitter buffer; 0 if nothing was heard."""
    mos: float
    """From the network's delay and loss, with fixed terms for the rest."""
    mos_heard: float
    """From all of the delay, as it was measured, and the same loss."""
    sound: Samples
    fault: str
    """What is wrong; empty if nothing is."""

    def __str__(self) -> str:
        if not self.ear_ms:
            return f"{self.way}: {self.fault}, {self.delays}"
        heard = f"{self.ear_ms:.0f} ms from mouth to ear, PESQ {self.score.pesq_wb:.2f}"
        return (
            f"{self.way}: {self.fault or 'heard'}, {heard}, MOS {self.mos_heard:.2f}, {self.delays}"
        )


def judged(
    call: StockCall,
    recording: Recording,
    ways: Sequence[Way],
    most_loss: float,
    least_mos: float,
) -> list[Heard]:
    """Compare what was said and heard, and what was sent and came; raises CheckFailed."""
    sound = _channels(recording)
    heard = []
    for way in ways:
        mouth = sound[:, call.desktop.said_by(way.speaker)]
        ear = sound[:, call.desktop.heard_by(way.listener)]
        score = scored(way.to_hear, ear, RATE)
        sent, came = call.way(way.speaker, way.listener)
        delays, _ = delays_of(sent, came)
        loss = 1 - delays.came / delays.sent if delays.sent else 1.0
        network = mos(r_factor(delays.p50_ms, loss))
        ear_ms = whole = 0.0
        in_pieces = correlation_in_pieces(way.to_hear, ear, RATE, score.lag_s)
        was_heard = not score.is_silence and in_pieces >= HEARD_IN_PIECES
        if was_heard:
            ear_ms = 1000 * (score.lag_s - _began(mouth, way.said.samples))
            whole = mos(r_of_delay(ear_ms, loss))
        fault = ""
        if score.is_silence:
            fault = "silence was heard"
        elif not was_heard:
            fault = f"other words were heard (envelope {in_pieces:.2f})"
        elif loss > most_loss:
            fault = f"{loss:.1%} of the packets lost, of {most_loss:.1%} allowed"
        elif whole < least_mos:
            fault = f"MOS below {least_mos:.2f}"
        points = [
            (sent[number] - sent[0], 1000 * (at - sent[number])) for number, at in came.items()
        ]
        heard.append(
            Heard(way, score, in_pieces, delays, points, ear_ms, network, whole, ear, fault)
        )
    return heard


def figures(heard: Sequence[Heard]) -> dict[str, float]:
    """Delays and loss of all packets together; of the rest the worst of both ways."""
    ways = sorted(took for each in heard for _, took in each.points)
    sent = sum(each.delays.sent for each in heard)
    return {
        "packets": sent,
        "loss": 1 - len(ways) / sent if sent else 1.0,
        "delay_p50_ms": percentile(ways, 50),
        "delay_p95_ms": percentile(ways, 95),
        "delay_most_ms": percentile(ways, 100),
        "jitter_ms": max(each.delays.jitter_ms for each in heard),
        "mouth_to_ear_ms": max(each.ear_ms for each in heard),
        "envelope": min(each.in_pieces for each in heard),
        "pesq": min(each.score.pesq_wb for each in heard),
        "stoi": min(each.score.stoi for each in heard),
        "mos": min(each.mos for each in heard),
        "mos_heard": min(each.mos_heard for each in heard),
    }


def exhibits(heard: Sequence[Heard]) -> dict[str, bytes]:
    """A plot of the packets' delay, and what everybody heard."""
    lines = {str(each.way): each.points for each in heard}
    found = {"one-way-delay.series.json": series("one-way delay", "s", "ms", lines)}
    for each in heard:
        name = f"{each.way.speaker}-heard-by-{each.way.listener}.wav"
        found[name] = to_wav(each.sound, RATE)
    return found


def _channels(recording: Recording) -> Samples:
    """Everything, one column for each channel."""
    data = np.fromfile(recording.file, dtype="<i2").astype(np.int16, copy=False)
    whole = len(data) // recording.channels * recording.channels
    return data[:whole].reshape(-1, recording.channels)


def _began(mouth: Samples, said: Samples) -> float:
    """When the words began, in seconds of the recording: before them a microphone has zeros."""
    return float(mouth.nonzero()[0][0] - said.nonzero()[0][0]) / RATE
