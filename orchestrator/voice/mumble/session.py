"""One client's side of a Mumble connection, from bytes to bytes: no socket, no clock. Pure.

Over TLS go version, name and password, then pings; the server tells the keys of the voice
datagrams and, last, that all is said. A voice packet goes by datagram once one of those came back
(`udp_works`), else through TLS, as Mumble's own client does it.
"""

from __future__ import annotations

from collections.abc import Iterator

from orchestrator.voice.mumble import packets
from orchestrator.voice.mumble.messages import (
    Kind,
    framed,
    frames,
    number,
    packed,
    text,
    unpacked,
)
from orchestrator.voice.mumble.ocb2 import Box, Refused
from orchestrator.voice.mumble.packets import Sound, sound_of

__all__ = ["MumbleSession"]

VERSION = 1 << 16 | 3 << 8 | 4
"""1.3.4: voice packets as they were until 1.5."""
RELEASE = "testnet"


class MumbleSession:
    """Of one client."""

    def __init__(self, name: str) -> None:
        """Args: name: under which the others see it."""
        self.name = name
        self.number: int | None = None
        """By which the server knows it, once everything is said."""
        self.refusal = ""
        """Why the server does not let it in."""
        self.udp_works = False
        self.refused = 0
        """Datagrams that nobody with the key sent, or twice."""
        self._box: Box | None = None
        self._received = bytearray()
        self._answers = b""

    @property
    def is_ready(self) -> bool:
        """It may talk."""
        return self.number is not None and self._box is not None

    def hello(self) -> bytes:
        """What to say first over TLS."""
        version = packed((1, VERSION), (2, RELEASE))
        opus_only = packed((1, self.name), (5, 1))
        return framed(Kind.VERSION, version) + framed(Kind.AUTHENTICATE, opus_only)

    def ping(self, time: int) -> bytes:
        """To be said now and then, or the server takes one for gone after 30 s."""
        box = self._box
        good, late, lost = (box.good, box.late, max(0, box.lost)) if box else (0, 0, 0)
        return framed(Kind.PING, packed((1, time), (2, good), (3, late), (4, lost)))

    def udp_ping(self, time: int) -> bytes:
        """A datagram that comes back; with it the server learns where to send voice."""
        assert self._box is not None
        return self._box.sealed(packets.ping(time))

    def voice(self, sequence: int, opus: bytes, is_last: bool) -> tuple[bytes, bool]:
        """20 ms of speech: a datagram, or what to say over TLS; and whether it is a datagram."""
        assert self._box is not None
        packet = packets.sound(sequence, opus, is_last)
        if self.udp_works:
            return self._box.sealed(packet), True
        return framed(Kind.TUNNEL, packet), False

    def received(self, data: bytes) -> Iterator[Sound]:
        """From TLS; what has to be answered is in `answers`. Raises Malformed."""
        self._received += data
        for kind, body in frames(self._received):
            if kind == Kind.TUNNEL:
                heard = sound_of(body)
                if heard is not None:
                    yield heard
            elif kind == Kind.CRYPT_SETUP:
                self._set_up(body)
            elif kind == Kind.SERVER_SYNC:
                self.number = number(unpacked(body), 1)
            elif kind == Kind.REJECT:
                self.refusal = text(unpacked(body), 2) or "no reason given"

    def answers(self) -> bytes:
        """What is to be said over TLS, once."""
        said, self._answers = self._answers, b""
        return said

    def datagram(self, data: bytes) -> Sound | None:
        """From UDP; None: a ping came back, or nothing that is for us. Raises Malformed."""
        if self._box is None:
            return None
        try:
            packet = self._box.opened(data)
        except Refused:
            self.refused += 1
            return None
        if packets.ping_time(packet) is not None:
            self.udp_works = True
            return None
        return sound_of(packet)

    def _set_up(self, body: bytes) -> None:
        fields = unpacked(body)
        key, own, theirs = (fields.get(tag) for tag in (1, 2, 3))
        if isinstance(key, bytes) and isinstance(own, bytes) and isinstance(theirs, bytes):
            self._box = Box(key, own, theirs)
        elif self._box is None:
            return
        elif isinstance(theirs, bytes):
            self._box.follow(theirs)
        else:  # the server lost where we are
            self._answers += framed(Kind.CRYPT_SETUP, packed((2, self._box.own_nonce)))
