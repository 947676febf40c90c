"""Speech as Opus and back: 48 kHz, mono, packets of 20 ms.

What is lost is concealed by libopus, as it is for whoever talks with a real client.
"""

from __future__ import annotations

from collections.abc import Mapping

import av
import numpy as np
from av.audio.codeccontext import AudioCodecContext

from orchestrator.voice.sound import RATE, Samples
from orchestrator.voice.speech import Speech

__all__ = ["PACKET_SAMPLES", "decoded", "encoded"]

PACKET_SAMPLES = RATE // 50
"""Of 20 ms."""
BITS_PER_SECOND = 40_000
"""Mumble's own default."""
CODE = 0b11
"""Of a packet's first byte: how many frames are in it; 0 is one."""


def encoded(speech: Speech) -> list[bytes]:
    """A packet for each 20 ms; the end is filled up with silence."""
    assert speech.rate == RATE
    encoder = _codec("w")
    encoder.bit_rate = BITS_PER_SECOND
    encoder.options = {"application": "voip", "frame_duration": "20"}
    encoder.open()
    samples = speech.samples
    missing = -len(samples) % PACKET_SAMPLES
    samples = np.concatenate([samples, np.zeros(missing, np.int16)])
    packets = []
    for at in range(0, len(samples), PACKET_SAMPLES):
        frame = av.AudioFrame.from_ndarray(
            samples[np.newaxis, at : at + PACKET_SAMPLES], format="s16", layout="mono"
        )
        frame.sample_rate = RATE
        frame.pts = at
        packets += encoder.encode(frame)
    packets += encoder.encode(None)
    return [bytes(packet) for packet in packets]


def decoded(packets: Mapping[int, bytes], count: int) -> Samples:
    """What a listener hears of packets 0 to count - 1, by their number.

    A packet with nothing but its first byte is one that was lost, RFC 6716 section 3.2.1: the
    decoder goes on from what it heard before, and is not surprised by what comes after.
    """
    decoder = _codec("r")
    decoder.open()
    sound = np.zeros(count * PACKET_SAMPLES, np.int16)
    lost = b""
    for number in range(count):
        packet = packets.get(number, lost)
        if not packet:
            continue  # nothing was heard yet
        lost = bytes((packet[0] & ~CODE,))
        frames = decoder.decode(av.Packet(packet))
        heard = np.concatenate([frame.to_ndarray()[0] for frame in frames])[:PACKET_SAMPLES]
        at = number * PACKET_SAMPLES
        sound[at : at + len(heard)] = heard
    return sound


def _codec(mode: str) -> AudioCodecContext:
    codec = av.CodecContext.create("libopus", mode)  # type: ignore[call-overload]
    assert isinstance(codec, AudioCodecContext)
    codec.sample_rate = RATE
    codec.layout = "mono"
    codec.format = "s16"
    return codec
