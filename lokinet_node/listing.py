"""A router's chain, wired: lists go to its role, names come from it, and both make the node act."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from lokinet_node.base.addresses import Endpoint
    from lokinet_node.base.units import Micros
    from lokinet_node.drivers.log import Log
    from lokinet_node.node.node import Node
    from lokinet_node.node.router import RouterRole
    from lokinet_node.ons.desk import ChainSays
    from lokinet_node.wire.oxend import ServiceNodes


class Listing:
    """What stands between a router and its chain."""

    def __init__(
        self,
        endpoint: Endpoint,
        node: Node,
        role: RouterRole,
        clock: Callable[[], Micros],
        log: Log,
    ) -> None:
        """From now on nobody is a router before the chain says so; nothing is asked yet."""
        from lokinet_node.drivers.lokid import Lokid  # here: only routers pay for HTTP

        self.after: Callable[[], object] = lambda: None
        """Called when something that the chain said made the node act."""
        self._node = node
        self._role = role
        self._clock = clock
        self._lokid = Lokid(endpoint, node.ground.timing.chain_poll, self._heard, self._told, log)
        role.use_chain(self._lokid)

    def start(self) -> None:
        """Begin to ask; there must be a running loop."""
        self._lokid.start()

    async def close(self) -> None:
        """Ask nothing any more."""
        await self._lokid.close()

    def _heard(self, nodes: ServiceNodes) -> None:
        now = self._clock()
        self._role.service_nodes(nodes, now)
        self._node.tick(now)
        self.after()

    def _told(self, name_hash: bytes, says: ChainSays) -> None:
        self._role.names.answered(name_hash, says, self._clock())
        self.after()
