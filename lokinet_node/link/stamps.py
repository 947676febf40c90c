"""Timestamps of initiations: the last one of each sender, so that a replay is known as one.

A replay older than the clock tolerance is refused by its date alone, so a stamp is worth keeping
for four minutes; what is kept is bounded, and clients, whose keys are fresh and cheap, have a table
of their own: they cannot push routers out. A client whose stamp was pushed out can be replayed for
two minutes, which costs us one answered handshake that nobody confirms.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from lokinet_node.base.units import MINUTE, Micros

if TYPE_CHECKING:
    from lokinet_node.base.ids import LinkKey

CLOCK_TOLERANCE: Final[Micros] = 2 * MINUTE
"""How far an initiation may be dated from our clock, either way."""
ROUTERS: Final = 16_384
CLIENTS: Final = 4_096


class Stamps:
    """The newest timestamp by static key."""

    __slots__ = ("_clients", "_routers")

    def __init__(self) -> None:
        self._routers: dict[LinkKey, Micros] = {}
        self._clients: dict[LinkKey, Micros] = {}

    def accept(self, key: LinkKey, timestamp: Micros, *, is_router: bool) -> bool:
        """Remember a timestamp if it is newer than the last of its sender; whether it is."""
        table, most = (self._routers, ROUTERS) if is_router else (self._clients, CLIENTS)
        last = table.pop(key, None)
        if last is None and len(table) >= most:
            del table[next(iter(table))]
        is_newer = last is None or timestamp > last
        table[key] = timestamp if last is None else max(timestamp, last)
        return is_newer
