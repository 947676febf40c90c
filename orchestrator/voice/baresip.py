"""Stock baresip as a phone without a sound card: what it is told, and what it says. Pure.

It plays a WAV file for a microphone and writes what it hears into another. When its file is over it
hangs up, so a call is as long as what is said.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

__all__ = [
    "MICROPHONE",
    "Codec",
    "Phone",
    "agreed_on",
    "files_of",
    "has_ended",
    "is_ready",
    "last_words",
    "received",
    "was_established",
]

Codec = Literal["opus", "pcmu"]
MICROPHONE = "said.wav"
HEARD = "dump-*-dec.wav"
SIP_PORT = 5060
MODULES = "/usr/lib/baresip/modules"
"""Debian's, on every architecture."""
RATES = {"opus": 48_000, "pcmu": 8_000}
OPUS_BITS_A_SECOND = 40_000
LOADED = ("g711", "opus", "aufile", "sndfile", "stun")
RECEIVED = re.compile(r"^(lost|jitter): +[\d.]+ +([\d.]+)", re.MULTILINE)
READY = "baresip is ready"
ESTABLISHED = "Call established"
ENDED = re.compile(r"Call with .* terminated|audio: destroyed|ua: stop all|session closed")
ENCODER = re.compile(r"Set audio encoder: (\w+)")
COLOURS = re.compile(r"\x1b\[[0-9;]*m")
CHATTER = re.compile(
    r"^\[\d+:|^ua: (stop all|sip-stack exit|exited)|^ua exited|^menu: close|^module"
    r"|^main: unloading|^terminated by signal"
)


@dataclass(frozen=True, slots=True)
class Phone:
    """One end of a call."""

    user: str
    folder: Path
    """Of its own: its configuration, what it says, what it heard."""
    address: str
    """Its own, where it listens."""
    witness: str
    """HOST:PORT of who tells it by STUN which address the other end sees."""
    codec: Codec

    @property
    def rate(self) -> int:
        """Hz of what it plays and records, which has one channel."""
        return RATES[self.codec]

    @property
    def waiting(self) -> list[str]:
        """The command line that waits for a call, and takes it."""
        return ["baresip", "-v", "-f", str(self.folder)]

    def dialling(self, user: str, host: str) -> list[str]:
        """The command line that calls somebody as soon as it is ready."""
        return [*self.waiting, "-e", f"/dial sip:{user}@{host}"]

    def recording(self) -> bytes | None:
        """What it heard, a WAV file; None if nothing ever came."""
        found = sorted(self.folder.glob(HEARD))
        return found[-1].read_bytes() if found else None


def files_of(phone: Phone) -> dict[str, str]:
    """Its configuration by file name."""
    lines = [
        "poll_method epoll",
        f"sip_listen {phone.address}:{SIP_PORT}",
        "call_max_calls 1",
        f"audio_source aufile,{phone.folder / MICROPHONE}",
        f"ausrc_srate {phone.rate}",
        f"auplay_srate {phone.rate}",
        "ausrc_channels 1",
        "auplay_channels 1",
        "jitter_buffer_delay 2-10",
        "rtp_stats yes",
        "opus_stereo no",
        f"opus_bitrate {OPUS_BITS_A_SECOND}",
        f"module_path {MODULES}",
        f"snd_path {phone.folder}",
        *(f"module {name}.so" for name in LOADED),
        "module_tmp account.so",
        "module_app menu.so",
    ]
    account = (
        f"<sip:{phone.user}@{phone.address};transport=udp>;regint=0;answermode=auto"
        f";audio_codecs={phone.codec}/{phone.rate}/1"
        f";medianat=stun;stunserver=stun:{phone.witness}"
    )
    return {"config": "\n".join(lines) + "\n", "accounts": f"{account}\n", "contacts": ""}


def is_ready(log: str) -> bool:
    """It waits for calls."""
    return READY in log


def has_ended(log: str) -> bool:
    """Its call is over, or never came about."""
    return ENDED.search(log) is not None


def was_established(log: str) -> bool:
    """A call of its own was answered."""
    return ESTABLISHED in log


def agreed_on(log: str) -> str:
    """The codec that it speaks, in small letters; "" before it speaks."""
    found = ENCODER.search(log)
    return found[1].lower() if found else ""


def received(log: str) -> dict[str, float]:
    """What it reports itself (RTCP) of the voice it got: `lost` packets, `jitter_ms`."""
    units = {"lost": "lost", "jitter": "jitter_ms"}
    return {units[name]: float(value) for name, value in RECEIVED.findall(log)}


def last_words(log: str) -> str:
    """The last line that says something."""
    for line in reversed(COLOURS.sub("", log).replace("\r", "\n").splitlines()):
        text = line.strip()
        if text and not CHATTER.match(text):
            return text
    return "it said nothing"
