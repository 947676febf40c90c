"""The kernel's routes for exits: observed, compared with what should be, mended.

exits/routes.py decides; here the main table is read, told apart into ours and others' by the
protocol number, and changed route by route. The kernel tells of every change of routes, addresses
and interfaces; each is a reason to look again, so a new gateway is followed and a route that
somebody removed comes back. Routes are put before others of the same network and metric, never
in their place.

Routes into the tun end with it, and so with the process; guards and host routes stay until
`release`, or until a new run takes them over.
"""

from __future__ import annotations

import errno
import os
import socket
from collections.abc import Callable, Iterable
from ipaddress import IPv4Address, ip_address, ip_network
from struct import Struct
from typing import Final, NamedTuple

from lokinet_node.drivers.netlink import (
    CREATE,
    DUMP,
    Notices,
    ask,
    attribute,
    attributes,
    number,
    read_number,
    tell,
)
from lokinet_node.exits.routes import (
    Address,
    Kind,
    Network,
    Route,
    Wanted,
    additions,
    choose_routes,
    guards,
    is_held_by_another,
    passing,
    removals,
)

PROTOCOL: Final = 108
"""Whose a route is (`ip route show proto 108`); nobody in iproute2's rt_protos has it."""

# linux/rtnetlink.h
_ROUTE: Final = Struct("=BBBBBBBBI")
"""family, destination and source lengths, type of service, table, protocol, scope, type, flags"""
_NEW_ROUTE: Final = 24
_DELETE_ROUTE: Final = 25
_GET_ROUTE: Final = 26
_DESTINATION: Final = 1
_DEVICE: Final = 4
_GATEWAY: Final = 5
_PRIORITY: Final = 6
_MULTIPATH: Final = 9
_TABLE: Final = 15
_VIA: Final = 18
_MAIN: Final = 254
_LINK_SCOPE: Final = 253
_ANY_SCOPE: Final = 255
_ONLINK: Final = 4
_CLONED: Final = 0x200
_NEXT_HOP: Final = Struct("=HBBi")  # length, flags, hops, device
_FAMILY: Final = Struct("=H")

_TYPES: Final = {Kind.UNICAST: 1, Kind.BLACKHOLE: 6, Kind.UNREACHABLE: 7}
_KINDS: Final = {1: Kind.UNICAST, 6: Kind.BLACKHOLE, 7: Kind.UNREACHABLE, 8: Kind.UNREACHABLE}
_FAMILIES: Final = {4: socket.AF_INET, 6: socket.AF_INET6}
_GROUPS: Final = 0x1 | 0x10 | 0x40 | 0x100 | 0x400
"""RTMGRP_LINK, IPV4_IFADDR, IPV4_ROUTE, IPV6_IFADDR, IPV6_ROUTE."""
_SAME: Final = frozenset({errno.EEXIST, errno.ESRCH, errno.ENOENT})
"""It is there already, or gone already: what was wanted."""

Tell = Callable[[str, Route, OSError], None]
"""Hears of a route that could not be `add`ed or `delete`d."""


class ExitRoutes:
    """Routes of one node in the main table of its network namespace."""

    def __init__(self, tell_failure: Tell, *, has_guard: bool) -> None:
        """Takes over what an earlier run left; nothing is changed yet. OSError: no netlink."""
        self._tell = tell_failure
        self._has_guard = has_guard
        self._ranges: frozenset[Network] = frozenset()
        self._relays: set[IPv4Address] = set()
        self._tun = 0
        self._carries_ipv6 = False
        self._refused: set[tuple[str, Route]] = set()
        self.passing: frozenset[Network] = frozenset()
        """What others' routes lead past the exits, when the table was looked at last."""
        self._events = Notices(_GROUPS)
        try:
            ours = observe().ours
        except OSError:
            self._events.close()
            raise
        self._is_others = is_held_by_another(ours, 0)
        self._held = frozenset() if self._is_others else guards(ours)

    # --- what is wanted

    @property
    def is_active(self) -> bool:
        """Whether routes are wanted: an exit is mapped, or a guard of an earlier run is held."""
        return bool(self._ranges or self._held)

    @property
    def holds_guard(self) -> bool:
        """Whether an earlier run's guard stands, and nothing has been mapped since."""
        return bool(self._held)

    @property
    def ranges(self) -> frozenset[Network]:
        """What is mapped."""
        return self._ranges

    @property
    def refused(self) -> int:
        """How many routes the kernel did not take, or did not give up, when it was asked last."""
        return len(self._refused)

    def use_tun(self, name: str, *, carries_ipv6: bool) -> None:
        """Where mapped ranges lead."""
        self._tun = socket.if_nametoindex(name)
        self._carries_ipv6 = carries_ipv6

    def map(self, ranges: Iterable[Network]) -> bool:
        """Lead exactly these ranges into the tun; False: another node of this host does so."""
        wanted = frozenset(ranges)
        if wanted and is_held_by_another(observe().ours, self._tun):
            return False
        self._is_others = False
        self._ranges = wanted
        self._held = frozenset()
        self.mend()
        return True

    def add_relay(self, ip: str) -> None:
        """Links are going to this address: see to it that they leave by the underlay.

        OSError: the table cannot be read; the address is not taken up.
        """
        relay = IPv4Address(ip)
        if relay in self._relays:
            return
        self._relays.add(relay)
        if self.is_active:
            try:
                self.mend()
            except OSError:
                self._relays.discard(relay)
                raise

    def keep_relays(self, ips: Iterable[str]) -> None:
        """Links go to these addresses and no other."""
        kept = {IPv4Address(ip) for ip in ips}
        gone = self._relays - kept
        self._relays = kept
        if gone and self.is_active:
            self.mend()

    # --- the kernel

    def fileno(self) -> int:
        """Readable when the kernel has told of a change; then `heard`."""
        return self._events.fileno()

    def heard(self) -> None:
        """Forget what the kernel told; `mend` looks for itself. OSError: closed."""
        self._events.drain()

    def mend(self) -> None:
        """Make the table what it should be; what could not be done is told once."""
        if self._is_others:
            return
        table = observe()
        wanted = Wanted(
            self._ranges,
            self._tun,
            frozenset(self._relays),
            self._has_guard,
            self._carries_ipv6,
            self._held,
        )
        want = choose_routes(wanted, table.foreign)
        self.passing = passing(wanted, table.foreign)
        if not table.has_ipv6:
            want = frozenset(route for route in want if route.network.version == 4)
        refused: set[tuple[str, Route]] = set()
        for route in additions(want, table.ours):
            self._change("add", _NEW_ROUTE, CREATE, route, refused)
        for route in removals(want, table.ours):
            self._change("delete", _DELETE_ROUTE, 0, route, refused)
        self._refused = refused

    def release(self) -> None:
        """Remove every route of ours: nothing goes through exits any more, on purpose."""
        self._ranges = self._held = frozenset()
        self.mend()

    def close(self) -> None:
        """Hear no more; routes stay."""
        self._events.close()

    def _change(
        self, verb: str, kind: int, flags: int, route: Route, refused: set[tuple[str, Route]]
    ) -> None:
        try:
            tell(kind, flags, _encode(route, is_new=kind == _NEW_ROUTE))
        except OSError as error:
            if error.errno in _SAME:
                return
            refused.add((verb, route))
            if (verb, route) not in self._refused:
                self._tell(verb, route, error)


class Table(NamedTuple):
    """The main table at one time."""

    ours: frozenset[Route]
    foreign: list[Route]
    has_ipv6: bool


def observe() -> Table:
    """Read the main table. OSError: the kernel's."""
    ours: set[Route] = set()
    foreign: list[Route] = []
    has_ipv6 = True
    for family in (socket.AF_INET, socket.AF_INET6):
        try:
            for kind, message in ask(_GET_ROUTE, DUMP, _ROUTE.pack(family, *[0] * 8)):
                if kind == _NEW_ROUTE:
                    _sort(message, ours, foreign)
        except OSError as error:
            if family == socket.AF_INET or error.errno not in _NO_FAMILY:
                raise
            has_ipv6 = False
    return Table(frozenset(ours), foreign, has_ipv6)


_NO_FAMILY: Final = frozenset({errno.EAFNOSUPPORT, errno.EOPNOTSUPP, errno.ENOENT})
"""A kernel without IPv6."""


def _sort(message: bytes, ours: set[Route], foreign: list[Route]) -> None:
    family, length, _, _, table, protocol, _, kind, flags = _ROUTE.unpack_from(message)
    found = dict(attributes(message[_ROUTE.size :]))
    if _TABLE in found:
        table = read_number(found[_TABLE])
    if table != _MAIN or flags & _CLONED or kind not in _KINDS:
        return
    route = _decode(family, length, _KINDS[kind], flags, found)
    if protocol == PROTOCOL:
        ours.add(route)
    else:
        foreign.append(route)


def _decode(family: int, length: int, kind: Kind, flags: int, found: dict[int, bytes]) -> Route:
    size = 4 if family == socket.AF_INET else 16
    network = ip_network((found.get(_DESTINATION, bytes(size)), length), strict=False)
    metric = read_number(found[_PRIORITY]) if _PRIORITY in found else 0
    if kind is not Kind.UNICAST:
        # IPv6 names the loopback device here.
        return Route(network, kind, metric=metric)
    hop = found
    device = read_number(found[_DEVICE]) if _DEVICE in found else 0
    if _MULTIPATH in found:
        # The first way of several: one is enough for a host route.
        size, flags, _, device = _NEXT_HOP.unpack_from(found[_MULTIPATH])
        hop = dict(attributes(found[_MULTIPATH][_NEXT_HOP.size : size]))
    return Route(network, kind, device, _gateway(hop), metric, bool(flags & _ONLINK))


def _gateway(hop: dict[int, bytes]) -> Address | None:
    if _GATEWAY in hop:
        return ip_address(hop[_GATEWAY])
    if _VIA in hop:
        return ip_address(hop[_VIA][_FAMILY.size :])
    return None


def _encode(route: Route, *, is_new: bool) -> bytes:
    network, gateway = route.network, route.gateway
    scope = _ANY_SCOPE
    if is_new:
        is_on_link = route.kind is Kind.UNICAST and gateway is None and network.version == 4
        scope = _LINK_SCOPE if is_on_link else 0
    body = _ROUTE.pack(
        _FAMILIES[network.version],
        network.prefixlen,
        0,
        0,
        _MAIN,
        PROTOCOL,
        scope,
        _TYPES[route.kind],
        _ONLINK if route.is_onlink and is_new else 0,
    )
    body += attribute(_DESTINATION, network.network_address.packed)
    if route.device:
        body += attribute(_DEVICE, number(route.device))
    if gateway is not None and gateway.version == network.version:
        body += attribute(_GATEWAY, gateway.packed)
    elif gateway is not None:
        family = _FAMILY.pack(_FAMILIES[gateway.version])
        body += attribute(_VIA, family + gateway.packed)
    return body + attribute(_PRIORITY, number(route.metric))


def describe(error: OSError) -> str:
    """Why the kernel refused a route, for people."""
    reason = os.strerror(error.errno or 0)
    if error.errno in (errno.EPERM, errno.EACCES):
        reason += "; auto-routing=1 needs root or CAP_NET_ADMIN"
    return reason
