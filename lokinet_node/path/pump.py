"""Hot: where opened cells go; one call per burst, one look-up and one keystream per run.

1. split the burst into runs of one path and consecutive counters (``burst.runs``);
2. find the lane on that link; its replay window takes the whole run at once;
3. transit: layer and header in place, neighbouring runs to the same link leave in one send;
4. last hop: peel, read the handles; each group of one handle moves to the path that registered
   it, numbered from that path's own counter, or goes to the router itself;
5. owner: peel all layers, hand the bodies to the client.
"""

from __future__ import annotations

from enum import IntEnum, auto
from typing import TYPE_CHECKING, Final, Protocol

from lokinet_node.burst import CELL, COUNTER_LIMIT, SINGLE, runs
from lokinet_node.path.lanes import HANDLES, EndLane, OwnerLane, TransitLane

if TYPE_CHECKING:
    from lokinet_node.base.units import Micros
    from lokinet_node.burst import Cells
    from lokinet_node.path.ports import LinkPort, PathLink

CONTROL_HANDLE: Final = 0
ROUTER_HANDLE: Final = 1


class Drop(IntEnum):
    """Why cells of paths were dropped; index into ``CellPump.drops``."""

    UNKNOWN_PATH = 0
    BAD_COUNTER = auto()
    REPLAYED = auto()
    UNKNOWN_HANDLE = auto()
    PATH_USED_UP = auto()
    NO_TUN = auto()


class Sinks(Protocol):
    """Who takes what a burst leads to; called once per run, never per cell of data."""

    def end_control(self, lane: EndLane, cells: Cells, row: int, counter: int, now: Micros) -> None:
        """A control cell reached the last hop of a path; `counter` is its nonce."""

    def unknown_handle(self, lane: EndLane, handle: int, now: Micros) -> None:
        """Data for a handle nobody registered here."""

    def router_traffic(
        self, lane: EndLane, cells: Cells, first: int, count: int, now: Micros
    ) -> bool:
        """Data for this router itself; False when it takes none."""

    def owner_cells(
        self, lane: OwnerLane, cells: Cells, first: int, count: int, counter: int, now: Micros
    ) -> None:
        """Bodies of a path of ours, all layers removed; `counter` is the last hop's first."""


class CellPump:
    """Moves every cell that a link opened; owns the table of handles."""

    def __init__(self, port: LinkPort, sinks: Sinks) -> None:
        """`port` sends, `sinks` takes what ends here."""
        self.handles: dict[int, EndLane] = {}
        self.drops = [0] * len(Drop)
        self._send_cells = port.send_cells
        self._sinks = sinks

    def deliver(
        self,
        link: PathLink,
        cells: Cells,
        heads: tuple[int, ...],
        count: int,
        now: Micros,
    ) -> None:
        """Take the cells a link opened, with path id and counter of each.

        The arena may be written, it is free again on return.
        """
        paths = link.paths
        out_link: PathLink | None = None
        out_first = out_end = 0
        for first, length in SINGLE if count == 1 else runs(heads[0::2], heads[1::2], count):
            path_id, counter = heads[2 * first], heads[2 * first + 1]
            lane = paths.get(path_id)
            if type(lane) is not TransitLane:
                self._arrive(lane, cells, first, length, path_id, counter, now)
                continue
            if counter + length > COUNTER_LIMIT or not lane.window.take(counter, length):
                self._sift(lane, cells, first, length, counter, now)
                continue
            lane.relay(cells, first, length, counter)
            if lane.out_link is not out_link or first != out_end:
                if out_link is not None:
                    self._send_cells(out_link, cells, out_first, out_end - out_first, now)
                out_link = lane.out_link
                out_first = first
            out_end = first + length
        if out_link is not None:
            self._send_cells(out_link, cells, out_first, out_end - out_first, now)

    def _arrive(
        self,
        lane: object,
        cells: Cells,
        first: int,
        length: int,
        path_id: int,
        counter: int,
        now: Micros,
    ) -> None:
        """A run that does not pass through: it ends here, is ours, or leads nowhere."""
        if not isinstance(lane, (EndLane, OwnerLane)):
            if path_id:
                self.drops[Drop.UNKNOWN_PATH] += length
            return
        if counter + length > COUNTER_LIMIT or not lane.window.take(counter, length):
            self._sift(lane, cells, first, length, counter, now)
            return
        self._take(lane, cells, first, length, counter, now)

    def _take(
        self,
        lane: EndLane | OwnerLane,
        cells: Cells,
        first: int,
        length: int,
        counter: int,
        now: Micros,
    ) -> None:
        if isinstance(lane, OwnerLane):
            at_last_hop = lane.unwrap(cells, first, length, counter)
            self._sinks.owner_cells(lane, cells, first, length, at_last_hop, now)
        else:
            self._end(lane, cells, first, length, counter, now)

    def _sift(
        self,
        lane: TransitLane | EndLane | OwnerLane,
        cells: Cells,
        first: int,
        length: int,
        counter: int,
        now: Micros,
    ) -> None:
        """A run with a number seen before or out of range: the new cells of it, one by one."""
        for row in range(first, first + length):
            number = counter + row - first
            if number >= COUNTER_LIMIT:
                self.drops[Drop.BAD_COUNTER] += 1
            elif not lane.window.take(number, 1):
                self.drops[Drop.REPLAYED] += 1
            elif isinstance(lane, TransitLane):
                lane.relay(cells, row, 1, number)
                self._send_cells(lane.out_link, cells, row, 1, now)
            else:
                self._take(lane, cells, row, 1, number, now)

    def _end(
        self, lane: EndLane, cells: Cells, first: int, length: int, counter: int, now: Micros
    ) -> None:
        lane.layer.xor_run(cells.span(first, length), counter)
        handles = HANDLES[length].unpack_from(cells.buffer, first * CELL)
        start = 0
        while start < length:
            handle = handles[start]
            end = start + 1
            if handle == CONTROL_HANDLE:
                self._sinks.end_control(lane, cells, first + start, counter + start, now)
                start = end
                continue
            while end < length and handles[end] == handle:
                end += 1
            self._transfer(lane, handle, cells, first + start, end - start, now)
            start = end

    def _transfer(
        self, lane: EndLane, handle: int, cells: Cells, first: int, count: int, now: Micros
    ) -> None:
        target = self.handles.get(handle)
        if target is not None:
            if target.wrap(cells, first, count) is None:
                self.drops[Drop.PATH_USED_UP] += count
            else:
                self._send_cells(target.back_link, cells, first, count, now)
        elif handle == ROUTER_HANDLE:
            if not self._sinks.router_traffic(lane, cells, first, count, now):
                self.drops[Drop.NO_TUN] += count
        else:
            self.drops[Drop.UNKNOWN_HANDLE] += count
            self._sinks.unknown_handle(lane, handle, now)
