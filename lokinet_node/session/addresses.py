"""Which mapped IPv4 address stands for which remote: one each, for as long as the process lives.

Rules (Lokinet's, its mixed-up eviction mended):
- addresses are given out in order from the own one + 1, around the range and back up to it; never
  the own, the network or the broadcast address;
- a remote keeps its address; pinned ones (`mapaddr`) for good;
- when the range is full, the remote that was touched least recently loses its address, both ways.
  DIFFERS: on an exit only after it rested for some periods. Until then the exit's NAT may still
  send there what is for whoever had it, and newcomers get none;
- a `.loki` and a `.snode` with the same 32 bytes are two remotes.

Addresses are 4 bytes in network order, as packets carry them: look-ups convert nothing.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING, NamedTuple

from lokinet_node.base.addresses import format_ipv4
from lokinet_node.base.errors import OperatorError
from lokinet_node.base.ids import LokiAddress, RouterID
from lokinet_node.base.names import format_loki, format_snode

if TYPE_CHECKING:
    from lokinet_node.base.addresses import Range

_SMALLEST_PREFIX = 30
"""The longest prefix of a range that has an address beside network, broadcast and the own."""


class Remote(NamedTuple):
    """Somebody at the other end: a client or service (`.loki`) or a router (`.snode`)."""

    is_router: bool
    key: bytes

    def __str__(self) -> str:
        """The name users know it by."""
        return (
            format_snode(RouterID(self.key))
            if self.is_router
            else format_loki(LokiAddress(self.key))
        )


def remote_loki(address: LokiAddress) -> Remote:
    """The remote behind a `.loki` address."""
    return Remote(False, address)


def remote_router(router: RouterID) -> Remote:
    """The remote behind a `.snode` address."""
    return Remote(True, router)


class AddressMap:
    """Mapped addresses both ways, with true least-recently-used takeover.

    `by_ip[ip4] -> Remote` and `by_remote[Remote] -> ip4` are plain dicts for the hot path to read.
    """

    __slots__ = (
        "_next",
        "_pinned",
        "_range",
        "_recent",
        "by_ip",
        "by_remote",
        "own",
        "period",
        "rest",
    )

    def __init__(self, own: Range) -> None:
        """`own` is the tun's address and prefix, e.g. 172.16.0.1/16."""
        if own.prefix > _SMALLEST_PREFIX:
            raise OperatorError(
                f"range {own} has no address to map; use /{_SMALLEST_PREFIX} or less"
            )
        if own.address in (own.first, own.last):
            raise OperatorError(
                f"{own}: the node's own address is the network or broadcast address"
            )
        self.own: bytes = _bytes4(own.address)
        self.by_ip: dict[bytes, Remote] = {}
        self.by_remote: dict[Remote, bytes] = {}
        self._range = own
        self._next = own.address
        self._pinned: set[bytes] = set()
        self._recent: OrderedDict[bytes, int] = OrderedDict()
        """Period in which an address was touched last, the least recently touched first."""
        self.period = 0
        """Grows with time, where an address has to rest."""
        self.rest = 0
        """Periods an address is not touched before somebody else gets it."""

    @property
    def left(self) -> int:
        """Addresses that nobody has."""
        return self._range.last - self._range.first - 2 - len(self.by_ip)

    def remote_of(self, ip4: bytes) -> Remote | None:
        """Who is behind a mapped address."""
        return self.by_ip.get(ip4)

    def address_of(self, remote: Remote) -> bytes | None:
        """The address a remote has, if it has one."""
        return self.by_remote.get(remote)

    def assign(self, remote: Remote) -> bytes | None:
        """The remote's address, given out now if it has none; counts as a touch.

        None when every address of the range is pinned to others, or has to rest.
        """
        ip4 = self.by_remote.get(remote)
        if ip4 is None:
            ip4 = self._free() or self._take_over()
            if ip4 is None:
                return None
            self._enter(ip4, remote)
        self.touch(ip4)
        return ip4

    def touch(self, ip4: bytes) -> None:
        """Traffic went to or came from this address; once per burst is enough."""
        if ip4 not in self._pinned:
            self._recent[ip4] = self.period
            self._recent.move_to_end(ip4)

    def use(self, remote: Remote) -> None:
        """Traffic went to this remote: `touch` for those who know only whom."""
        ip4 = self.by_remote.get(remote)
        if ip4 is not None:
            self.touch(ip4)

    def release(self, remote: Remote) -> None:
        """The remote is gone for good: its address is free, unless it is pinned."""
        ip4 = self.by_remote.get(remote)
        if ip4 is not None and ip4 not in self._pinned:
            self._remove(ip4)

    def pin(self, ip4: bytes, remote: Remote) -> None:
        """Tie an address to a remote for good (`mapaddr`); OperatorError says what forbids it.

        Whoever held the address loses it, and the remote loses any other it had.
        """
        address = int.from_bytes(ip4, "big")
        text = format_ipv4(address)
        if len(ip4) != 4 or address not in self._range or not self._is_usable(address):
            raise OperatorError(f"mapaddr {text}: not an address {self._range} can map")
        if ip4 in self._pinned and self.by_ip[ip4] != remote:
            raise OperatorError(f"mapaddr {text}: already mapped to {self.by_ip[ip4]}")
        if self.by_remote.get(remote, ip4) in self._pinned - {ip4}:
            raise OperatorError(f"mapaddr {text}: {remote} is already mapped to another address")
        self._remove(ip4)
        if remote in self.by_remote:
            self._remove(self.by_remote[remote])
        self._enter(ip4, remote)
        self._pinned.add(ip4)

    def _enter(self, ip4: bytes, remote: Remote) -> None:
        self.by_ip[ip4] = remote
        self.by_remote[remote] = ip4

    def _remove(self, ip4: bytes) -> None:
        remote = self.by_ip.pop(ip4, None)
        if remote is not None:
            del self.by_remote[remote]
        self._recent.pop(ip4, None)

    def _free(self) -> bytes | None:
        """The next address of the range that nobody has, in order; None after one full turn."""
        range_ = self._range
        size = range_.last - range_.first + 1
        if not self.left:
            return None
        for _ in range(size):
            self._next = range_.first + (self._next + 1 - range_.first) % size
            ip4 = _bytes4(self._next)
            if self._is_usable(self._next) and ip4 not in self.by_ip:
                return ip4
        return None

    def _take_over(self) -> bytes | None:
        if not self._recent:
            return None
        ip4 = next(iter(self._recent))
        if self.period - self._recent[ip4] < self.rest:
            return None
        self._remove(ip4)
        return ip4

    def _is_usable(self, address: int) -> bool:
        range_ = self._range
        return address not in (range_.first, range_.last, range_.address)


def _bytes4(address: int) -> bytes:
    return address.to_bytes(4, "big")
