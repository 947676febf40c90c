"""The keys of one handshake in use: streams that send, streams that may receive.

Rules (docs/wire.md, section 8):
- a stream belongs to one sending route; a route not sent on before takes the next number;
- the receiver listens to the eight numbers after the highest it has seen a valid record on, so
  the sender never runs further ahead than that of what it knows to have arrived;
- a number whose index is 0 is skipped by both ends;
- both ends receive on every epoch they have; `Epochs.best` says which one sends: of two the one
  confirmed later, but of two that the two ends started at the same time the one started by the
  lower address;
- an epoch ends when a better one was heard and it has been silent itself for a while.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, TypeAlias

from lokinet_node.base.units import SECOND, Micros
from lokinet_node.session.streams import (
    ReceiveStream,
    SendStream,
    stream_index,
    stream_key,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lokinet_node.base.ids import LokiAddress
    from lokinet_node.session.handshake import Keys
    from lokinet_node.session.session import Session

RouteKey: TypeAlias = tuple[int, int]
"""Own handle and the remote's handle: both random, so they name a route."""

STREAMS_AHEAD: Final = 8
SIMULTANEOUS: Final[Micros] = 2 * SECOND
"""Two handshakes that end so close together were started without knowing of each other."""
SILENT: Final[Micros] = 30 * SECOND
"""An epoch that another has replaced lives this long after its last record."""


@dataclass(slots=True, eq=False)
class Epoch:
    """One handshake's keys at one end. `streams` is shared by all: index → stream to open with."""

    session: Session
    initiator: LokiAddress
    keys: Keys = field(repr=False)
    streams: dict[int, ReceiveStream] = field(repr=False)
    started: Micros
    confirmed: Micros | None = None
    """When it was known that the other end has the keys too; before that nothing is sent."""
    last_heard: Micros | None = None
    """The last valid record."""
    heard_first: Micros | None = None
    is_doubtful: bool = False
    """The other end was silent on it when a newer handshake succeeded."""
    highest: int = -1
    """Highest stream number a valid record came on."""
    data_came_on: int = -1
    """Highest stream number a packet came on."""
    proven: int = -1
    """Highest number of ours from which the other end is known to have received."""
    answer: bytes | None = field(default=None, repr=False)
    """Message 2, repeated for a repeated message 1 while unconfirmed."""
    _next_number: int = 0
    _opened_to: int = 0
    _sending: dict[RouteKey, SendStream] = field(default_factory=dict, repr=False)
    _receiving: list[ReceiveStream] = field(default_factory=list, repr=False)

    def __post_init__(self) -> None:
        """Listen."""
        self._listen()

    def sending(self, route: RouteKey, keep: int = 0) -> SendStream | None:
        """The stream of a route, new if need be; None when too many are unproven.

        `keep`: a new one is made only if so many more could follow it.
        """
        stream = self._sending.get(route)
        while stream is None and self._next_number + keep <= self.proven + STREAMS_AHEAD:
            number = self._next_number
            self._next_number += 1
            key = stream_key(self.keys.send, number)
            if stream_index(key):
                stream = self._sending[route] = SendStream(key, number)
        return stream

    def prove(self, number: int) -> None:
        """Something sent on that stream was answered."""
        self.proven = max(self.proven, number)

    def advance(self, number: int) -> None:
        """A valid record came on that stream."""
        if number > self.highest:
            self.highest = number
            self._listen()

    def close(self) -> None:
        """Stop listening."""
        for stream in self._receiving:
            del self.streams[stream.index]
        self._receiving.clear()
        self._sending.clear()
        self.answer = None

    def is_worn(self, limit: int) -> bool:
        """Whether either direction has used one key this often."""
        return any(stream.counter >= limit for stream in self._sending.values()) or any(
            stream.opened >= limit for stream in self._receiving
        )

    @property
    def sent(self) -> int:
        """Records sealed so far."""
        return sum(stream.counter for stream in self._sending.values())

    @property
    def received(self) -> int:
        """Records opened so far."""
        return sum(stream.opened for stream in self._receiving)

    def _listen(self) -> None:
        while self._opened_to <= self.highest + STREAMS_AHEAD:
            key = stream_key(self.keys.receive, self._opened_to)
            index = stream_index(key)
            # An index in use elsewhere stays there: the sender notices and takes another route.
            if index and index not in self.streams:
                stream = ReceiveStream(key, self._opened_to, self)
                self.streams[index] = stream
                self._receiving.append(stream)
            self._opened_to += 1


class Epochs:
    """All epochs of one session."""

    __slots__ = ("_all", "_received_before", "_sent_before")

    def __init__(self) -> None:
        self._all: list[Epoch] = []
        self._sent_before = self._received_before = 0

    def __iter__(self) -> Iterator[Epoch]:
        return iter(self._all)

    def __len__(self) -> int:
        return len(self._all)

    def add(self, epoch: Epoch) -> None:
        """One more to receive on."""
        self._all.append(epoch)

    def remove(self, epoch: Epoch) -> None:
        """Forget one for good."""
        self._sent_before += epoch.sent
        self._received_before += epoch.received
        epoch.close()
        self._all.remove(epoch)

    def clear(self) -> None:
        """Forget all."""
        for epoch in list(self._all):
            self.remove(epoch)

    @property
    def unconfirmed(self) -> list[Epoch]:
        """Those whose other end has not been heard yet, oldest first."""
        return [epoch for epoch in self._all if epoch.confirmed is None]

    @property
    def sent(self) -> int:
        """Records sealed in the session's life."""
        return self._sent_before + sum(epoch.sent for epoch in self._all)

    @property
    def received(self) -> int:
        """Records opened in the session's life."""
        return self._received_before + sum(epoch.received for epoch in self._all)

    def best(self) -> Epoch | None:
        """The one to send on."""
        chosen: Epoch | None = None
        for epoch in self._all:
            if epoch.confirmed is None or epoch.is_doubtful:
                continue
            if chosen is None or _is_better(epoch, chosen):
                chosen = epoch
        return chosen

    def expired(self, now: Micros) -> list[Epoch]:
        """Those that have had their time; the caller removes them."""
        best = self.best()
        return [
            epoch
            for epoch in self._all
            if epoch is not best and now - _last_use(epoch, self._replaced_at(epoch), now) > SILENT
        ]

    def _replaced_at(self, epoch: Epoch) -> Micros | None:
        """When one that is better was heard first; None: the other end may still be on this one."""
        return min(
            (
                other.heard_first
                for other in self._all
                if other.heard_first is not None and (epoch.is_doubtful or _is_better(other, epoch))
            ),
            default=None,
        )


def _is_better(epoch: Epoch, other: Epoch) -> bool:
    mine, theirs = epoch.confirmed or 0, other.confirmed or 0
    if epoch.initiator != other.initiator and abs(mine - theirs) <= SIMULTANEOUS:
        return epoch.initiator < other.initiator
    return mine >= theirs


def _last_use(epoch: Epoch, replaced_at: Micros | None, now: Micros) -> Micros:
    """The instant from which an epoch that does not send counts as silent."""
    if epoch.confirmed is None:
        return epoch.started
    if replaced_at is None:
        return now
    return max(replaced_at, epoch.confirmed, epoch.last_heard or 0)
