"""Path id 0 of a link: channel frames in cells, pings and pongs, signs of life.

Frames are written into an arena of cells (path id 0, counter 0, frame, zeros) and leave through
the same seal as transit cells. Pings of one round leave in a send of their own each, because a
network that loses a burst loses the whole of it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from lokinet_node.base.errors import WireError
from lokinet_node.burst import CELL, CELL_HEADER, ROWS, Cells
from lokinet_node.link.events import Drop, LinkMessage, MessageFailed
from lokinet_node.wire.channel import is_sequenced
from lokinet_node.wire.kinds import LinkKind

if TYPE_CHECKING:
    from collections.abc import Callable

    from lokinet_node.base.entropy import Entropy
    from lokinet_node.base.units import Micros
    from lokinet_node.link.link import Link
    from lokinet_node.link.table import Table

TOKEN: Final = 8
PINGS_REMEMBERED: Final = 8
_HEADER: Final = bytes(CELL_HEADER)


class Control:
    """The control side of all links of a node."""

    __slots__ = ("_cells", "_entropy", "_send", "_table")

    def __init__(
        self,
        table: Table,
        entropy: Entropy,
        send: Callable[[Link, Cells, int, int, Micros], bool],
    ) -> None:
        """`send` seals rows of an arena for a link and sends them, if it can."""
        self._table = table
        self._entropy = entropy
        self._send = send
        self._cells = Cells()

    def receive(self, link: Link, cells: Cells, heads: tuple[int, ...], now: Micros) -> None:
        """Take the control cells among opened ones; `heads` are path id and counter of each."""
        for row, path_id in enumerate(heads[0::2]):
            if path_id == 0:
                try:
                    if heads[2 * row + 1]:
                        raise WireError("control cell with a counter")
                    messages = link.channel.receive(cells.bodies[row], now)
                    for kind, payload in messages:
                        self._message(link, kind, payload, now)
                except WireError:
                    self._table.drops[Drop.BAD_FRAME] += 1

    def flush(self, link: Link, now: Micros) -> None:
        """Send what the channel has to send now; tell what it gave up."""
        if link.current is None:
            return
        frames = link.channel.frames(now)
        for first in range(0, len(frames), ROWS):
            self._send_frames(link, frames[first : first + ROWS], now)
        for kind, payload in link.channel.take_failed():
            self._table.events.append(MessageFailed(link, kind, payload))

    def ping(self, link: Link, copies: int, now: Micros) -> None:
        """Ask the peer for a sign of life, several times over."""
        token = self._entropy(TOKEN)
        while len(link.pings) >= PINGS_REMEMBERED:
            del link.pings[next(iter(link.pings))]
        link.pings[token] = now
        for _ in range(copies):
            link.channel.send(LinkKind.PING, token, now, sequenced=False)
            self.flush(link, now)

    def show_life(self, link: Link, now: Micros) -> None:
        """Data came and nothing left for a while: an acknowledgement of nothing new."""
        self._send_frames(link, [link.channel.acknowledgement()], now)

    def _message(self, link: Link, kind: int, payload: bytes, now: Micros) -> None:
        if kind == LinkKind.PING:
            if len(payload) != TOKEN:
                raise WireError("ping has another size")
            link.channel.send(LinkKind.PONG, payload, now, sequenced=False)
        elif kind == LinkKind.PONG:
            sent_at = link.pings.pop(payload, None)
            if sent_at is not None:
                link.liveness.sample(now - sent_at)
        else:
            self._table.events.append(LinkMessage(link, kind, payload))

    def _send_frames(self, link: Link, frames: list[bytes], now: Micros) -> None:
        for row, frame in zip(self._cells.rows, frames, strict=False):
            row[:] = (_HEADER + frame).ljust(CELL, b"\0")
        wants_answer = any(is_sequenced(frame) for frame in frames)
        if self._send(link, self._cells, 0, len(frames), now) and wants_answer:
            link.liveness.sent(now)
