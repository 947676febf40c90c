"""Introsets a router holds for others.

What comes in is held iff it is well formed and fresh, its signature is good, it is strictly newer
than what is held under its key, and this router is among the eight closest to the key that it
knows. The very same introset again is acknowledged. Cheap checks come first, the signature last.
The number held is bounded; when it is reached, only what is held is renewed: a flood then costs
new services their place, not old ones theirs.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from lokinet_node.base.errors import WireError
from lokinet_node.dht.verify import verify_sealed_introset
from lokinet_node.wire.control import Status
from lokinet_node.wire.introset import decode_sealed_introset

if TYPE_CHECKING:
    from collections.abc import Collection

    from lokinet_node.base.ids import BlindedKey, RouterID
    from lokinet_node.base.units import Micros
    from lokinet_node.netdb.book import ContactBook
    from lokinet_node.wire.introset import SealedIntroset

HOLDERS: Final = 8
"""docs/wire.md: twice the four that are asked, as books of contacts differ a little."""
MOST_INTROSETS: Final = 4096
"""Ours: 16 MiB at most."""


class IntrosetStore:
    """Sealed introsets by blinded key."""

    def __init__(
        self,
        book: ContactBook,
        own: RouterID,
        *,
        introset_lifetime: Micros,
        capacity: int = MOST_INTROSETS,
    ) -> None:
        """An empty store of the router `own`; `introset_lifetime` is the network's longest."""
        self._book = book
        self._own = own
        self._longest = introset_lifetime
        self._capacity = capacity
        self._held: dict[BlindedKey, SealedIntroset] = {}

    def __len__(self) -> int:
        """Number of introsets held, expired ones included until `expire`."""
        return len(self._held)

    def store(self, raw: bytes, now: Micros, dead: Collection[RouterID] = ()) -> Status:
        """Hold an introset: OK, STALE (not fresh, or not newer), REFUSED (bad) or BUSY (full).

        `dead` are routers that are out, which do not count among the closest.
        """
        try:
            sealed = decode_sealed_introset(raw)
        except WireError:
            return Status.REFUSED
        verdict = self._verdict(sealed, now, dead)
        if verdict is not None:
            return verdict
        try:
            verify_sealed_introset(sealed, now, longest=self._longest)
        except WireError:
            return Status.REFUSED
        self._held[sealed.blinded_key] = sealed
        return Status.OK

    def find(self, key: BlindedKey, now: Micros) -> bytes | None:
        """The raw introset held under a key while it is fresh."""
        held = self._held.get(key)
        return held.raw if held is not None and now < held.expires else None

    def expire(self, now: Micros) -> int:
        """Drop what is no longer fresh; how many that were."""
        before = len(self._held)
        self._held = {key: held for key, held in self._held.items() if now < held.expires}
        return before - len(self._held)

    def deadline(self) -> Micros | None:
        """When the next introset expires."""
        return min((held.expires for held in self._held.values()), default=None)

    def _verdict(
        self, sealed: SealedIntroset, now: Micros, dead: Collection[RouterID]
    ) -> Status | None:
        """What can be said without checking the signature; None: it has to be checked."""
        held = self._held.get(sealed.blinded_key)
        if sealed.expires <= now:
            return Status.STALE
        if held is not None and sealed.sequence <= held.sequence:
            return Status.OK if sealed.raw == held.raw else Status.STALE
        if not self._is_holder(sealed.blinded_key, now, dead):
            return Status.REFUSED
        if held is None and not self._has_room(now):
            return Status.BUSY
        return None

    def _is_holder(self, key: BlindedKey, now: Micros, dead: Collection[RouterID]) -> bool:
        others = self._book.closest(key, HOLDERS, now, {self._own, *dead})
        if len(others) < HOLDERS:
            return True
        return _distance(self._own, key) < _distance(others[-1].router, key)

    def _has_room(self, now: Micros) -> bool:
        if len(self._held) >= self._capacity:
            self.expire(now)
        return len(self._held) < self._capacity


def _distance(router: RouterID, key: BlindedKey) -> int:
    return int.from_bytes(router, "big") ^ int.from_bytes(key, "big")
