"""Hot: where packets of the internet pass between the tun and the sessions of one node.

A node may use exits (`consumer`), be one (`provider`), or both; which end a row is for follows
from the address it keeps. Rows are judged flow by flow; neighbours that passed go to the merger
together. Whatever did not pass is counted by its judge.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Protocol

from lokinet_node.exits.arrivals import comes_by_its_exit
from lokinet_node.session.exit_rows import (
    NOBODY,
    ExitRun,
    exit_runs,
    is_about_others,
    keep_address,
    own_error,
    quoted_destination,
)
from lokinet_node.session.packet_addresses import DESTINATION, SOURCE
from lokinet_node.session.packets import VNET_HEADER
from lokinet_node.session.plaintexts import TYPE_EXIT4
from lokinet_node.wire.ip import HOST_UNKNOWN, ICMP

if TYPE_CHECKING:
    from lokinet_node.base.units import Micros
    from lokinet_node.exits.door6 import Door6
    from lokinet_node.session.addresses import Remote
    from lokinet_node.session.merge import Merger, Sink
    from lokinet_node.session.plaintexts import Plaintexts
    from lokinet_node.session.refused import Refused

_SOURCE: Final = slice(VNET_HEADER + SOURCE, VNET_HEADER + SOURCE + 4)
_PROTOCOL: Final = VNET_HEADER + 9

FROM_EXIT: Final = SOURCE
TO_EXIT: Final = DESTINATION
OWN_ERROR: Final = -1
"""What `Door.keep` makes of a read; 0: an ordinary one."""


class Consumer(Protocol):
    """Which exit takes packets to an address; addresses are 4 or 16 bytes."""

    def exit_for(self, destination: bytes) -> Remote | None:
        """The exit for a destination that is mapped to nobody."""

    def refusal(self, destination: bytes) -> int:
        """Code of the ICMP unreachable that answers what has no exit now."""

    def accepts(self, remote: Remote, source: bytes) -> bool:
        """Whether this exit is the one that answers for `source`."""

    def may_report(self, source: bytes) -> bool:
        """Whether an ICMP error of `source` may come from an exit at all."""


class Provider(Protocol):
    """What an exit lets through."""

    def admits(
        self, remote: Remote, run: ExitRun, plain: Plaintexts, mapped: bytes, now: Micros
    ) -> bool:
        """Whether a run of a client's rows may go; what may not is counted and answered.

        `mapped` is the address they would go from, 4 or 16 bytes.
        """

    def take_hints(self) -> list[tuple[Remote, Refused]]:
        """Session messages for clients."""

    def take_answers(self) -> list[tuple[Remote, bytes]]:
        """ICMP packets for clients, which are told in the name of somebody on the internet."""


class Door:
    """The exit traffic of one tun."""

    __slots__ = ("consumer", "drops", "own", "provider", "six")

    def __init__(self, own: bytes) -> None:
        """`own` is the tun's address."""
        self.own = own
        self.consumer: Consumer | None = None
        self.provider: Provider | None = None
        self.six: Door6 | None = None
        """Where IPv6 passes; None: nowhere."""
        self.drops = dict.fromkeys(DROPS, 0)

    def counters(self) -> dict[str, int]:
        """What was dropped here, by name."""
        if self.six is None:
            return self.drops
        both = self.drops | self.six.rows.drops
        return both | {name: both.get(name, 0) + n for name, n in self.six.drops.items()}

    # --- tun to wire

    def exit_for(self, destination: bytes) -> Remote | None:
        """Who takes packets to an address that is mapped to nobody."""
        return None if self.consumer is None else self.consumer.exit_for(destination)

    def refusal(self, destination: bytes) -> int:
        """Code of the ICMP unreachable for an address that nobody takes packets to."""
        return HOST_UNKNOWN if self.consumer is None else self.consumer.refusal(destination)

    def side(self, read: bytearray, size: int) -> int:
        """How a read for a mapped address is to be sent: 0, FROM_EXIT or OWN_ERROR."""
        if self.provider is None:
            return 0
        if read[_SOURCE] != self.own:
            return FROM_EXIT
        if read[_PROTOCOL] == ICMP and is_about_others(read, size, self.own):
            return OWN_ERROR
        return 0

    def keep(self, plain: Plaintexts, first: int, count: int, read: bytearray, side: int) -> None:
        """Make rows of a read what `side` says."""
        if side == OWN_ERROR:
            own_error(plain, first, read)
        else:
            keep_address(plain, first, count, read, side)

    # --- wire to tun

    def deliver(
        self,
        remote: Remote,
        mapped: bytes,
        plain: Plaintexts,
        count: int,
        merger: Merger,
        sink: Sink,
        now: Micros,
    ) -> None:
        """Give the rows of type 3 among `count` to the tun; `mapped` is the remote's address."""
        waiting: tuple[int, int, bytes, bytes, int] | None = None
        for run in exit_runs(plain, 0, count):
            if run.kind != TYPE_EXIT4:
                continue
            if run.destination != NOBODY:
                kept, source, target = DESTINATION, mapped, run.destination
                passes = self._leaves(remote, run, plain, mapped, now)
            else:
                kept, target = SOURCE, self.own
                source = mapped if run.source == NOBODY else run.source
                passes = self._arrives(remote, run, plain)
            if not passes:
                continue
            if waiting is not None:
                first, rows, *way = waiting
                if first + rows == run.first and way == [source, target, kept]:
                    waiting = (first, rows + run.rows, source, target, kept)
                    continue
                merger.write(plain, first, rows, waiting[2], waiting[3], sink, waiting[4])
            waiting = (run.first, run.rows, source, target, kept)
        if waiting is not None:
            first, rows, source, target, kept = waiting
            merger.write(plain, first, rows, source, target, sink, kept)

    def _leaves(
        self, remote: Remote, run: ExitRun, plain: Plaintexts, mapped: bytes, now: Micros
    ) -> bool:
        if self.provider is None:
            self.drops["not-an-exit"] += run.rows
            return False
        return self.provider.admits(remote, run, plain, mapped, now)

    def _arrives(self, remote: Remote, run: ExitRun, plain: Plaintexts) -> bool:
        """Only an exit in use answers, and only for what goes through it."""
        if comes_by_its_exit(self.consumer, remote, run, plain, ICMP, quoted_destination):
            return True
        self.drops["not-our-exit"] += run.rows
        return False


DROPS: Final = (
    "not-an-exit",  # packets to the internet came to a node that is no exit
    "not-our-exit",  # packets of the internet came from somebody we do not reach it through
)
"""Names as they stand in the status."""
