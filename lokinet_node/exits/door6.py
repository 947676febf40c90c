"""Hot: where IPv6 packets of the internet pass; exits/door.py does it for IPv4 and has the rules.

Only exits carry IPv6: a remote's own address, `ip6-range` with its mapped IPv4 address in the low
32 bits, is known to the exit's kernel alone. Packets between two nodes of the network are IPv4.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from lokinet_node.exits.arrivals import comes_by_its_exit
from lokinet_node.session.exit_rows6 import (
    NOBODY6,
    Rows6,
    exit_runs6,
    is_about_others6,
    quoted_destination6,
)
from lokinet_node.session.packets import VNET_HEADER
from lokinet_node.wire.ip6 import DESTINATION, ICMPV6, IPV6_HEADER, SOURCE, is_local

if TYPE_CHECKING:
    from lokinet_node.base.units import Micros
    from lokinet_node.exits.door import Door
    from lokinet_node.session.addresses import Remote
    from lokinet_node.session.exit_rows import ExitRun
    from lokinet_node.session.merge import Sink
    from lokinet_node.session.plaintexts import Plaintexts

PREFIX_SIZE: Final = 12
"""Bytes before the IPv4 address."""
_SOURCE: Final = slice(VNET_HEADER + SOURCE, VNET_HEADER + DESTINATION)
DESTINATION6: Final = slice(VNET_HEADER + DESTINATION, VNET_HEADER + DESTINATION + 16)

_MAPPED: Final = bytes(10) + b"\xff\xff"
"""IPv4 in its mapped form, which is no address on any wire."""

FROM_EXIT6: Final = SOURCE
TO_EXIT6: Final = DESTINATION
OWN_ERROR6: Final = -1
"""What `Door6.split` makes of a read."""


class Door6:
    """The IPv6 of one tun."""

    __slots__ = ("_door", "drops", "own", "prefix", "rows")

    def __init__(self, door: Door, prefix: bytes) -> None:
        """`prefix` is the first 12 bytes of `ip6-range`."""
        self._door = door
        self.prefix = prefix
        self.own = prefix + door.own
        self.rows = Rows6()
        self.drops = dict.fromkeys(DROPS, 0)

    # --- tun to wire

    def is_local(self, read: bytearray, size: int) -> bool:
        """Whether a read goes no further than a link, and is counted as such."""
        if size >= VNET_HEADER + IPV6_HEADER and not is_local(bytes(read[DESTINATION6])):
            return False
        self.drops["ipv6-local"] += 1
        return True

    def way(
        self, read: bytearray, size: int, by_ip: dict[bytes, Remote]
    ) -> tuple[Remote, int] | None:
        """Who gets a read, and FROM_EXIT6, TO_EXIT6 or OWN_ERROR6; None: nobody."""
        destination = bytes(read[DESTINATION6])
        if destination[:PREFIX_SIZE] == self.prefix:
            return self._way_back(read, size, by_ip.get(destination[PREFIX_SIZE:]))
        consumer = self._door.consumer
        remote = None if consumer is None else consumer.exit_for(destination)
        return None if remote is None else (remote, TO_EXIT6)

    def _way_back(
        self, read: bytearray, size: int, remote: Remote | None
    ) -> tuple[Remote, int] | None:
        """Packets for a client of this exit."""
        if remote is None or self._door.provider is None:
            return None
        if read[_SOURCE] != self.own:
            return remote, FROM_EXIT6
        return (remote, OWN_ERROR6) if is_about_others6(read, size, self.own) else None

    def split(
        self, read: bytearray, size: int, plain: Plaintexts, at: int, side: int, skip: int = 0
    ) -> int:
        """Make rows of a read as `way` said; how many. `skip`: so many have been made before."""
        if side == OWN_ERROR6:
            read[_SOURCE] = NOBODY6
            side = FROM_EXIT6
        return self.rows.split(read, size, plain, at, side, skip)

    # --- wire to tun

    def deliver(
        self,
        remote: Remote,
        mapped: bytes,
        plain: Plaintexts,
        count: int,
        sink: Sink,
        now: Micros,
    ) -> None:
        """Give the rows of type 4 among `count` to the tun; `mapped` is the remote's address."""
        address = self.prefix + mapped
        provider = self._door.provider
        for run in exit_runs6(plain, 0, count):
            if run.destination == NOBODY6:
                if self._arrives(remote, run, plain):
                    instead = address if run.source == NOBODY6 else b""
                    self.rows.write(plain, run, SOURCE, self.own, sink, instead)
            elif provider is None:
                self.drops["not-an-exit"] += run.rows
            elif provider.admits(remote, run, plain, address, now):
                self.rows.write(plain, run, DESTINATION, address, sink)

    def _arrives(self, remote: Remote, run: ExitRun, plain: Plaintexts) -> bool:
        """Only an exit in use answers, and only for what goes through it: never our own range."""
        if not run.source.startswith((self.prefix, _MAPPED)) and comes_by_its_exit(
            self._door.consumer, remote, run, plain, ICMPV6, quoted_destination6
        ):
            return True
        self.drops["not-our-exit"] += run.rows
        return False


DROPS: Final = (
    "ipv6-local",  # matters of one link, which kernels send into every device
    "not-an-exit",  # packets to the internet came to a node that is no exit
    "not-our-exit",  # packets of the internet came from somebody we do not reach it through
)
"""Names as they stand in the status."""
