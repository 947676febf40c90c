"""Which routers a chain knows: those that are registered and active, and the decommissioned ones.

A node without a chain has an open roster: everybody counts. A router with one has an empty roster
until its chain has spoken, and keeps the last list when the chain is away. An empty list is no
news, as in Lokinet: it would take the whole network down.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection

    from lokinet_node.base.ids import RouterID


class Roster:
    """Who is a router; `is_open` when nobody says."""

    __slots__ = ("active", "decommissioned", "is_open")

    def __init__(self) -> None:
        """Open."""
        self.is_open = True
        self.active: frozenset[RouterID] = frozenset()
        """Funded and active: hops, holders of introsets, ends of links."""
        self.decommissioned: frozenset[RouterID] = frozenset()
        """Funded and not active: links to them stay, nothing new is begun with them."""

    def close(self) -> None:
        """There is a chain: from now on its word counts, and until then nobody does."""
        self.is_open = False

    def update(self, active: Collection[RouterID], decommissioned: Collection[RouterID]) -> bool:
        """Take over a list of the chain; whether it changed anything."""
        before = self.active, self.decommissioned
        if not active and not decommissioned:
            return False
        self.active, self.decommissioned = frozenset(active), frozenset(decommissioned)
        return (self.active, self.decommissioned) != before

    def is_active(self, router: RouterID) -> bool:
        """Whether it may be linked to, built through, and hold introsets."""
        return self.is_open or router in self.active

    def is_registered(self, router: RouterID) -> bool:
        """Whether it is a router at all: active or decommissioned."""
        return self.is_active(router) or router in self.decommissioned
