"""Which routes a host needs so that mapped ranges go through the tun and never in clear.

Pure: from what is mapped and the kernel's table to the routes that should be ours. Rules:

1. A mapped range leads into the tun. It is split into halves where the table has a route of the
   same length (the default route always has to be), so that ours is chosen without touching
   anybody else's; networks that are more specific, like the own LAN, stay as they are.
2. Beside each lies a blackhole with a worse metric, the guard: it takes over the moment the tun is
   gone, however the node ended. Guards of an earlier run are held until the first exit is mapped.
3. A relay whose address our routes cover gets a host route over the way it had without them;
   without such a way it is unreachable: a link's datagrams never enter the tun.
4. What the tun does not carry (IPv6 switched off) has only the guard, where guards are wanted.
5. Every route of ours says so (PROTOCOL), by which a new run knows them; no other is touched.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum, auto
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_network
from typing import Final, TypeAlias

Network: TypeAlias = IPv4Network | IPv6Network
Address: TypeAlias = IPv4Address | IPv6Address

ANY_IPV4: Final = IPv4Network("0.0.0.0/0")
ANY_IPV6: Final = IPv6Network("::/0")
_MAPPED: Final = IPv6Network("::ffff:0:0/96")
"""IPv4 among the numbers of IPv6: a range that holds it holds IPv4 (exits/exit_range.py)."""
_LEAST_LENGTH: Final = {4: 1, 6: 2}
"""Lokinet's: two halves of IPv4, four quarters of IPv6."""

# A metric says what a route of ours is for. IPv6 has no metric 0: the kernel makes it 1024.
TUN_METRIC: Final = {4: 0, 6: 1}
RELAY_METRIC: Final = 1
GUARD_METRIC: Final = 4096


class Kind(Enum):
    """What becomes of a packet."""

    UNICAST = auto()
    BLACKHOLE = auto()
    """Silently dropped."""
    UNREACHABLE = auto()
    """The sender hears `no route to host`."""


@dataclass(frozen=True, slots=True)
class Route:
    """One entry of the main table, as far as we make or read it."""

    network: Network
    kind: Kind = Kind.UNICAST
    device: int = 0
    """Index; 0 for what is not unicast."""
    gateway: Address | None = None
    """None: the destination is on the link itself. May be IPv6 for an IPv4 route (RFC 5549)."""
    metric: int = 0
    is_onlink: bool = False
    """The gateway is taken to be on the link though no route says so."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What routes are to bring about."""

    ranges: frozenset[Network] = frozenset()
    """What is mapped to exits; `::/0` is everything, IPv4 too, as in Lokinet."""
    tun: int = 0
    """Index of the tun."""
    relays: frozenset[IPv4Address] = frozenset()
    """Whom links go to."""
    has_guard: bool = True
    carries_ipv6: bool = False
    held: frozenset[Network] = frozenset()
    """Guards of an earlier run that was killed."""


def covered(ranges: Iterable[Network]) -> frozenset[Network]:
    """The ranges, with IPv4 where everything is mapped and IPv6 where all of IPv4 is.

    Whoever has all of IPv4 sent through an exit expects nothing to go past it.
    """
    found = frozenset(ranges)
    if any(isinstance(one, IPv6Network) and _MAPPED.subnet_of(one) for one in found):
        found |= {ANY_IPV4}
    return found | {ANY_IPV6} if ANY_IPV4 in found else found


def choose_routes(want: Wanted, foreign: Iterable[Route]) -> frozenset[Route]:
    """Every route that should be ours; `foreign` are those of the main table that are not."""
    others = [route for route in foreign if route.device != want.tun or not want.tun]
    taken = {route.network for route in others}
    parts = frozenset(part for range_ in covered(want.ranges) for part in _split(range_, taken))
    through = {part for part in parts if part.version == 4 or want.carries_ipv6}
    closed: frozenset[Network] = (parts | want.held) if want.has_guard else frozenset()
    found = {
        Route(part, device=want.tun, metric=TUN_METRIC[part.version])
        for part in through
        if want.tun
    }
    found |= {Route(part, Kind.BLACKHOLE, metric=GUARD_METRIC) for part in closed}
    ours = [part for part in closed.union(through) if part.version == 4]
    for relay in want.relays:
        route = _relay_route(relay, ours, others)
        if route is not None:
            found.add(route)
    return frozenset(found)


def _split(range_: Network, taken: set[Network]) -> list[Network]:
    """The range in the fewest parts whose networks nobody else has a route for."""
    if range_.prefixlen == range_.max_prefixlen:
        return [range_]
    if range_.prefixlen >= _LEAST_LENGTH[range_.version] and range_ not in taken:
        return [range_]
    return [part for half in range_.subnets() for part in _split(half, taken)]


def _relay_route(relay: IPv4Address, ours: Iterable[Network], others: list[Route]) -> Route | None:
    """The host route a relay needs; None where it is reached without."""
    length = max((part.prefixlen for part in ours if relay in part), default=-1)
    if length < 0:
        return None
    host = ip_network((relay, 32))
    ways = [route for route in others if route.network.version == 4 and relay in route.network]
    best = max(ways, key=lambda route: (route.network.prefixlen, -route.metric), default=None)
    if best is None or best.kind is not Kind.UNICAST:
        return Route(host, Kind.UNREACHABLE, metric=RELAY_METRIC)
    if best.network.prefixlen > length:
        return None
    return Route(
        host,
        device=best.device,
        gateway=best.gateway,
        metric=RELAY_METRIC,
        is_onlink=best.is_onlink,
    )


def passing(want: Wanted, foreign: Iterable[Route]) -> frozenset[Network]:
    """Networks inside mapped ranges that others' routes lead past the exit.

    Private networks on the link are left out: the own LAN is meant to stay as it is. What has a
    gateway, and a link that claims public addresses, may be somebody's on that LAN (routes.md).
    """
    routes = list(foreign)
    taken = {route.network for route in routes}
    parts = [part for range_ in covered(want.ranges) for part in _split(range_, taken)]
    return frozenset(
        route.network
        for route in routes
        if route.kind is Kind.UNICAST
        and route.device != want.tun
        and (route.gateway is not None or route.network.is_global)
        and any(_is_inside(route.network, part) for part in parts)
    )


def _is_inside(network: Network, part: Network) -> bool:
    is_longer = network.version == part.version and network.prefixlen > part.prefixlen
    return is_longer and network.network_address in part


def guards(ours: Iterable[Route]) -> frozenset[Network]:
    """The networks whose guards are among routes of ours."""
    return frozenset(
        route.network
        for route in ours
        if route.kind is Kind.BLACKHOLE and route.metric == GUARD_METRIC
    )


def is_held_by_another(ours: Iterable[Route], tun: int) -> bool:
    """Whether a living node routes through a tun that is not this one."""
    return any(
        route.kind is Kind.UNICAST
        and route.metric == TUN_METRIC[route.network.version]
        and route.device != tun
        for route in ours
    )


def additions(want: frozenset[Route], have: frozenset[Route]) -> list[Route]:
    """What is missing, in an order in which nothing that works breaks: relays first."""
    return sorted(want - have, key=_order)


def removals(want: frozenset[Route], have: frozenset[Route]) -> list[Route]:
    """What is too much: what leads into the tun first, relays last."""
    return sorted(have - want, key=_order, reverse=True)


def _order(route: Route) -> tuple[int, int]:
    is_relay = route.metric == RELAY_METRIC and route.network.version == 4
    rank = 0 if is_relay else 1 if route.kind is Kind.BLACKHOLE else 2
    return rank, route.network.prefixlen
