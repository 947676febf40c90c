"""Addresses of names that were found, kept for a while.

Rules: only what was found is kept, from the answer on for one fixed time that neither use nor a
later question prolongs: a name that expired, or moved, is asked for again at the latest then.
Denials and failures are not kept. The oldest goes when there are too many.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from lokinet_node.base.ids import LokiAddress
    from lokinet_node.base.units import Micros

MOST_NAMES: Final = 1024
"""Ours: 100 KiB."""


class NameCache:
    """Name -> address, each with its end."""

    __slots__ = ("_capacity", "_held", "_lifetime")

    def __init__(self, lifetime: Micros, capacity: int = MOST_NAMES) -> None:
        """An empty cache; a name lives `lifetime` in it."""
        self._lifetime = lifetime
        self._capacity = capacity
        # Oldest first, because all live equally long.
        self._held: dict[str, tuple[LokiAddress, Micros]] = {}

    def __len__(self) -> int:
        """Number of names held, ended ones included until they are asked for or pushed out."""
        return len(self._held)

    def get(self, name: str, now: Micros) -> LokiAddress | None:
        """The address of a name that was found not long ago."""
        address, until = self._held.get(name, (None, now))
        if now >= until:
            self._held.pop(name, None)
            return None
        return address

    def keep(self, name: str, address: LokiAddress, now: Micros) -> None:
        """A lookup found this."""
        self._held.pop(name, None)
        self._held[name] = (address, now + self._lifetime)
        if len(self._held) > self._capacity:
            del self._held[next(iter(self._held))]
