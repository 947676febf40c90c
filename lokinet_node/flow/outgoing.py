"""The sending half of a control channel: what waits, what is in flight, what failed.

1. `put` queues a message; 2. `take` hands out what may leave now: frames whose retransmission is
due, then new ones while the window of 64 is open; 3. `acknowledge` removes what arrived; 4. what
stays unacknowledged for 5 s has failed: its sender is told, and its numbers are sent on as empty
frames until they are acknowledged, because the receiver counts without gaps.

A frame is kept as its parts, not as bytes: a retransmission carries fresh acknowledgements and is
sealed anew by the carrier.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from lokinet_node.base.errors import LocalProtocolError, WireError
from lokinet_node.base.units import MILLISECOND, SECOND, Micros
from lokinet_node.flow.roundtrip import RoundTrip
from lokinet_node.wire.channel import NOTHING, WINDOW, Frame
from lokinet_node.wire.control import MESSAGE_LIMIT

if TYPE_CHECKING:
    from collections.abc import Iterator

# What the specification says.

GIVE_UP: Final[Micros] = 5 * SECOND
"""A message not acknowledged this long after its first frame left has failed."""
LAST_SEQUENCE: Final = (1 << 32) - (1 << 16)
"""Numbers are 32 bits; what may be queued fits in the rest. Nothing is sent beyond."""
PARTIALS: Final = 4
"""Messages of more than one frame that may be incomplete at the receiver."""

# What we chose.

QUEUE: Final = 512
"""Messages that may wait for the window; a further sequenced one fails at once."""
BACKOFF_CAP: Final[Micros] = 400 * MILLISECOND
"""Longest pause between retransmissions: about a dozen tries before a message is given up."""


@dataclass(slots=True, eq=False)
class _Message:
    kind: int
    payload: bytes
    number: int
    queued_at: Micros
    fragments: int
    unsent: int = 0
    """Next fragment to leave."""
    open: set[int] = field(default_factory=set)
    """Sequences in flight."""
    give_up_at: Micros = 0


@dataclass(slots=True, eq=False)
class _Flight:
    message: _Message | None
    number: int
    fragment: int
    sent_at: Micros
    due: Micros
    tries: int = 1


class Outgoing:
    """Messages of one direction, from `put` to acknowledged or failed."""

    __slots__ = (
        "_acknowledged",
        "_capacity",
        "_failed",
        "_loose",
        "_next_message",
        "_next_sequence",
        "_started",
        "_trip",
        "_waiting",
        "flights",
    )

    def __init__(self, capacity: int, trip: RoundTrip) -> None:
        self._capacity = capacity
        self._trip = trip
        self._waiting: deque[_Message] = deque()
        self._loose: deque[tuple[int, bytes]] = deque()
        self._started: dict[int, _Message] = {}
        """Messages with frames in flight, by number, oldest first."""
        self.flights: dict[int, _Flight] = {}
        """What is out and not acknowledged, by sequence."""
        self._failed: list[tuple[int, bytes]] = []
        self._acknowledged = 0
        self._next_sequence = 1
        self._next_message = 1

    def put(self, kind: int, payload: bytes, now: Micros, *, sequenced: bool) -> None:
        """Queue a message; LocalProtocolError when it cannot be one."""
        if not NOTHING < kind < 256:
            raise LocalProtocolError(f"{kind} is no kind of message")
        if len(payload) > (MESSAGE_LIMIT if sequenced else self._capacity):
            raise LocalProtocolError(f"message of {len(payload)} bytes is too long")
        if not sequenced:
            if len(self._loose) < QUEUE:
                self._loose.append((kind, payload))
            return
        if len(self._waiting) >= QUEUE or self._next_sequence > LAST_SEQUENCE:
            self._failed.append((kind, payload))
            return
        fragments = max(1, -(-len(payload) // self._capacity))
        self._waiting.append(_Message(kind, payload, self._next_message, now, fragments))
        self._next_message = self._next_message % 0xFFFFFFFF + 1

    def take(self, now: Micros) -> Iterator[Frame]:
        """Frames that leave now, without acknowledgements."""
        self._give_up(now)
        while self._loose:
            kind, payload = self._loose.popleft()
            yield Frame(kind=kind, payload=payload)
        for sequence, flight in self.flights.items():
            if flight.due <= now:
                flight.tries += 1
                flight.sent_at = now
                flight.due = now + self._pause(flight.tries)
                yield self._frame(sequence, flight)
        while self._may_start():
            yield self._start(now)

    def acknowledge(self, acknowledged: int, mask: int, now: Micros) -> None:
        """What the peer says arrived; WireError when that was never sent."""
        if acknowledged >= self._next_sequence:
            raise WireError("acknowledgement of a frame that was not sent")
        if self.flights:
            arrived = [
                sequence
                for sequence in self.flights
                if sequence <= acknowledged or mask >> (sequence - acknowledged - 1) & 1
            ]
            for sequence in arrived:
                self._arrived(sequence, now)
        self._acknowledged = max(self._acknowledged, acknowledged)

    def take_failed(self) -> list[tuple[int, bytes]]:
        """Kind and payload of messages given up since the last call."""
        failed, self._failed = self._failed, []
        return failed

    def abandon(self) -> list[tuple[int, bytes]]:
        """The carrier is gone: everything unacknowledged, in order; nothing is left here."""
        lost = self.take_failed()
        lost += [(message.kind, message.payload) for message in self._started.values()]
        lost += [
            (message.kind, message.payload) for message in self._waiting if message.unsent == 0
        ]
        self._loose.clear()
        self._waiting.clear()
        self._started.clear()
        self.flights.clear()
        return lost

    def deadline(self) -> Micros | None:
        """When `take` has something to do."""
        times = [flight.due for flight in self.flights.values()]
        if self._started:
            times.append(next(iter(self._started.values())).give_up_at)
        if self._may_start():
            times.append(self._waiting[0].queued_at)
        return min(times, default=None) if not self._loose else 0

    def _may_start(self) -> bool:
        if not self._waiting or self._next_sequence > self._acknowledged + WINDOW:
            return False
        message = self._waiting[0]
        if message.fragments == 1 or message.unsent > 0:
            return True
        return sum(other.fragments > 1 for other in self._started.values()) < PARTIALS

    def _start(self, now: Micros) -> Frame:
        message = self._waiting[0]
        sequence = self._next_sequence
        self._next_sequence += 1
        if message.unsent == 0:
            message.give_up_at = now + GIVE_UP
            self._started[message.number] = message
        flight = _Flight(message, message.number, message.unsent, now, now + self._pause(1))
        self.flights[sequence] = flight
        message.open.add(sequence)
        message.unsent += 1
        if message.unsent == message.fragments:
            self._waiting.popleft()
        return self._frame(sequence, flight)

    def _frame(self, sequence: int, flight: _Flight) -> Frame:
        message = flight.message
        if message is None:
            return Frame(sequence=sequence, message=flight.number)
        start = flight.fragment * self._capacity
        return Frame(
            kind=message.kind,
            fragment=flight.fragment,
            fragments=message.fragments,
            sequence=sequence,
            message=message.number,
            payload=message.payload[start : start + self._capacity],
        )

    def _pause(self, tries: int) -> Micros:
        base = self._trip.timeout
        return min(base << min(tries - 1, 6), max(base, BACKOFF_CAP))

    def _arrived(self, sequence: int, now: Micros) -> None:
        flight = self.flights.pop(sequence)
        if flight.tries == 1:
            self._trip.sample(now - flight.sent_at)
        message = flight.message
        if message is None:
            return
        message.open.discard(sequence)
        if not message.open and message.unsent == message.fragments:
            del self._started[message.number]

    def _give_up(self, now: Micros) -> None:
        """Messages are started in order, so the oldest fails first."""
        while self._started:
            message = next(iter(self._started.values()))
            if message.give_up_at > now:
                return
            del self._started[message.number]
            self._failed.append((message.kind, message.payload))
            for sequence in message.open:
                self.flights[sequence].message = None
            if message.unsent < message.fragments:
                self._waiting.popleft()
