"""What the path room needs from links and from the node: seams, so that it never imports them.

A link is known here only by the lanes that hang on it; routers are named by RouterID and the
node turns that into a link.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import TypeAlias

    from lokinet_node.base.ids import RouterID
    from lokinet_node.base.units import Micros
    from lokinet_node.burst import Cells

    SendCells: TypeAlias = Callable[["PathLink", Cells, int, int, Micros], None]
    """Link, arena, first row, how many, now."""


class PathLink(Protocol):
    """One link as paths see it."""

    @property
    def paths(self) -> dict[int, object]:
        """Path id → lane of every path that uses this link."""

    @property
    def claims_router(self) -> bool:
        """Whether the peer said in the handshake that it is a router."""

    @property
    def is_up(self) -> bool:
        """Whether cells can leave now."""


class LinkPort(Protocol):
    """How paths reach their neighbours."""

    def connect(self, router: RouterID, now: Micros) -> PathLink | None:
        """The link to a router, started if need be; None when no contact of it is known."""

    def send_message(self, link: PathLink, kind: int, payload: bytes, now: Micros) -> None:
        """One link control message, acknowledged and retransmitted; queued while connecting."""

    @property
    def send_cells(self) -> SendCells:
        """Seals rows for the link and sends them; dropped and counted when it is down.

        The same for good: it may be kept.
        """
