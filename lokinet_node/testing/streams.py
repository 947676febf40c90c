"""A steady stream of UDP packets between two tuns, and the longest gap in what arrives.

Each packet carries a mark, its number and when it was sent. A gap is the time between two
arrivals next to each other, the start and the end of what is looked at included; so a stream that
stops for good shows as a gap up to the end.
"""

from __future__ import annotations

from itertools import pairwise
from struct import Struct
from typing import TYPE_CHECKING, Final

from lokinet_node.base.units import MILLISECOND, SECOND, Micros
from lokinet_node.testing.packets import udp

if TYPE_CHECKING:
    from lokinet_node.testing.builders import ClientMachine

INTERVAL: Final[Micros] = 20 * MILLISECOND
"""50 packets a second, as a call has."""
SIZE: Final = 172
_HEAD: Final = Struct("!QIQ")


class Stream:
    """One direction."""

    def __init__(
        self,
        source: ClientMachine,
        target: ClientMachine,
        mark: int,
        *,
        interval: Micros = INTERVAL,
        size: int = SIZE,
    ) -> None:
        """Starts at once; `mark` tells it from other streams."""
        self.source = source
        self.target = target
        self.sent = 0
        self._mark = mark
        self._interval = interval
        self._size = size
        self._running = True
        self._network = source.world.network
        self._send()

    @property
    def name(self) -> str:
        """Who to whom."""
        return f"{self.source.name} to {self.target.name}"

    def stop(self) -> None:
        """No more packets."""
        self._running = False

    def _send(self) -> None:
        if not self._running:
            return
        payload = _HEAD.pack(self._mark, self.sent, self._network.now).ljust(self._size, b"\0")
        self.sent += 1
        self.source.send(udp(self.source.own, self.source.map(self.target.remote), payload))
        self._network.at(self._network.now + self._interval, self._send)

    def arrivals(self) -> list[tuple[Micros, int, Micros]]:
        """(when it came, its number, when it was sent) of every packet that came."""
        found = []
        for packet in self.target.inbox:
            payload = packet.payload
            if len(payload) == self._size and _HEAD.unpack_from(payload)[0] == self._mark:
                found.append((packet.when, *_HEAD.unpack_from(payload)[1:]))
        return found

    def gap(self, start: Micros, end: Micros) -> Micros:
        """The longest time without an arrival between two instants."""
        times = [start, *(t for t, _, _ in self.arrivals() if start <= t <= end), end]
        return max(after - before for before, after in pairwise(times))

    def lost(self, start: Micros, end: Micros) -> int:
        """How many of the packets sent between two instants never came."""
        came = {number for _, number, sent in self.arrivals() if start <= sent < end}
        return round((end - start) / self._interval) - len(came)


def seconds(duration: Micros) -> str:
    """For people."""
    return f"{duration / SECOND:.2f} s"
