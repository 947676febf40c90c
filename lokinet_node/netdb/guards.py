"""First and second hops that stay the same, so that no one can make us walk through the network.

First hops come from a stored list. Those in use are its first four that are usable now; one that
is unusable (dead on our own link, no fresh contact, blacklisted) keeps its place and is used
again when it comes back, and the list grows at its end for as long as it is away. What others
report never moves a first hop. Pinned first hops (strict-connect) replace the list.

Second hops come from a set of four, each kept for a random time from half a day to two days.

The store is JSON, for a driver to write whenever `changed` is true; other bytes are a WireError.
Numbers: Tor's proposals 271 (guards) and 333 (second hops), scaled to lives of hours.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Final

from lokinet_node.base.errors import NameSyntaxError, WireError
from lokinet_node.base.ids import RouterID
from lokinet_node.base.names import format_snode, parse_snode
from lokinet_node.base.units import HOUR, Micros

if TYPE_CHECKING:
    from collections.abc import Mapping

    from lokinet_node.netdb.chance import Chooser
    from lokinet_node.wire.contact import Contact

FIRST_HOPS: Final = 4
SECOND_HOPS: Final = 4

# What we chose.

LONGEST_LIST: Final = 12
"""First hops remembered: whoever takes our links down one after the other moves us no further."""
SHORTEST_STAY: Final[Micros] = 12 * HOUR
LONGEST_STAY: Final[Micros] = 48 * HOUR

_VERSION: Final = 1


class Guards:
    """The stored first hops and second hops of one node."""

    __slots__ = ("_chooser", "_first", "_second", "changed", "pinned")

    def __init__(
        self,
        chooser: Chooser,
        *,
        pinned: frozenset[RouterID] = frozenset(),
        stored: bytes | None = None,
    ) -> None:
        """Start empty, or from what `dump` gave; WireError if `stored` is something else."""
        self._chooser = chooser
        self.pinned = pinned
        # Router -> when it was usable last, in the order of preference.
        self._first: dict[RouterID, Micros] = {}
        # Router -> when it makes room for another.
        self._second: dict[RouterID, Micros] = {}
        self.changed = False
        if stored is not None:
            self._first, self._second = _load(stored)

    def firsts(self, usable: Mapping[RouterID, Contact], now: Micros) -> list[Contact]:
        """First hops to use, in order of preference: at most four, or the pinned ones."""
        if self.pinned:
            return [usable[router] for router in sorted(self.pinned) if router in usable]
        present = [router for router in self._first if router in usable][:FIRST_HOPS]
        for router in self._strangers(usable, self._first, FIRST_HOPS - len(present)):
            self._make_room(usable)
            self._first[router] = now
            self.changed = True
            present.append(router)
        for router in present:
            self._first[router] = now
        return [usable[router] for router in present]

    def seconds(self, usable: Mapping[RouterID, Contact], now: Micros) -> list[Contact]:
        """Second hops to use: at most four; one that is unusable for now keeps its place.

        Places are given away only when their time is over or, one for each, to keep four usable.
        """
        for router, until in list(self._second.items()):
            if now >= until:
                self._drop_second(router)
        present = [router for router in self._second if router in usable]
        for router in self._strangers(usable, self._second, SECOND_HOPS - len(present)):
            stay = SHORTEST_STAY + self._chooser.below(LONGEST_STAY - SHORTEST_STAY)
            self._second[router] = now + stay
            self.changed = True
            present.append(router)
        absent = [router for router in self._second if router not in usable]
        for router in absent[: max(0, len(self._second) - LONGEST_LIST)]:
            self._drop_second(router)
        return [usable[router] for router in present[:SECOND_HOPS]]

    def dump(self) -> bytes:
        """What to store, readable by the next start."""
        text = json.dumps(
            {
                "version": _VERSION,
                "first": {format_snode(router): seen for router, seen in self._first.items()},
                "second": {format_snode(router): until for router, until in self._second.items()},
            },
            indent=1,
        )
        return text.encode("ascii") + b"\n"

    def _strangers(
        self, usable: Mapping[RouterID, Contact], known: Mapping[RouterID, Micros], count: int
    ) -> list[RouterID]:
        if count <= 0:
            return []
        return self._chooser.sample(sorted(set(usable) - set(known)), count)

    def _make_room(self, usable: Mapping[RouterID, Contact]) -> None:
        """Forget the first hop that has been unusable for longest, if the list is full."""
        absent = [router for router in self._first if router not in usable]
        if len(self._first) >= LONGEST_LIST and absent:
            del self._first[min(absent, key=self._first.__getitem__)]

    def _drop_second(self, router: RouterID) -> None:
        del self._second[router]
        self.changed = True


def _load(stored: bytes) -> tuple[dict[RouterID, Micros], dict[RouterID, Micros]]:
    try:
        document = json.loads(stored)
    except (ValueError, RecursionError) as error:
        raise WireError("stored first hops are not JSON") from error
    if not isinstance(document, dict) or document.get("version") != _VERSION:
        raise WireError("stored first hops have another format")
    return _routers(document.get("first")), _routers(document.get("second"))


def _routers(table: object) -> dict[RouterID, Micros]:
    if not isinstance(table, dict) or len(table) > LONGEST_LIST:
        raise WireError("stored first hops have another format")
    routers: dict[RouterID, Micros] = {}
    for name, instant in table.items():
        if not isinstance(instant, int) or isinstance(instant, bool):
            raise WireError("stored first hops have a malformed instant")
        try:
            routers[parse_snode(name)] = instant
        except NameSyntaxError as error:
            raise WireError("stored first hops have a malformed router") from error
    return routers
