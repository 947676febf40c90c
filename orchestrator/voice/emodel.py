"""What a caller would say of a connection: R and MOS of ITU-T G.107's E-model, from delay and loss.

R is 93.2 (all of G.107's default values) less what delay and loss take away, 0 at least; 80 is
"satisfied", 70 "some are not". No sound is needed. Fixed terms, added to the network's one-way
delay: a packet holds 20 ms, the jitter buffer 40 ms (two packets), and the codec looks ahead.

ITU-T G.113 has no values for Opus on this scale. Ie 0 and Bpl 25.1, those of G.711 with packet loss
concealment, are an assumption: whoever quotes a figure for Opus says so.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

__all__ = [
    "JITTER_BUFFER_MS",
    "OPUS",
    "PACKET_MS",
    "PCMU",
    "Codec",
    "mos",
    "mouth_to_ear_ms",
    "r_factor",
    "r_of_delay",
]

BEST_R = 93.2
"""Ro - Is with G.107's default values, table 3 there."""
PACKET_MS = 20.0
JITTER_BUFFER_MS = 40.0
TALKER_ECHO_DB = 65.0
"""TELR, G.107's default."""
NOTICED_MS = 100.0
"""Delay up to here takes nothing away but by its echo, G.107 (7-27)."""
LOST_AT_WORST = 95.0
"""G.107 (7-29): the loss impairment of a codec that nothing gets through."""


@dataclass(frozen=True, slots=True)
class Codec:
    """What G.113 says of one."""

    name: str
    impairment: float
    """Ie: what it takes away without loss."""
    robustness: float
    """Bpl: the loss in per cent that takes away half of the rest."""
    lookahead_ms: float


OPUS = Codec("opus", 0.0, 25.1, 6.5)
"""An assumption but for the look-ahead, which is RFC 6716's."""
PCMU = Codec("pcmu", 0.0, 25.1, 0.0)
"""G.711 with packet loss concealment, G.113 appendix I."""


def mouth_to_ear_ms(
    one_way_ms: float, codec: Codec = OPUS, jitter_buffer_ms: float = JITTER_BUFFER_MS
) -> float:
    """From the network's one-way delay to what the people have between them."""
    return one_way_ms + PACKET_MS + jitter_buffer_ms + codec.lookahead_ms


def r_factor(
    one_way_ms: float,
    loss: float,
    codec: Codec = OPUS,
    jitter_buffer_ms: float = JITTER_BUFFER_MS,
    burst_ratio: float = 1.0,
) -> float:
    """R, 0 to 93.2, from the network's one-way delay and the loss as a share (0.05 is 5 %).

    Args:
        one_way_ms: from the network's one end to its other.
        loss: of packets, those too late for the jitter buffer included.
        codec: what is lost, and how far it looks ahead.
        jitter_buffer_ms: how long packets wait for slower ones.
        burst_ratio: 1 if loss is random, more if losses follow each other.
    """
    return r_of_delay(
        mouth_to_ear_ms(one_way_ms, codec, jitter_buffer_ms), loss, codec, burst_ratio
    )


def r_of_delay(ear_ms: float, loss: float, codec: Codec = OPUS, burst_ratio: float = 1.0) -> float:
    """R of a measured delay from mouth to ear: every fixed term is in it already."""
    percent = 100 * loss
    lost = (LOST_AT_WORST - codec.impairment) * percent
    lost /= percent / burst_ratio + codec.robustness
    return max(0.0, BEST_R - _delayed(ear_ms) - _echoed(ear_ms) - codec.impairment - lost)


def mos(r: float) -> float:
    """1 (bad) to 4.5, G.107 annex B."""
    if r <= 0:
        return 1.0
    if r >= 100:
        return 4.5
    return max(1.0, 1 + 0.035 * r + r * (r - 60) * (100 - r) * 7e-6)  # less below R 6.5


def _delayed(ms: float) -> float:
    """Idd: a conversation is harder from 100 ms on, G.107 (7-27)."""
    if ms <= NOTICED_MS:
        return 0.0
    x = math.log2(ms / NOTICED_MS)
    return 25 * (math.pow(1 + x**6, 1 / 6) - 3 * math.pow(1 + (x / 3) ** 6, 1 / 6) + 2)


def _echoed(ms: float) -> float:
    """Idte: the own voice coming back, G.107 (7-22) to (7-26)."""
    audible = 40 * math.log10((1 + ms / 10) / (1 + ms / 150)) - 6 * math.exp(-0.3 * ms * ms)
    echo = 80 + 2.5 * (TALKER_ECHO_DB - audible - 14)
    half = (94.77 - echo) / 2
    return max(0.0, (half + math.sqrt(half * half + 100) - 1) * (1 - math.exp(-ms)))
