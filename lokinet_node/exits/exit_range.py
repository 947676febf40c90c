"""Ranges of destinations that an exit is used for: IPv4 and IPv6 in one space of numbers.

An IPv4 address is the 128-bit number of its mapped form (RFC 4291, section 2.5.5.2), so `::/0`
holds everything, as it does in Lokinet, and one comparison serves both. Text and bytes are as
people and packets have them.
"""

from __future__ import annotations

from ipaddress import IPv4Network, IPv6Address, IPv6Network, ip_network
from typing import Final, NamedTuple

from lokinet_node.base.errors import NameSyntaxError

_BITS: Final = 128
_MAPPED: Final = 0xFFFF << 32
_MAPPED_PREFIX: Final = 96
_IPV4_SIZE: Final = 4


class ExitRange(NamedTuple):
    """A network: its lowest number and how many leading bits its members share (0 to 128)."""

    first: int
    prefix: int

    @property
    def is_ipv4(self) -> bool:
        """Whether there is no IPv6 address in it."""
        return self.prefix >= _MAPPED_PREFIX and self.first >> 32 == _MAPPED >> 32

    @property
    def network(self) -> IPv4Network | IPv6Network:
        """As the standard library has it."""
        if self.is_ipv4:
            return IPv4Network((self.first & 0xFFFFFFFF, self.prefix - _MAPPED_PREFIX))
        return IPv6Network((self.first, self.prefix))

    def __str__(self) -> str:
        """`203.0.113.0/24` or `2001:db8::/32`."""
        return str(self.network)

    def holds(self, number: int) -> bool:
        """Whether a destination, as `number_of` gives it, lies in the range."""
        return (number ^ self.first) >> (_BITS - self.prefix) == 0

    def covers(self, other: ExitRange) -> bool:
        """Whether everything in the other range is in this one, too."""
        return self.prefix <= other.prefix and self.holds(other.first)


EVERYTHING: Final = ExitRange(0, 0)
"""`::/0`: what an exit is used for unless a range is said."""


def number_of(address: bytes) -> int:
    """The number of an address of 4 or 16 bytes."""
    number = int.from_bytes(address, "big")
    return number | _MAPPED if len(address) == _IPV4_SIZE else number


def parse_exit_range(text: str) -> ExitRange:
    """`address[/prefix]`, the address anywhere in the range; NameSyntaxError otherwise."""
    if "%" in text:
        raise NameSyntaxError(f"{text!r} names a link, which a range cannot")
    try:
        network = ip_network(text, strict=False)
    except ValueError:
        raise NameSyntaxError(f"{text!r} is not a range such as 0.0.0.0/0 or ::/0") from None
    address = network.network_address
    if isinstance(address, IPv6Address):
        return ExitRange(int(address), network.prefixlen)
    return ExitRange(int(address) | _MAPPED, network.prefixlen + _MAPPED_PREFIX)
