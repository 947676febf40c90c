"""The host's routes while exits are used: what a running node tells drivers/exit_routes.py.

Rules: an address that the node dials gets its host route before the first datagram goes there, and
loses it with its link; to others, and to one whose route cannot be made, nothing is sent. A client
links to nobody it does not dial, so no stranger chooses what goes past the tun. What the kernel
tells within a moment is looked at together; routes are released when the node ends as it was told
to, and left as a guard by whatever else ends it.
"""

from __future__ import annotations

import asyncio
from ipaddress import IPv4Address, IPv4Network
from typing import TYPE_CHECKING, Final

from lokinet_node.base.errors import OperatorError
from lokinet_node.dns.inside import Inside
from lokinet_node.drivers.exit_routes import ExitRoutes, describe
from lokinet_node.drivers.keyfiles import read_contacts
from lokinet_node.exits.routes import covered
from lokinet_node.exits.ways import ExitsChanged
from lokinet_node.link.events import LinkDown
from lokinet_node.node.config import Role

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable

    from lokinet_node.base.addresses import Range
    from lokinet_node.drivers.log import Log
    from lokinet_node.drivers.tun import Tun
    from lokinet_node.exits.routes import Network, Route
    from lokinet_node.link.link import Address, Link
    from lokinet_node.node.config import Config

GATHER_S: Final = 0.02
"""A change of network is many changes of routes."""
RETRY_S: Final = 1.0
"""Until the table is looked at again that could not be read."""
MOST_RELAYS: Final = 64
"""Addresses of links at one time; a client has a link to each of its few first hops."""


ANOTHER_NODE: Final = (
    "another node of this host leads exits' ranges through its tun; end it, or give one of them a"
    " network namespace or auto-routing=0"
)


class Routing:
    """Exit routes of one node; does nothing on routers and with auto-routing=0."""

    def __init__(self, config: Config, log: Log) -> None:
        """Takes over the guard of an earlier run: its bootstrap routers are reached at once.

        OperatorError: exits are to be used from the start, and routes cannot follow.
        """
        self._log = log
        self._routes: ExitRoutes | None = None
        self.problem = ""
        """Why routes do not follow what is mapped, or could not; empty: they do."""
        self._ranges: tuple[Network, ...] = ()
        self._tun = ""
        self._carries_ipv6 = False
        self._has_guard = config.network.routing.blackhole
        self._known: set[Address] = set()
        """Whom the node dials and who has what route he needs."""
        self._links: Collection[Link] = ()
        self._passing: frozenset[Network] = frozenset()
        """What goes past the exits, as told last."""
        self._loop: asyncio.AbstractEventLoop | None = None
        """In which the kernel is heard; a call may be under way when that ends."""
        self._pending: asyncio.TimerHandle | None = None
        network = config.network
        if config.role is Role.ROUTER or not (network.has_tun and network.routing.auto):
            return
        try:
            self._routes = ExitRoutes(self._refused, has_guard=network.routing.blackhole)
        except OSError as error:
            # With no more said than that, everything mapped would leave in clear.
            self.problem = f"routes cannot be read: {describe(error)}; or say auto-routing=0"
            if any(exit_ is not None for exit_, _ in network.exits.mappings):
                raise OperatorError(f"{config.path}: exit-node: {self.problem}") from error
            log.warn("routes.unread", reason=self.problem)
            return
        if self._routes.holds_guard:
            log.warn(
                "routes.held",
                hint="an earlier run was killed; nothing leaves in clear until an exit is mapped"
                " and unmapped, or this node ends",
            )
            for path in config.bootstrap_files:
                for contact in read_contacts(path):
                    self._routes.add_relay(contact.ip)

    def carried(
        self, send: Callable[[Address, memoryview], None]
    ) -> Callable[[Address, memoryview], None]:
        """`send`, whose datagrams never enter the tun: to whom the node dials, and nobody else."""
        known = self._known
        if self._routes is None:
            return send

        def send_past_the_tun(address: Address, view: memoryview) -> None:
            if address in known or self._opens_way(address):
                send(address, view)

        return send_past_the_tun

    def use_links(self, links: Collection[Link]) -> None:
        """Every link of the node, as they come and go: whom it dials."""
        self._links = links

    def _opens_way(self, address: Address) -> bool:
        """Give an address that is dialled its route; False: nothing may be sent there now.

        Who is dialled is tried again by his link, and the route with it.
        """
        routes = self._routes
        is_dialled = any(link.address == address for link in self._links)
        if routes is None or not is_dialled or len(self._known) >= MOST_RELAYS:
            return False
        try:
            routes.add_relay(address[0])
        except OSError as error:
            self._note(describe(error))
            self._mend_in(RETRY_S)
            return False
        self._known.add(address)
        return True

    def use_tun(self, tun: Tun) -> None:
        """Where mapped ranges lead."""
        self._tun = tun.name
        self._carries_ipv6 = tun.address6 is not None
        if self._routes is not None:
            self._routes.use_tun(tun.name, carries_ipv6=self._carries_ipv6)

    def exits_changed(self, ranges: Iterable[Network]) -> None:
        """Exactly these ranges are mapped to exits now; none: routes are as without exits."""
        self._ranges = tuple(ranges)
        routes = self._routes
        if routes is None:
            if self._ranges and self.problem:
                self._log.error("routes.failed", reason=self.problem)
            return
        if self._follow(routes):
            self._log.info("routes.changed", ranges=len(self._ranges), refused=routes.refused)
            self._warn_of_ipv6()

    def _follow(self, routes: ExitRoutes) -> bool:
        """Lead what is mapped into the tun; False: not possible now, and noted why."""
        try:
            is_ours = routes.map(self._ranges)
        except OSError as error:
            self._note(describe(error))
            self._mend_in(RETRY_S)
            return False
        self._note("" if is_ours else ANOTHER_NODE)
        if is_ours:
            self._look_at(routes)
        return is_ours

    def _note(self, problem: str) -> None:
        """Why routes do not follow now; told when that changes."""
        if problem and problem != self.problem:
            self._log.error("routes.failed", reason=problem)
        self.problem = problem

    def _look_at(self, routes: ExitRoutes) -> None:
        """Routes were mended: what of them the kernel refused, and what goes past them."""
        self.problem = ""
        if routes.refused:
            self.problem = f"the kernel refused {routes.refused} routes; the log says why"
        if routes.passing - self._passing:
            self._log.warn(
                "routes.passing",
                networks=" ".join(sorted(map(str, routes.passing))),
                hint="routes that are not this node's and more specific lead these past the exit;"
                " a network you do not trust may have told your host to make them",
            )
        self._passing = routes.passing

    def _warn_of_ipv6(self) -> None:
        """Exits are used, and the tun has no IPv6: ip6-range is empty, or the kernel has none."""
        if self._carries_ipv6 or not any(one.version == 6 for one in covered(self._ranges)):
            return
        if self._has_guard:
            hint = "everything over IPv6 is blackholed, as the tun does not carry it"
        else:
            hint = "IPv6 goes past the exit: set ip6-range=fd00:: or blackhole-routes=1"
        self._log.warn("routes.ipv6", hint=hint)

    def inside(self, tun: Range | None) -> Inside:
        """What an upstream's answer must not name now."""
        return Inside(tun, self._ranges)

    def device_towards(self, ip: str) -> str | None:
        """The tun, for an address that is mapped to an exit, with or without auto-routing."""
        address = IPv4Address(ip)
        if address.is_loopback:
            return None
        is_mapped = any(
            isinstance(one, IPv4Network) and address in one for one in covered(self._ranges)
        )
        return self._tun if is_mapped and self._tun else None

    def take(self, effect: object) -> None:
        """What the node noted; a link that ended needs no route."""
        if isinstance(effect, ExitsChanged):
            self.exits_changed(range_.network for range_ in effect.ranges)
        if self._routes is None or not isinstance(effect, LinkDown):
            return
        self._known &= {link.address for link in self._links}
        if not self._guarded(lambda routes: routes.keep_relays(ip for ip, _ in self._known)):
            self._mend_in(RETRY_S)

    def serve(self) -> None:
        """Follow what the kernel tells."""
        if self._routes is not None:
            self._loop = asyncio.get_running_loop()
            self._loop.add_reader(self._routes.fileno(), self._heard)

    def release(self) -> None:
        """The node ends as it was told to: routes are as before."""
        self._ranges = ()
        self._guarded(lambda routes: routes.release())

    def close(self) -> None:
        """Follow nothing more; what routes there are stay."""
        if self._routes is None:
            return
        if self._pending is not None:
            self._pending.cancel()
        if self._loop is not None:
            self._loop.remove_reader(self._routes.fileno())
        if self._routes.is_active and self._has_guard:
            self._log.warn(
                "routes.left",
                hint="this node did not end as it was told to; its guard lets nothing leave in"
                " clear until it runs again, or: ip route flush proto 108",
            )
        self._routes.close()

    def _heard(self) -> None:
        if self._routes is None:
            return
        self._routes.heard()
        self._mend_in(GATHER_S)

    def _mend_in(self, seconds: float) -> None:
        if self._pending is None:
            self._pending = asyncio.get_running_loop().call_later(seconds, self._mend)

    def _mend(self) -> None:
        self._pending = None
        if self._routes is not None and self.problem and self._ranges:
            self._follow(self._routes)  # the table may be free for us by now
        elif not self._guarded(lambda routes: routes.mend()):
            self._mend_in(RETRY_S)
        elif self._routes is not None:
            self._look_at(self._routes)

    def _guarded(self, act: Callable[[ExitRoutes], None]) -> bool:
        """False: it failed, and is noted."""
        try:
            if self._routes is not None:
                act(self._routes)
        except OSError as error:
            self._note(describe(error))
            return False
        return True

    def _refused(self, verb: str, route: Route, error: OSError) -> None:
        self._log.error(
            "routes.refused", verb=verb, network=str(route.network), reason=describe(error)
        )
