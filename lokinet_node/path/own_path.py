"""One path of our own as its owner sees it, and what can be told of it.

A path is doubtful while a router on it is accused: another path of ours broke there, and this one
has not shown since that it is alive. It is asked at once, and used only if there is nothing better.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum, auto
from typing import TYPE_CHECKING, TypeAlias

from lokinet_node.base.ids import Handle, PathID, RouterID, short
from lokinet_node.base.units import SECOND

if TYPE_CHECKING:
    from lokinet_node.base.units import Micros
    from lokinet_node.burst import Cells
    from lokinet_node.path.control import PathControl
    from lokinet_node.path.lanes import OwnerLane
    from lokinet_node.path.onion import HopKeys, PendingBuild
    from lokinet_node.path.ports import LinkPort, PathLink
    from lokinet_node.wire.contact import Contact


class State(Enum):
    """Where a path is in its life."""

    BUILDING = auto()
    REGISTERING = auto()
    READY = auto()
    DEAD = auto()


@dataclass(slots=True, eq=False, repr=False)
class Path:
    """One path of ours; it shows nothing that could tie captures together."""

    contacts: tuple[Contact, ...]
    port: LinkPort = field(repr=False)
    link: PathLink
    path_id: PathID
    handle: Handle
    pending: PendingBuild
    started: Micros
    expires: Micros
    state: State = State.BUILDING
    keys: list[HopKeys] = field(default_factory=list, repr=False)
    lane: OwnerLane | None = field(default=None, repr=False)
    control: PathControl | None = field(default=None, repr=False)
    rtt: Micros | None = None
    last_heard: Micros = 0
    probe_at: Micros = 0
    probes: int = 0
    is_doubtful: bool = False
    """A router on it is accused, and its last hop has not been heard since."""
    purpose: str = ""
    """Whom the path was built for, as status shows it; empty for the general pool."""
    cells_in: int = 0
    cells_out: int = 0

    def __repr__(self) -> str:
        """Where it ends and how it is."""
        return f"Path(to {short(self.pivot)}, {self.state.name.lower()})"

    @property
    def pivot(self) -> RouterID:
        """The last hop."""
        return self.contacts[-1].router

    @property
    def routers(self) -> tuple[RouterID, ...]:
        """All hops, nearest first."""
        return tuple(contact.router for contact in self.contacts)

    def carry(self, cells: Cells, count: int, now: Micros) -> bool:
        """Wrap rows 0..count of an arena and send them; False when the path cannot any more."""
        lane = self.lane
        if lane is None or self.state is State.DEAD or not lane.wrap(cells, 0, count):
            return False
        self.cells_out += count
        self.port.send_cells(self.link, cells, 0, count, now)
        return True

    @property
    def is_ready(self) -> bool:
        """Whether data can use it."""
        return self.state is State.READY

    @property
    def expires_s(self) -> int:
        """Expiry in whole seconds since the epoch, as introductions carry it."""
        return self.expires // SECOND


@dataclass(frozen=True, slots=True)
class PathReady:
    """A path can be used and introduced."""

    path: Path


@dataclass(frozen=True, slots=True)
class PathCleared:
    """A path that was doubtful has shown that it is alive."""

    path: Path


@dataclass(frozen=True, slots=True)
class PathFailed:
    """A build came to nothing; `suspects` are the routers either of which may be to blame."""

    path: Path
    reason: str
    suspects: tuple[RouterID, ...]


@dataclass(frozen=True, slots=True)
class PathLost:
    """A path that was ready is gone; `suspects` as in PathFailed, empty when it just expired."""

    path: Path
    reason: str
    suspects: tuple[RouterID, ...]


@dataclass(frozen=True, slots=True)
class PathMessage:
    """A control message from a path's last hop that is not about the path itself."""

    path: Path
    kind: int
    payload: bytes


PathEvent: TypeAlias = PathReady | PathCleared | PathFailed | PathLost | PathMessage
