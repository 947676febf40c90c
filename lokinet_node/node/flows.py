"""How a tun sends to one remote: the flows of sessions and of `.snode` addresses.

A session's flow asks the session each time, for its route may change at any moment. A router's own
address has no handshake: one path that ends there carries the packets, its keys authenticate the
router, and the client is nobody to it (docs/wire.md, end of section 8). When the path goes, the
next one takes over with new keys; the router gives whoever comes on it another address, so
connections do not survive that.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from lokinet_node.base.ids import RouterID
from lokinet_node.path.owned import Path
from lokinet_node.session.streams import (
    ROUTER_HANDLE,
    ReceiveStream,
    SendStream,
    router_stream_key,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from lokinet_node.base.units import Micros
    from lokinet_node.node.paths import PathKeeper
    from lokinet_node.node.traffic import Guard
    from lokinet_node.session.addresses import Remote
    from lokinet_node.session.outlet import Sending
    from lokinet_node.session.session import Session


class SessionFlow:
    """A session as the tun sees it; what the session names a path is one of ours."""

    __slots__ = ("_session", "_way", "_with")

    def __init__(self, session: Session) -> None:
        """Asks the session each time, converts only what is new."""
        self._session = session
        self._with: Sending | None = None
        self._way: tuple[SendStream, Path, int] | None = None

    def sending(self) -> tuple[SendStream, Path, int] | None:
        """Stream, path and handle; None while there is no route."""
        sending = self._session.sending()
        if sending is not self._with:
            self._with = sending
            self._way = None
            if sending is not None:
                assert isinstance(sending.path, Path), "sessions use the paths they were given"
                self._way = (sending.stream, sending.path, sending.handle)
        return self._way

    def is_refused(self, now: Micros) -> bool:
        """The remote does not take our packets."""
        return self._session.admission.is_refused(now)

    @property
    def guard(self) -> Guard | None:
        """The session's own, where there is anything to screen."""
        admission = self._session.admission
        return None if admission.is_open else admission

    @property
    def is_up(self) -> bool:
        """There is a way, whether or not the remote takes our packets."""
        return self._session.is_connected


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

    @property
    def is_used(self) -> bool:
        """Whether anything was sent over the present path."""
        return self._send is not None and self._send.counter > 0

    def detach(self) -> None:
        """The path is gone."""
        self.path = self._send = self.receive = None

    def sending(self) -> tuple[SendStream, Path, int] | None:
        """Stream, path and handle; None while there is no path."""
        if self.path is None or self._send is None:
            return None
        return self._send, self.path, ROUTER_HANDLE

    def is_refused(self, now: Micros) -> bool:
        """Routers take everybody's packets."""
        return False

    guard: Guard | None = None

    @property
    def is_up(self) -> bool:
        """There is a path."""
        return self.path is not None


class Snodes:
    """The `.snode` flows of one client."""

    def __init__(self, keeper: PathKeeper, ready: Callable[[Remote, Micros], None]) -> None:
        """`ready` hears of each flow that can send, again after each change of path."""
        self.flows: dict[RouterID, SnodeFlow] = {}
        self._keeper = keeper
        self._ready = ready

    def want(self, remote: Remote, now: Micros) -> SnodeFlow:
        """The flow to a router, with a path as soon as there is one."""
        flow = self.flows.get(RouterID(remote.key))
        if flow is None:
            flow = self.flows[RouterID(remote.key)] = SnodeFlow(remote)
        if flow.path is None:
            self._find_path(flow, now)
        return flow

    def _find_path(self, flow: SnodeFlow, now: Micros) -> None:
        router = RouterID(flow.remote.key)
        for path in self._keeper.ready():
            if path.pivot == router:
                self._attach(flow, path, now)
                return
        self._keeper.want(router, (router,), 1, now)

    def _attach(self, flow: SnodeFlow, path: Path, now: Micros) -> None:
        flow.attach(path)
        self._keeper.want(flow.remote.key, (), 0, now)
        self._ready(flow.remote, now)

    def path_ready(self, path: Path, now: Micros) -> None:
        """A path that may be waited for."""
        flow = self.flows.get(path.pivot)
        if flow is not None and flow.path is None:
            self._attach(flow, path, now)

    def path_lost(self, path: Path, now: Micros) -> None:
        """A path that may be in use."""
        flow = self.flows.get(path.pivot)
        if flow is not None and flow.path is path:
            was_used = flow.is_used
            flow.detach()
            # One nobody used all the time gets its next path when somebody does.
            if was_used:
                self._find_path(flow, now)
