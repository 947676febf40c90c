"""The acknowledged channel of control messages, on a link or on a path (docs/wire.md, section 4).

1. `send` queues; 2. `frames` gives the frames due now (pings and other loose ones, repeated ones,
new ones, else a mere acknowledgement when the peer waits for one), each with fresh
acknowledgements; 3. `receive` takes one frame and gives the messages it completes; call `frames`
after it; 4. `take_failed` tells what was not acknowledged for 5 s. The carrier pads and seals.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from lokinet_node.flow.incoming import Incoming
from lokinet_node.flow.outgoing import Outgoing
from lokinet_node.flow.roundtrip import RoundTrip
from lokinet_node.wire.channel import Frame, decode_frame, encode_frame

if TYPE_CHECKING:
    from lokinet_node.base.units import Micros


class Channel:
    """One end of one channel."""

    __slots__ = ("_incoming", "_outgoing", "_trip", "flights")

    def __init__(self, capacity: int) -> None:
        """`capacity` is the payload of one frame: LINK_CAPACITY or PATH_CAPACITY."""
        self._trip = RoundTrip()
        self._outgoing = Outgoing(capacity, self._trip)
        self.flights = self._outgoing.flights
        """Sequenced frames that are out and not acknowledged, by their numbers."""
        self._incoming = Incoming()

    @property
    def rtt(self) -> Micros | None:
        """Smoothed time between a sequenced frame and its acknowledgement."""
        return self._trip.smoothed

    def assume_rtt(self, measured: Micros) -> None:
        """What the carrier knows of the round trip, good until the first acknowledgement."""
        self._trip.assume(measured)

    def send(self, kind: int, payload: bytes, now: Micros, *, sequenced: bool = True) -> None:
        """Queue a message of at most 16 KiB, or of one frame when it is not sequenced.

        LocalProtocolError beyond that. A sequenced message that finds the queue full fails at
        once, see `take_failed`; a loose one is dropped.
        """
        self._outgoing.put(kind, payload, now, sequenced=sequenced)

    def receive(self, frame: bytes | memoryview, now: Micros) -> list[tuple[int, bytes]]:
        """Messages (kind, payload) that this frame completes; WireError for a malformed one."""
        decoded = decode_frame(frame)
        self._outgoing.acknowledge(decoded.acknowledged, decoded.mask, now)
        message = self._incoming.accept(decoded, now)
        return [] if message is None else [message]

    def frames(self, now: Micros) -> list[bytes]:
        """Frames that leave now, unpadded; each is sealed once and never again."""
        self._incoming.expire(now)
        due = list(self._outgoing.take(now))
        if not due and self._incoming.owed_since is not None:
            due.append(Frame())
        return [self._encode(frame) for frame in due]

    def acknowledgement(self) -> bytes:
        """A frame that says only what arrived: a sign of life."""
        return self._encode(Frame())

    def take_failed(self) -> list[tuple[int, bytes]]:
        """Messages (kind, payload) given up since the last call."""
        return self._outgoing.take_failed()

    def abandon(self) -> list[tuple[int, bytes]]:
        """The carrier is gone: every sequenced message that was not acknowledged."""
        return self._outgoing.abandon()

    def deadline(self) -> Micros | None:
        """When `frames` has something to do; it may lie in the past: now."""
        due = self._outgoing.deadline()
        owed = self._incoming.owed_since
        if owed is None:
            return due
        return owed if due is None else min(due, owed)

    def _encode(self, frame: Frame) -> bytes:
        incoming = self._incoming
        incoming.owed_since = None
        acknowledged, mask = incoming.acknowledged, incoming.mask
        return encode_frame(replace(frame, acknowledged=acknowledged, mask=mask))
