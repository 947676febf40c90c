"""How well routers did lately, from reports of others: lowers a probability, excludes nobody.

A report about a link blames both of its ends alike, since either may lie or be dead. Blame fades
by half every 30 seconds, and a path that came up clears its hops. Our own evidence about our own
links is not in here: outages.py.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from lokinet_node.base.units import SECOND, Micros

if TYPE_CHECKING:
    from collections.abc import Iterable

    from lokinet_node.base.ids import RouterID

HALF_LIFE: Final[Micros] = 30 * SECOND
"""Lokinet halves its router profiles this often."""

# What we chose.

LINK_REPORT: Final = 1.0
"""Blame for each end of a link that was reported broken or unreachable."""
SILENCE: Final = 0.5
"""Blame for each hop of a path build that nobody answered: any of them may be the cause."""
MOST_BLAME: Final = 7.0
"""Where blame stops growing, so that the worst router is still chosen now and then."""
FULL_WEIGHT: Final = 1024

_FORGOTTEN: Final = 1 / 16
_MOST_ROUTERS: Final = 4096


class Profile:
    """Fading blame per router."""

    __slots__ = ("_blame",)

    def __init__(self) -> None:
        self._blame: dict[RouterID, tuple[float, Micros]] = {}

    def blame(self, routers: Iterable[RouterID], now: Micros, amount: float = LINK_REPORT) -> None:
        """Add blame to each: both ends of a reported link, or all hops of a silent build."""
        for router in routers:
            self._blame[router] = (min(self.of(router, now) + amount, MOST_BLAME), now)
        if len(self._blame) > _MOST_ROUTERS:
            self._forget(now)

    def clear(self, routers: Iterable[RouterID]) -> None:
        """These just did their part: a path through them came up."""
        for router in routers:
            self._blame.pop(router, None)

    def of(self, router: RouterID, now: Micros) -> float:
        """Blame at this instant, 0 to 7; 1 is one fresh report."""
        blame, since = self._blame.get(router, (0.0, now))
        return blame * 0.5 ** ((now - since) / HALF_LIFE) if blame else 0.0

    def weight(self, router: RouterID, now: Micros) -> int:
        """For Chooser.order: 1024 for a router without blame, 256 after one report, 16 at least."""
        return int(FULL_WEIGHT / (1 + self.of(router, now)) ** 2)

    def _forget(self, now: Micros) -> None:
        """Drop what has faded, and if that is not enough the faintest half."""
        faded = {router: self.of(router, now) for router in self._blame}
        kept = sorted(faded, key=faded.__getitem__, reverse=True)[: _MOST_ROUTERS // 2]
        self._blame = {router: self._blame[router] for router in kept if faded[router] > _FORGOTTEN}
