"""The sealed control channel between a path's owner and its last hop (docs/wire.md, section 4).

Both ends seal frames under the path's control key of their direction; the nonce is the number of
the cell as the last hop sees it, so a frame lives in exactly one cell. A bad tag closes the path.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from lokinet_node.base.errors import WireError
from lokinet_node.burst import BODY, TAG
from lokinet_node.crypto.errors import CryptoError
from lokinet_node.crypto.seal import Seal
from lokinet_node.flow.channel import Channel
from lokinet_node.wire.channel import FRAME_HEADER

if TYPE_CHECKING:
    from collections.abc import Callable

    from lokinet_node.base.units import Micros
    from lokinet_node.burst import Cells

HANDLE_BYTES: Final = 8
FRAME: Final = BODY - HANDLE_BYTES - TAG
CAPACITY: Final = FRAME - FRAME_HEADER


class PathControl:
    """One end's half: a channel and a seal for each direction."""

    __slots__ = ("_opens", "_seals", "channel")

    def __init__(self, send_key: bytes, receive_key: bytes) -> None:
        """Keys of 44 bytes: AES-256-GCM key and IV."""
        self.channel = Channel(CAPACITY)
        self._seals = Seal(send_key)
        self._opens = Seal(receive_key)

    def open(self, cells: Cells, row: int, counter: int, now: Micros) -> list[tuple[int, bytes]]:
        """Messages completed by a control cell; WireError when its tag or frame is bad."""
        try:
            frame = self._opens.open(counter, cells.bodies[row][HANDLE_BYTES:])
        except CryptoError as error:
            raise WireError("control cell with a bad tag") from error
        return self.channel.receive(frame, now)

    def flush(
        self, cells: Cells, counter: Callable[[], int], send: Callable[[], None], now: Micros
    ) -> None:
        """Seal every frame due into row 0 of the arena and send it.

        `counter` gives the number the next cell will have at the last hop; `send` wraps and sends
        row 0, using that number up.
        """
        body = cells.bodies[0]
        for frame in self.channel.frames(now):
            sealed = self._seals.seal(counter(), frame.ljust(FRAME, b"\0"))
            body[:HANDLE_BYTES] = bytes(HANDLE_BYTES)
            body[HANDLE_BYTES:] = sealed
            send()
