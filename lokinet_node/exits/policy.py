"""What an exit passes on: destinations, protocols, ports, countries.

A packet passes when all of these hold, in this order:
1. its destination is not the exit itself, its tun or underlay, nor one no exit passes on (NEVER);
2. it is in no denied range and in no denied country;
3. it is in a declared range. Without any, everything public is declared, of IPv6 2000::/3. An
   address the public internet does not route is declared only by a range that lies within such
   addresses: `0.0.0.0/0` opens nobody's private network;
4. it is in an allowed country, if countries are allowed;
5. protocol and port are not denied, and are on the whitelist if there is one;
6. it is not a later fragment where its port would have to be known.

Verdicts are kept by flow: most packets cost one look-up.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from lokinet_node.exits.exit_range import ExitRange, number_of
from lokinet_node.exits.ranges import NEVER, RangeSet, is_bogon, is_within_bogons
from lokinet_node.exits.refusals import Refusal
from lokinet_node.exits.services import ANY_PORT, PORTED, Service

MOST_VERDICTS: Final = 65_536
"""Flows whose verdict is kept: some 10 MB; then all are forgotten and judged anew."""

_NO_VERDICT: Final = 0
_IPV6: Final = 16
_MAPPED: Final = bytes(10) + b"\xff\xff"


@dataclass(frozen=True, slots=True)
class Rules:
    """What an exit's owner wants; addresses of countries are looked up in its file before."""

    owned: tuple[ExitRange, ...] = ()
    allowed: tuple[ExitRange, ...] = ()
    denied: tuple[ExitRange, ...] = ()
    whitelist: tuple[Service, ...] = ()
    denied_services: tuple[Service, ...] = ()
    allowed_countries: tuple[ExitRange, ...] | None = None
    """None: all."""
    denied_countries: tuple[ExitRange, ...] = ()

    @property
    def declared(self) -> tuple[ExitRange, ...]:
        """Ranges that are served; none: everything public."""
        return self.owned + self.allowed


class Policy:
    """The rules of one exit and the verdicts found so far."""

    __slots__ = (
        "_allowed_countries",
        "_by_port",
        "_declared",
        "_denied",
        "_denied_countries",
        "_denied_services",
        "_own",
        "_private",
        "_verdicts",
        "_whitelist",
        "rules",
    )

    def __init__(self, rules: Rules, own: Iterable[ExitRange] = ()) -> None:
        """`own` is what the exit itself is and stands in; `stand_in` changes it later."""
        self.rules = rules
        declared = rules.declared
        self._declared = RangeSet(declared)
        self._private = RangeSet(one for one in declared if is_within_bogons(one))
        self._denied = RangeSet(rules.denied)
        self._denied_countries = RangeSet(rules.denied_countries)
        countries = rules.allowed_countries
        self._allowed_countries = None if countries is None else RangeSet(countries)
        self._denied_services = frozenset(rules.denied_services)
        self._whitelist = frozenset(rules.whitelist)
        services = self._denied_services | self._whitelist
        self._by_port = frozenset(one.protocol for one in services if one.port != ANY_PORT)
        self._own: tuple[ExitRange, ...] = tuple(own)
        self._verdicts: dict[tuple[int, int, bytes], int] = {}

    def stand_in(self, own: Iterable[ExitRange]) -> None:
        """The exit's addresses and networks are these now."""
        own = tuple(own)
        if own != self._own:
            self._own = own
            self._verdicts.clear()

    def verdict(
        self, protocol: int, port: int, destination: bytes, *, is_later_fragment: bool = False
    ) -> int:
        """The Refusal of a packet, 0 if it passes.

        `port` is the destination's and means something for protocols that have ports.
        """
        if protocol not in PORTED:
            port = ANY_PORT
        elif is_later_fragment:
            port = ANY_PORT
            if protocol in self._by_port:
                return self._judge_destination(destination) or Refusal.FRAGMENT
        flow = (protocol, port, destination)
        found = self._verdicts.get(flow)
        if found is None:
            if len(self._verdicts) >= MOST_VERDICTS:
                self._verdicts.clear()
            found = self._judge_destination(destination) or self._judge_service(protocol, port)
            self._verdicts[flow] = found
        return found

    def _judge_destination(self, destination: bytes) -> int:
        number = number_of(destination)
        is_mapped = len(destination) == _IPV6 and destination[:12] == _MAPPED
        if is_mapped or number in NEVER or any(one.holds(number) for one in self._own):
            return Refusal.LOCAL
        if number in self._denied:
            return Refusal.DENIED_RANGE
        if number in self._denied_countries:
            return Refusal.COUNTRY
        if number not in self._private and (
            is_bogon(number) or (self._declared and number not in self._declared)
        ):
            return Refusal.RANGE
        if self._allowed_countries is not None and number not in self._allowed_countries:
            return Refusal.COUNTRY
        return _NO_VERDICT

    def _judge_service(self, protocol: int, port: int) -> int:
        services = {(protocol, ANY_PORT), (protocol, port)}
        if not self._denied_services.isdisjoint(services):
            return Refusal.DENIED_PORT
        if self._whitelist and self._whitelist.isdisjoint(services):
            return Refusal.PROTOCOL
        return _NO_VERDICT
