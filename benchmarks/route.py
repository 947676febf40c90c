"""Which relays carry what web sends to alice, told by the cells both ends count on their paths.

Data leaves over a path of web's own; its last hop, the pivot, moves it to the path of alice's that
ends there too. So the busiest of web's paths outward, and the busiest of alice's inward that has
the same last hop. Neither end knows the other's half: only who sees both, as we do, can tell.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from benchmarks.figures import BenchmarkFailed

Hops: TypeAlias = tuple[str, ...]
"""`<52>.snode` of each hop, the owner's nearest first."""
Counters: TypeAlias = Mapping[Hops, int]


@dataclass(frozen=True, slots=True)
class Route:
    """Both halves; the last hop of each is the pivot."""

    client: Hops
    service: Hops


@dataclass(frozen=True, slots=True)
class Position:
    """A place on a route."""

    key: str
    title: str
    is_clients: bool
    hop: int

    def router(self, route: Route) -> str:
        """Who is there."""
        hops = route.client if self.is_clients else route.service
        return hops[self.hop]


HOPS = 4
POSITIONS: Sequence[Position] = (
    *(Position(f"alice-{n + 1}", f"alice's hop {n + 1}", True, n) for n in range(HOPS - 1)),
    Position("pivot", "the pivot", True, HOPS - 1),
    *(Position(f"web-{n + 1}", f"web's hop {n + 1}", False, n) for n in reversed(range(HOPS - 1))),
)
"""In the order a packet from alice meets them."""


def counters(service: Mapping[str, Any], key: str) -> Counters:
    """`cells_in` or `cells_out` of an end's ready paths; paths over the same hops are one."""
    found: dict[Hops, int] = {}
    for path in service.get("paths", ()):
        if path["ready"]:
            hops = tuple(str(hop["router"]) for hop in path["hops"])
            found[hops] = found.get(hops, 0) + int(path[key])
    return found


def route_between(client: tuple[Counters, Counters], service: tuple[Counters, Counters]) -> Route:
    """The route of what was sent between two looks, (before, after) at each end."""
    sent = _growth(*service)
    out = max(sent, key=sent.__getitem__, default=())
    came = {hops: cells for hops, cells in _growth(*client).items() if hops[-1:] == out[-1:]}
    back = max(came, key=came.__getitem__, default=())
    if not sent.get(out) or not came.get(back):
        raise BenchmarkFailed("no path of web's and alice's carries the download")
    if len(out) != HOPS or len(back) != HOPS:
        raise BenchmarkFailed(f"{len(back)}+{len(out)} hops instead of {HOPS}+{HOPS}")
    return Route(back, out)


def _growth(before: Counters, after: Counters) -> dict[Hops, int]:
    return {hops: cells - before.get(hops, 0) for hops, cells in after.items()}
