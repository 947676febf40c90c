"""A router's own tun: packets that clients send to its `.snode` address, and the way back.

Each path that brings such packets is a client of its own: its keys come from the path, it has no
name, and it gets a mapped address for as long as the path lives (docs/wire.md, end of section 8).
The router never dials; it answers on the path that asked.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from lokinet_node.burst import CELL
from lokinet_node.path.transit import Hop
from lokinet_node.session.addresses import Remote
from lokinet_node.session.streams import (
    DATA_HEADS,
    ROUTER_HANDLE,
    ROUTER_INDEX,
    ReceiveStream,
    SendStream,
    router_stream_key,
)

if TYPE_CHECKING:
    from collections.abc import Container

    from lokinet_node.base.units import Micros
    from lokinet_node.burst import Cells
    from lokinet_node.node.traffic import Traffic
    from lokinet_node.path.lanes import EndLane
    from lokinet_node.path.ports import LinkPort


class _Visitor:
    """One path with `.snode` traffic: a flow back, and who carries it."""

    __slots__ = ("_lane", "_port", "_stream", "receive", "remote")
    guard = None
    is_up = True

    def __init__(self, hop: Hop, lane: EndLane, port: LinkPort) -> None:
        assert hop.keys is not None, "a path that carries cells has its keys"
        # The ephemeral of the build is unique to the path: a name for the address map.
        self.remote = Remote(False, hop.record.ephemeral)
        self.receive = ReceiveStream(router_stream_key(hop.keys.traffic_forward))
        self._stream = SendStream(router_stream_key(hop.keys.traffic_backward))
        self._lane = lane
        self._port = port

    def sending(self) -> tuple[SendStream, _Visitor, int]:
        """Always ready: the path is there or the visitor is gone."""
        return self._stream, self, ROUTER_HANDLE

    def is_refused(self, now: Micros) -> bool:
        """Clients have no say in what routers answer."""
        return False

    def carry(self, cells: Cells, count: int, now: Micros) -> bool:
        """Send rows back along the path that asked."""
        lane = self._lane
        if lane.wrap(cells, 0, count) is None:
            return False
        self._port.send_cells(lane.back_link, cells, 0, count, now)
        return True


class SnodeHost:
    """All visitors of one router."""

    def __init__(self, traffic: Traffic, port: LinkPort) -> None:
        """`traffic` is the data plane of the router's tun."""
        self.traffic = traffic
        self._port = port
        self._visitors: dict[Hop, _Visitor] = {}

    def receive(self, lane: EndLane, cells: Cells, first: int, count: int, now: Micros) -> None:
        """Records that a path brought for this router."""
        hop = lane.hop
        if not isinstance(hop, Hop):
            return
        visitor = self._visitors.get(hop)
        if visitor is None:
            visitor = self._visitors[hop] = _Visitor(hop, lane, self._port)
            self.traffic.flows[visitor.remote] = visitor
        heads = DATA_HEADS[count].unpack_from(cells.buffer, first * CELL)
        counters = heads[2::3]
        if heads[1::3] == (ROUTER_INDEX,) * count:
            self.traffic.records(visitor.remote, visitor.receive, cells, first, counters, now)

    def retain(self, hops: Container[Hop]) -> None:
        """Forget the visitors whose paths are gone."""
        for hop in [hop for hop in self._visitors if hop not in hops]:
            visitor = self._visitors.pop(hop)
            self.traffic.flows.pop(visitor.remote, None)
            self.traffic.addresses.release(visitor.remote)
