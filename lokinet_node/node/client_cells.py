"""Cells of a client's own paths: to the stream that opens them, and what they bring to the tun.

Bodies of a run that belong to one stream go on together. What is not data is rare: answers of the
last hop, handshakes, session messages; only after these is there something to settle.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from lokinet_node.burst import CELL
from lokinet_node.path.owned import OwnPaths, Path
from lokinet_node.session.addresses import remote_loki
from lokinet_node.session.streams import DATA_HEADS, ROUTER_INDEX

if TYPE_CHECKING:
    from collections.abc import Callable

    from lokinet_node.base.units import Micros
    from lokinet_node.burst import Cells
    from lokinet_node.node.flows import Snodes
    from lokinet_node.node.traffic import Traffic
    from lokinet_node.path.lanes import EndLane, OwnerLane
    from lokinet_node.session.sessions import Sessions


class ClientCells:
    """The sinks of a client's cell pump."""

    def __init__(
        self,
        own: OwnPaths,
        sessions: Sessions,
        snodes: Snodes,
        settle: Callable[[Micros], None],
    ) -> None:
        """`settle` carries out what paths and sessions want."""
        self.traffic: Traffic | None = None
        """None: packets that arrive have nowhere to go."""
        self._own = own
        self._sessions = sessions
        self._snodes = snodes
        self._settle = settle

    def owner_cells(
        self, lane: OwnerLane, cells: Cells, first: int, count: int, counter: int, now: Micros
    ) -> None:
        """Bodies that came over a path of ours; groups of one index go on together."""
        path = lane.path
        assert isinstance(path, Path), "owners make lanes for paths"
        path.cells_in += count
        path.last_heard = now
        heads = DATA_HEADS[count].unpack_from(cells.buffer, first * CELL)
        handles, indices, counters = heads[0::3], heads[1::3], heads[2::3]
        start = 0
        while start < count:
            index = indices[start]
            end = start + 1
            if not handles[start]:
                self._own.receive_control(path, cells, first + start, counter + start, now)
                self._settle(now)
                start = end
                continue
            if indices[start:] == (index,) * (count - start) and 0 not in handles[start:]:
                end = count
            while end < count and indices[end] == index and handles[end]:
                end += 1
            self._records(path, cells, first + start, index, counters[start:end], now)
            start = end

    def _records(
        self,
        path: Path,
        cells: Cells,
        first: int,
        index: int,
        counters: tuple[int, ...],
        now: Micros,
    ) -> None:
        stream = self._sessions.streams.get(index)
        if stream is None:
            if index == ROUTER_INDEX and path.pivot in self._snodes.flows:
                self._snode_records(path, cells, first, counters, now)
                return
            for row in range(first, first + len(counters)):
                self._sessions.handle_cell(path, bytes(cells.bodies[row]), now)
            self._settle(now)
            return
        traffic, owner = self.traffic, stream.owner
        if traffic is None or owner is None:
            return
        session = owner.session
        before = traffic.packets_in
        guard = None if session.admission.is_open else session.admission
        remote = remote_loki(session.remote)
        messages = traffic.records(remote, stream, cells, first, counters, now, guard)
        has_data = traffic.packets_in - before > len(messages)
        if self._sessions.received(stream, path, now, has_data=has_data) or messages:
            for content in messages:
                self._sessions.session_message(stream, content, now)
            self._settle(now)

    def _snode_records(
        self, path: Path, cells: Cells, first: int, counters: tuple[int, ...], now: Micros
    ) -> None:
        flow = self._snodes.flows[path.pivot]
        if flow.path is path and flow.receive is not None and self.traffic is not None:
            self.traffic.records(flow.remote, flow.receive, cells, first, counters, now)

    def end_control(self, lane: EndLane, cells: Cells, row: int, counter: int, now: Micros) -> None:
        """Clients are nobody's last hop."""

    def unknown_handle(self, lane: EndLane, handle: int, now: Micros) -> None:
        """Clients are nobody's last hop."""

    def router_traffic(
        self, lane: EndLane, cells: Cells, first: int, count: int, now: Micros
    ) -> bool:
        """Clients are nobody's last hop."""
        return False
