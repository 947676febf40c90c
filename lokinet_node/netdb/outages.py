"""Routers found dead on our own links: out of all choices for a while, back by themselves.

A router is out from the moment its link died or could not be set up. It is tried again after a
few seconds, then after growing delays up to minutes; at once when it links to us or signs a new
contact after it went out. Only authenticated evidence of one's own belongs in here; what others
report goes into profile.py.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from lokinet_node.base.units import MINUTE, SECOND, Micros

if TYPE_CHECKING:
    from lokinet_node.base.ids import RouterID
    from lokinet_node.wire.contact import Contact

# What we chose.

FIRST_RETRY: Final[Micros] = 3 * SECOND
LONGEST_RETRY: Final[Micros] = 5 * MINUTE
FORGIVEN_AFTER: Final[Micros] = 10 * MINUTE
"""Not out for this long: the next outage counts as the first again."""


@dataclass(slots=True)
class _Outage:
    since: Micros
    """When it went out last."""
    until: Micros
    """When it may be tried again."""
    times: int


class Outages:
    """Which routers are out."""

    __slots__ = ("_outages",)

    def __init__(self) -> None:
        self._outages: dict[RouterID, _Outage] = {}

    def died(self, router: RouterID, now: Micros) -> None:
        """Its link died, or could not be set up; said twice about one outage counts once."""
        outage = self._outages.get(router)
        if outage is None or now - outage.until >= FORGIVEN_AFTER:
            self._outages[router] = _Outage(now, now + FIRST_RETRY, 1)
        elif now >= outage.until:
            outage.times += 1
            # Bounded before it is shifted: a count can grow for weeks.
            delay = FIRST_RETRY << min(outage.times - 1, 16)
            outage.since, outage.until = now, now + min(delay, LONGEST_RETRY)

    def linked(self, router: RouterID, now: Micros) -> None:
        """A link with it is up: back at once, though a next outage still lasts longer."""
        outage = self._outages.get(router)
        if outage is not None:
            outage.until = min(outage.until, now)

    def reissued(self, contact: Contact, now: Micros) -> None:
        """A new contact of it was learned: back at once if it was signed after the outage."""
        outage = self._outages.get(contact.router)
        if outage is not None and contact.issued > outage.since:
            outage.until = min(outage.until, now)

    def is_out(self, router: RouterID, now: Micros) -> bool:
        """Whether no choice may include it now."""
        outage = self._outages.get(router)
        return outage is not None and now < outage.until

    def may_retry(self, router: RouterID, now: Micros) -> bool:
        """Whether its last failure is long enough ago to try it if there is nobody else."""
        outage = self._outages.get(router)
        return outage is None or now >= min(outage.until, outage.since + FIRST_RETRY)

    def out(self, now: Micros) -> frozenset[RouterID]:
        """All routers that are out."""
        return frozenset(router for router, outage in self._outages.items() if now < outage.until)

    def retry_at(self, now: Micros) -> Micros | None:
        """When the next one comes back by itself; None if none is out."""
        return min((o.until for o in self._outages.values() if now < o.until), default=None)

    def expire(self, now: Micros) -> None:
        """Forget those that have been back for long; call it now and then."""
        for router, outage in list(self._outages.items()):
            if now - outage.until >= FORGIVEN_AFTER:
                del self._outages[router]
