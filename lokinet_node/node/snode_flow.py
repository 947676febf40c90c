"""A client's way to a router's own address (`.snode`): one path that ends there.

No handshake: the path's own keys authenticate the router, and the client is nobody to it
(docs/wire.md, end of section 8). When the path goes, the next one takes over with new keys; the
router gives whoever comes on it another address, so connections do not survive that.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from lokinet_node.session.streams import (
    ROUTER_HANDLE,
    ReceiveStream,
    SendStream,
    router_stream_key,
)

if TYPE_CHECKING:
    from lokinet_node.path.owned import Path
    from lokinet_node.session.addresses import Remote


class SnodeFlow:
    """The flow to one router."""

    __slots__ = ("_send", "path", "receive", "remote")

    def __init__(self, remote: Remote) -> None:
        """No path yet."""
        self.remote = remote
        self.path: Path | None = None
        self.receive: ReceiveStream | None = None
        self._send: SendStream | None = None

    def attach(self, path: Path) -> None:
        """Use a ready path that ends at the router."""
        keys = path.keys[-1]
        self.path = path
        self._send = SendStream(router_stream_key(keys.traffic_forward))
        self.receive = ReceiveStream(router_stream_key(keys.traffic_backward))

    def detach(self) -> None:
        """The path is gone."""
        self.path = self._send = self.receive = None

    def sending(self) -> tuple[SendStream, Path, int] | None:
        """Stream, path and handle; None while there is no path."""
        if self.path is None or self._send is None:
            return None
        return self._send, self.path, ROUTER_HANDLE
