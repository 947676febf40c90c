"""`voip-sip`: two stock phones, one calls the other by name, both talk and are listened to."""

from __future__ import annotations

import json
import socket
import tempfile
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from orchestrator.checklist_media import VoipSipCheck
from orchestrator.checks.needs import missing_needs
from orchestrator.checks.network import Network
from orchestrator.checks.verdict import Verdict, failed, held
from orchestrator.checks.wiretap import ETHERNET, LINK
from orchestrator.errors import CheckFailed
from orchestrator.voice import emodel

if TYPE_CHECKING:
    from orchestrator.voice.calling import End
    from orchestrator.voice.delays import Delays
    from orchestrator.voice.score import Score
    from orchestrator.voice.speech import Speech

__all__ = ["check_voip_sip"]

PROGRAMS = {"baresip": "baresip-core", "espeak-ng": "espeak-ng"}
MODULES = ("numpy", "scipy", "pesq", "pystoi")
BEFORE_S, AFTER_S = 1.0, 1.5
"""Silence around what is said: the connection is made, and what is under way arrives."""
CODECS = {"opus": emodel.OPUS, "pcmu": emodel.PCMU}
PASS_S = 15.0
"""How long a first datagram may take: a session is begun by it, in 0.3 s."""
AGAIN_S = 0.5
PROBE = b"who am I to you?"


@dataclass(frozen=True, slots=True)
class _Place:
    """Where a phone stands: on the node's tun, or on its link, for a call without Lokinet."""

    node: str
    address: str
    device: str
    is_bare: bool


def check_voip_sip(network: Network, check: VoipSipCheck) -> Verdict:
    """Call, talk, listen at both ends; what was heard counts more than what was counted."""
    expected = _expected(check)
    if (lacking := missing_needs(expected, PROGRAMS, "voip", MODULES)) is not None:
        return lacking
    with ExitStack() as things:
        try:
            caller, callee = _called(network, check, things)
        except CheckFailed as error:
            return failed(expected, str(error))
        there = _listened(callee, caller, check.to_be_heard)
        back = _listened(caller, callee, check.answers)
    return _judged(expected, check, there, back)


def _called(network: Network, check: VoipSipCheck, things: ExitStack) -> tuple[End, End]:
    """Both ends after their call; raises CheckFailed with what hindered it."""
    callee_node = network.observed.nodes.get(check.to)
    is_bare = callee_node is not None and check.name == callee_node.address
    places = [_place(network, node, is_bare) for node in (check.from_, check.to)]
    near, far = (_listener(network, place, things) for place in places)
    host = network.host(check.name or check.to)
    address = places[1].address if is_bare else _resolved(network, check.from_, host)
    seen_as = _pass(near, far, address)
    if seen_as is None:
        raise CheckFailed(f"nothing passes from {check.from_} to {host} ({address})")
    witnesses = (f"{address}:{_port(far)}", f"{seen_as}:{_port(near)}")
    caller, callee = _talk(network, check, host, places, (near, far), witnesses, things)
    if not caller.was_answered:
        raise CheckFailed(f"no call: {caller.last_words}")
    if caller.codec != check.codec:
        raise CheckFailed(f"they talk in {caller.codec or 'no codec'}")
    return caller, callee


def _expected(check: VoipSipCheck) -> str:
    text = f"{check.from_} to call {check.name or check.to}"
    text += f" ({check.to})" if check.name else ""
    text += f", and each to hear the other in {check.codec}"
    return f"{text}: {check.loss:.1%} lost at most, MOS {check.mos:.1f} at least"


def _place(network: Network, node: str, is_bare: bool) -> _Place:
    """Raises CheckFailed where there is no such node, or nothing runs there."""
    try:
        if not is_bare:
            return _Place(node, network.tun_address(node), network.tun(node), False)
        if node not in network.observed.nodes:
            raise CheckFailed(f"no node {node!r} is up")
    except CheckFailed as error:
        raise CheckFailed(f"nobody is at {node}: {error}") from error
    return _Place(node, network.observed.nodes[node].address, LINK, True)


def _resolved(network: Network, node: str, host: str) -> str:
    """The address that a node's resolver gives; raises CheckFailed."""
    answer = network.ask(node, host)
    addresses = answer.data("A")
    if not addresses:
        raise CheckFailed(f"no such name {host} ({answer.rcode})")
    return addresses[0]


def _listener(network: Network, place: _Place, things: ExitStack) -> socket.socket:
    """A UDP socket of a node, at an address that others reach."""
    listener = things.enter_context(network.socket(place.node, "udp"))
    listener.bind((place.address, 0))
    return listener


def _port(bound: socket.socket) -> int:
    return int(bound.getsockname()[1])


def _pass(near: socket.socket, far: socket.socket, address: str) -> str | None:
    """Send from one to the other: the address that the other sees; None if nothing arrives."""
    deadline = time.monotonic() + PASS_S
    far.settimeout(AGAIN_S)
    while time.monotonic() < deadline:
        try:
            near.sendto(PROBE, (address, _port(far)))
            data, (seen_as, _) = far.recvfrom(2048)
        except OSError:  # not yet, or refused by an earlier one's ICMP error
            continue
        if data == PROBE:
            return str(seen_as)
    return None


@dataclass(frozen=True, slots=True)
class _Heard:
    """What became of the words on one way."""

    node: str
    """Who listened."""
    talker: str
    score: Score
    delays: Delays
    points: Sequence[tuple[float, float]]
    """When a packet was sent, in seconds, and how long it took, in milliseconds."""
    mos: float
    recording: bytes | None
    reported: Mapping[str, float]
    """By the listener's phone."""

    def __str__(self) -> str:
        return f"at {self.node} {self.score}, {self.delays}, MOS {self.mos:.2f}"

    def figures(self) -> dict[str, float]:
        return {
            "envelope": self.score.envelope_correlation,
            "pesq": self.score.pesq_wb,
            "stoi": self.score.stoi,
            "loss": self.delays.loss,
            "p50_ms": self.delays.p50_ms,
            "p95_ms": self.delays.p95_ms,
            "jitter_ms": self.delays.jitter_ms,
            "mos": self.mos,
            **{f"rtcp_{name}": value for name, value in self.reported.items()},
        }


def _talk(
    network: Network,
    check: VoipSipCheck,
    host: str,
    places: Sequence[_Place],
    listeners: Sequence[socket.socket],
    witnesses: Sequence[str],
    things: ExitStack,
) -> tuple[End, End]:
    """Make the call; what its two ends know of it."""
    from orchestrator.voice.baresip import Phone
    from orchestrator.voice.calling import End, call, tap
    from orchestrator.voice.rtp import Heard
    from orchestrator.voice.speech import spoken

    folder = Path(things.enter_context(tempfile.TemporaryDirectory(prefix="call-")))
    said = [spoken(words) if words else None for words in (check.says, check.answers)]
    seconds = max(spoken(words).seconds for words in (check.to_be_heard, check.says, check.answers))
    seconds += BEFORE_S + AFTER_S
    ends = []
    for number, place in enumerate(places):
        witness = witnesses[number]
        phone = Phone(place.node, folder / str(number), place.address, witness, check.codec)
        listeners[number].setblocking(False)
        channel = things.enter_context(network.socket(place.node, "packet"))
        device = tap(channel, place.device)
        microphone = _microphone(said[number], seconds, phone.rate)
        heard = Heard(ETHERNET if place.is_bare else 0)
        ends.append(End(place.node, phone, microphone, listeners[number], device, heard))
    caller, callee = ends
    call(network.backend, caller, callee, host, seconds)
    return caller, callee


def _microphone(speech: Speech | None, seconds: float, rate: int) -> bytes:
    """Words between silences, as a WAV file; no words are silence alone."""
    import numpy as np

    from orchestrator.voice.sound import resampled, to_wav

    samples = np.zeros(round(seconds * rate), np.int16)
    if speech is not None:
        words = resampled(speech.samples, speech.rate, rate)
        start = round(BEFORE_S * rate)
        samples[start : start + len(words)] = words[: len(samples) - start]
    return to_wav(samples, rate)


def _listened(listener: End, talker: End, words: str) -> _Heard:
    """Compare what came with what was to be heard."""
    import numpy as np

    from orchestrator.voice.rtp import stream_of
    from orchestrator.voice.score import scored
    from orchestrator.voice.sound import from_wav, resampled
    from orchestrator.voice.speech import Speech, spoken

    recording = listener.phone.recording()
    rate = listener.phone.rate
    samples = from_wav(recording)[0] if recording else np.zeros(0, np.int16)
    delays, points = stream_of(talker.heard, listener.heard)
    codec = CODECS[listener.phone.codec]
    r = emodel.r_factor(delays.p50_ms, delays.loss, codec, delays.room_ms)
    said = spoken(words)
    carried = Speech(words, resampled(said.samples, said.rate, rate), rate)  # what the codec takes
    score = scored(carried, samples, rate)
    return _Heard(
        listener.node,
        talker.node,
        score,
        delays,
        points,
        emodel.mos(r),
        recording,
        listener.reported,
    )


def _judged(expected: str, check: VoipSipCheck, there: _Heard, back: _Heard) -> Verdict:
    """Words first, then how many packets did not come, then how that sounds."""
    figures = {f"there_{name}": value for name, value in there.figures().items()}
    figures |= {f"back_{name}": value for name, value in back.figures().items()}
    exhibits = _exhibits(there, back)
    for way in (there, back):
        if not way.delays.sent:
            seen = f"no voice left {way.talker}"
        elif not way.score.was_heard:
            seen = f"at {way.node} {way.score}"
        elif way.delays.loss > check.loss:
            seen = f"{way.delays.loss:.1%} of the voice to {way.node} was lost or late: {way}"
        elif way.mos < check.mos:
            seen = f"MOS {way.mos:.2f}: {way}"
        else:
            continue
        return failed(expected, seen, exhibits=exhibits, **figures)
    return held(expected, f"{there}; {back}", exhibits=exhibits, **figures)


def _exhibits(*ways: _Heard) -> dict[str, bytes]:
    series = {
        f"{way.talker} → {way.node}": [[round(x, 3), round(y, 3)] for x, y in sorted(way.points)]
        for way in ways
        if way.points
    }
    found = {f"heard-by-{way.node}.wav": way.recording for way in ways if way.recording}
    if series:
        drawn = {"title": "one-way delay of voice", "x": "s", "y": "ms", "series": series}
        found["delay.series.json"] = json.dumps(drawn).encode()
    return found
