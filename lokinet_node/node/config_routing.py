"""How a host's routes and IPv6 follow exits: keys of `[network]`."""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import IPv6Address, IPv6Network
from typing import TYPE_CHECKING, Final

from lokinet_node.base.errors import NameSyntaxError
from lokinet_node.node.config_reader import Reader, boolean

if TYPE_CHECKING:
    from collections.abc import Callable

DEFAULT_IP6_RANGE: Final = IPv6Address("fd00::")
"""Lokinet's."""
_UNIQUE_LOCAL: Final = IPv6Network("fc00::/7")


@dataclass(frozen=True, slots=True)
class RoutingConfig:
    """docs/exits/routes.md says what it does."""

    auto: bool = True
    """The host's routes follow what is mapped to exits."""
    blackhole: bool = True
    """With guards, which outlive the process."""
    ip6_range: IPv6Address | None = DEFAULT_IP6_RANGE
    """What is put before an IPv4 tun address to make an IPv6 one of it; None: no IPv6."""


def read_routing(reader: Reader) -> RoutingConfig:
    """What the file says, and Lokinet's defaults."""
    parse: Callable[[str], IPv6Address | None] = _ip6_range
    ip6_range: IPv6Address | None = DEFAULT_IP6_RANGE
    return RoutingConfig(
        auto=reader.one("network", "auto-routing", boolean, True),
        blackhole=reader.one("network", "blackhole-routes", boolean, True),
        ip6_range=reader.one("network", "ip6-range", parse, ip6_range),
    )


def _ip6_range(text: str) -> IPv6Address | None:
    """Unique local with nothing in the last 32 bits; an empty value is no IPv6."""
    if not text:
        return None
    try:
        address = IPv6Address(text.removesuffix("/96"))
    except ValueError:
        raise NameSyntaxError(f"{text!r} is not an IPv6 address such as fd00::") from None
    if address not in _UNIQUE_LOCAL or int(address) & 0xFFFFFFFF:
        raise NameSyntaxError(f"{text!r} is not 96 bits of fc00::/7, such as fd00::")
    return address
