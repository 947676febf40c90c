"""An exit, wired: its rules with the files they name, and what its machine is and stands in."""

from __future__ import annotations

import asyncio
import os
from contextlib import suppress
from typing import TYPE_CHECKING, Final

from lokinet_node.base.addresses import Range, is_bogon, parse_ipv4
from lokinet_node.base.errors import OperatorError
from lokinet_node.base.units import HOUR, SECOND
from lokinet_node.drivers.files import read_file
from lokinet_node.drivers.netlink import Notices
from lokinet_node.drivers.routes import used_ranges, used_ranges6
from lokinet_node.exits.countries import ranges_of_countries
from lokinet_node.exits.exit_range import ExitRange, parse_exit_range
from lokinet_node.exits.policy import Policy, Rules
from lokinet_node.exits.provider import ExitProvider

if TYPE_CHECKING:
    from collections.abc import Iterable
    from ipaddress import IPv6Interface

    from lokinet_node.base.units import Micros
    from lokinet_node.node.config_exit import ExitConfig
    from lokinet_node.session.addresses import AddressMap

LOOK_PAUSE: Final[Micros] = 30 * SECOND
"""Between two looks at the machine's addresses, should a notice of the kernel be lost."""
PERIOD: Final[Micros] = HOUR
REST: Final = 4
"""A client's address is not somebody else's before three hours passed, as the fourth one has
begun: a NAT keeps idle connections for two hours and four minutes at least (RFC 5382, REQ-5)."""
_GROUPS: Final = 0x10 | 0x100
"""RTMGRP_IPV4_IFADDR and RTMGRP_IPV6_IFADDR of linux/rtnetlink.h."""
COUNTRY_FILE_LIMIT: Final = 1 << 26
_WHOLE: Final = 32


class Providing:
    """The provider of one node; `look` keeps it from passing packets on to its own machine."""

    def __init__(
        self,
        config: ExitConfig,
        tun: Range,
        addresses: AddressMap,
        underlay: str,
        tun6: IPv6Interface | None = None,
    ) -> None:
        """Reads the country file. OperatorError: it, or the machine's addresses, cannot be read.

        Args:
            config: what its owner wants.
            tun: own address and range of the tun.
            addresses: of its clients; those of idle ones rest before somebody else gets them.
            underlay: the address its link socket is bound to, whoever chose it.
            tun6: the tun's IPv6 address and range.
        """
        self._tun = tun
        self._addresses = addresses
        addresses.rest = REST
        self._tun6 = tun6
        self._underlay = underlay
        try:
            own = self._own()
        except OSError as error:
            reason = os.strerror(error.errno or 0)
            raise OperatorError(
                f"exit=1: the addresses of this machine cannot be read, which must not be reached"
                f" through it: {reason}"
            ) from error
        self._policy = Policy(_rules(config), own)
        self._notices: Notices | None = None
        self._looked: Micros = 0
        self.provider = ExitProvider(self._policy)

    def look(self, now: Micros) -> None:
        """Look at the addresses of the machine, if it is time."""
        if now >= self._looked + LOOK_PAUSE:
            self._looked = now
            self._addresses.period = now // PERIOD
            self._look()

    def serve(self) -> None:
        """Look whenever the kernel says that an address came or went. OSError: no netlink."""
        self._notices = Notices(_GROUPS)
        asyncio.get_running_loop().add_reader(self._notices.fileno(), self._heard)
        self._look()  # what came before anybody listened

    def close(self) -> None:
        """Hear no more; to be called in the loop of `serve`."""
        if self._notices is not None:
            asyncio.get_running_loop().remove_reader(self._notices.fileno())
            self._notices.close()

    def _heard(self) -> None:
        if self._notices is not None:
            self._notices.drain()
        self._look()

    def _look(self) -> None:
        # a kernel that does not answer now is asked again: what was seen last counts
        with suppress(OSError):
            self._policy.stand_in(self._own())

    def _own(self) -> list[ExitRange]:
        four = own_ranges(used_ranges(), self._tun, self._underlay)
        return four + own_ranges6(used_ranges6(), self._tun6)


def own_ranges(used: Iterable[Range], tun: Range, underlay: str) -> list[ExitRange]:
    """What an exit must never be a way into: its addresses, its tun, a private underlay.

    A public underlay is the internet: its neighbours are as reachable as anybody.
    """
    own = [parse_exit_range(f"{tun}")]
    for range_ in used:
        own.append(parse_exit_range(str(Range(range_.address, _WHOLE))))
        address = parse_ipv4(underlay)
        if address in range_ and is_bogon(address):
            own.append(parse_exit_range(str(range_)))
    return own


def own_ranges6(used: Iterable[IPv6Interface], tun: IPv6Interface | None) -> list[ExitRange]:
    """The same for IPv6; links do not use it."""
    own = [parse_exit_range(str(one.ip)) for one in used]
    return own if tun is None else [*own, parse_exit_range(str(tun.network))]


def _rules(config: ExitConfig) -> Rules:
    countries = {*config.allowed_countries, *config.denied_countries}
    found: dict[str, tuple[ExitRange, ...]] = {}
    if config.country_file is not None:
        text = read_file(config.country_file, COUNTRY_FILE_LIMIT).decode(errors="replace")
        found = ranges_of_countries(text, config.country_file, countries)
    allowed = [one for country in config.allowed_countries for one in found[country]]
    denied = [one for country in config.denied_countries for one in found[country]]
    return Rules(
        owned=config.owned,
        allowed=config.allowed,
        denied=config.denied,
        whitelist=config.whitelist,
        denied_services=config.denied_services,
        allowed_countries=tuple(allowed) if config.allowed_countries else None,
        denied_countries=tuple(denied),
    )
