"""Addresses an upstream's answer must not name: those that only this host, or its networks, reach.

A page elsewhere could otherwise make a browser talk to them (DNS rebinding). Private ranges that
were declared, by mapping just them to an exit, are what the user asked for.
"""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network
from typing import TYPE_CHECKING, Final, TypeAlias

from lokinet_node.base.special import LOCAL, LOCAL6, PRIVATE, PRIVATE6

if TYPE_CHECKING:
    from lokinet_node.base.addresses import Range

Address: TypeAlias = IPv4Address | IPv6Address
Network: TypeAlias = IPv4Network | IPv6Network

_IPV4: Final = tuple(map(IPv4Network, (*LOCAL, *PRIVATE)))
"""What nobody outside may name; documentation ranges stay, a testnet's clearnet uses them."""

_IPV6: Final = tuple(map(IPv6Network, (*LOCAL6, *PRIVATE6)))

# Prefix and the bit at which an IPv4 address stands behind it: mapped, compatible (RFC 4291),
# NAT64 (RFC 6052), 6to4 (RFC 3056).
_EMBEDDED: Final = (
    (IPv6Network("::ffff:0:0/96"), 0),
    (IPv6Network("::/96"), 0),
    (IPv6Network("64:ff9b::/96"), 0),
    (IPv6Network("2002::/16"), 80),
)


@dataclass(frozen=True, slots=True)
class Inside:
    """What is inside, for one node at one time."""

    tun: Range | None = None
    """The tun's address and range."""
    declared: tuple[Network, ...] = ()
    """What is mapped to exits."""

    def holds(self, address: Address) -> bool:
        """Whether an answer with this address is not to be handed on."""
        if isinstance(address, IPv6Address):
            return self._holds_ipv6(address)
        if self.tun is not None and int(address) in self.tun:
            return True
        private = next((network for network in _IPV4 if address in network), None)
        return private is not None and not self._is_declared(address, private)

    def _holds_ipv6(self, address: IPv6Address) -> bool:
        for prefix, shift in _EMBEDDED:
            if address in prefix and int(address) > 1:
                return self.holds(IPv4Address(int(address) >> shift & 0xFFFFFFFF))
        private = next((network for network in _IPV6 if address in network), None)
        return private is not None and not self._is_declared(address, private)

    def _is_declared(self, address: Address, private: Network) -> bool:
        """Whether a range that is no wider than the private one was mapped and holds it."""
        return any(
            one.version == private.version and one.prefixlen >= private.prefixlen and address in one
            for one in self.declared
        )
