"""Which initiations get the attention of a Diffie-Hellman (security rule 9).

1. mac1 must be right; 2. an address that asks too often, or anybody while the queue is long, must
show a cookie (mac2), else it is sent one; 3. addresses that did are limited too, apart from the
others, so that a forger cannot use up their share; 4. the queue is bounded; 5. it is worked off
after data, at a rate that leaves most of the loop's time to data.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Final

from lokinet_node.base.units import MILLISECOND, SECOND, Micros
from lokinet_node.link.events import Drop
from lokinet_node.link.macs import CookieMaker, MacKeys, has_mac1, mac1_of
from lokinet_node.wire.link import decode_initiation

if TYPE_CHECKING:
    from lokinet_node.base.entropy import Entropy

Address = tuple[str, int]

QUEUE: Final = 256
"""Initiations that may wait: a third of a megabyte."""
LONG_QUEUE: Final = 16
"""From here on, and for a second more, everybody needs a cookie."""
LOAD_LINGERS: Final[Micros] = SECOND
WORK_PAUSE: Final[Micros] = 3 * MILLISECOND
"""Between two initiations on average; 0.3-0.45 ms each (measured): 10-15 % of the loop."""
WORK_BURST: Final = 32
ADDRESS_PAUSE: Final[Micros] = 50 * MILLISECOND
"""Between two initiations of one IPv4 address on average."""
ADDRESS_BURST: Final = 40
ADDRESSES: Final = 4096
"""Addresses whose rate is remembered; beyond, strangers count as too fast."""
SWEEP_PAUSE: Final[Micros] = 100 * MILLISECOND


class Rate:
    """A token bucket as one instant: when it will be full again."""

    __slots__ = ("_full_at", "_pause", "_span")

    def __init__(self, pause: Micros, burst: int) -> None:
        self._pause = pause
        self._span = pause * burst
        self._full_at: Micros = 0

    def take(self, now: Micros) -> bool:
        """Take one token if there is one."""
        full_at = max(self._full_at, now) + self._pause
        if full_at > now + self._span:
            return False
        self._full_at = full_at
        return True

    def is_full(self, now: Micros) -> bool:
        """Whether nothing would be forgotten with it."""
        return self._full_at <= now

    def ready_at(self) -> Micros:
        """When the next token is there; in the past: now."""
        return self._full_at + self._pause - self._span


class AddressRates:
    """One bucket for each IPv4 address, as many as fit."""

    __slots__ = ("_rates", "_swept_at")

    def __init__(self) -> None:
        self._rates: dict[str, Rate] = {}
        self._swept_at: Micros = 0

    def take(self, ip: str, now: Micros) -> bool:
        """Take one token of an address; False also when there is no room to remember it."""
        rate = self._rates.get(ip)
        if rate is None:
            if not self._has_room(now):
                return False
            rate = self._rates[ip] = Rate(ADDRESS_PAUSE, ADDRESS_BURST)
        return rate.take(now)

    def _has_room(self, now: Micros) -> bool:
        """Forget what is idle, but seldom: forged addresses must not buy a sweep each."""
        if len(self._rates) >= ADDRESSES and now >= self._swept_at + SWEEP_PAUSE:
            self._swept_at = now
            self._rates = {ip: rate for ip, rate in self._rates.items() if not rate.is_full(now)}
        return len(self._rates) < ADDRESSES


class Gate:
    """Initiations from datagram to the head of the queue."""

    __slots__ = (
        "_cookies",
        "_drops",
        "_keys",
        "_loaded_until",
        "_proved",
        "_unproved",
        "_work",
        "queue",
    )

    def __init__(self, keys: MacKeys, entropy: Entropy, drops: list[int]) -> None:
        """`keys` are those of our own static key."""
        self._keys = keys
        self._cookies = CookieMaker(keys, entropy)
        self._drops = drops
        self.queue: deque[tuple[bytes, Address]] = deque()
        self._loaded_until: Micros = 0
        self._work = Rate(WORK_PAUSE, WORK_BURST)
        self._proved = AddressRates()
        self._unproved = AddressRates()

    def admit(self, datagram: bytes, address: Address, now: Micros) -> bytes | None:
        """Queue an initiation, drop it, or give the cookie reply to send for it."""
        if not has_mac1(datagram, self._keys):
            self._drops[Drop.BAD_MAC1] += 1
        elif self._cookies.has_mac2(datagram, address, now):
            if self._proved.take(address[0], now):
                self._put(datagram, address, now)
            else:
                self._drops[Drop.RATE] += 1
        elif now < self._loaded_until or not self._unproved.take(address[0], now):
            self._drops[Drop.COOKIE_ASKED] += 1
            sender, _ = decode_initiation(datagram)
            return self._cookies.reply(sender, mac1_of(datagram), address, now)
        else:
            self._put(datagram, address, now)
        return None

    def next(self, now: Micros) -> tuple[bytes, Address] | None:
        """The initiation to work on now, if there is one and its time has come."""
        if self.queue and self._work.take(now):
            return self.queue.popleft()
        return None

    def deadline(self) -> Micros | None:
        """When `next` will give something."""
        return self._work.ready_at() if self.queue else None

    def _put(self, datagram: bytes, address: Address, now: Micros) -> None:
        if len(self.queue) >= QUEUE:
            self._drops[Drop.QUEUE_FULL] += 1
            return
        self.queue.append((datagram, address))
        if len(self.queue) >= LONG_QUEUE:
            self._loaded_until = now + LOAD_LINGERS
