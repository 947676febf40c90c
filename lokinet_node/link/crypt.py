"""Hot: cells of one keypair: from sealed datagrams to plain rows, and back.

Opening: 1. the replay window is asked about the whole run; 2. row by row is decrypted into the
arena of cells; 3. only then is the run marked. When the window or a tag objects, the same rows are
judged cell by cell and the gaps closed: what a failed row left behind is overwritten by the next
good one or lies beyond the count (security rules 5 and 6).

Sealing: 1. counters were reserved, for good; 2. heads are written (packing zeroes the rest of each
row); 3. ciphertext goes over the zeros. Sealed bytes are sent as they are, or dropped.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from cryptography.exceptions import InvalidTag

from lokinet_node.burst import Cells, Datagrams
from lokinet_node.link.events import Drop
from lokinet_node.wire.link import CELL_HEADS

if TYPE_CHECKING:
    from lokinet_node.crypto.seal import Seal
    from lokinet_node.link.keypair import Keypair


class Opener:
    """The arena into which a node's links open their datagrams; rows are good until the next."""

    __slots__ = ("_drops", "cells")

    def __init__(self, drops: list[int]) -> None:
        """`drops` counts by Drop."""
        self.cells = Cells()
        self._drops = drops

    def open_run(
        self, keypair: Keypair, burst: Datagrams, first: int, counter: int, count: int, at: int
    ) -> int:
        """Open datagrams of consecutive counters into cells from row `at`; how many were good."""
        window = keypair.window
        if window.fresh(counter, count):
            try:
                keypair.opens.open_rows(counter, burst.sealed, first, count, self.cells.rows, at)
            except InvalidTag:
                pass
            else:
                window.mark(counter, count)
                return count
        return self._open_each(keypair, burst, first, counter, count, at)

    def _open_each(
        self, keypair: Keypair, burst: Datagrams, first: int, counter: int, count: int, at: int
    ) -> int:
        window = keypair.window
        good = 0
        for row in range(count):
            if not window.is_new(counter + row):
                self._drops[Drop.REPLAYED] += 1
            elif self._opens(keypair.opens, burst, first + row, counter + row, at + good):
                window.mark(counter + row, 1)
                good += 1
            else:
                self._drops[Drop.BAD_TAG] += 1
        return good

    def _opens(self, seal: Seal, burst: Datagrams, row: int, counter: int, at: int) -> bool:
        try:
            seal.decrypt_into(seal.nonce(counter), burst.sealed[row], None, self.cells.rows[at])
        except InvalidTag:
            return False
        return True


class Sealer:
    """The arena from which a node's links send."""

    __slots__ = ("_arena",)

    def __init__(self) -> None:
        self._arena = Datagrams()

    def seal_run(
        self, keypair: Keypair, counter: int, cells: Cells, first: int, count: int
    ) -> memoryview:
        """Datagrams of `count` cells from row `first`, under counters reserved from `counter` on.

        The view is good until the next call.
        """
        arena = self._arena
        if count == 1:  # no set-up for a lone cell
            CELL_HEADS[1].pack_into(arena.buffer, 0, keypair.remote_word, counter)
        else:
            heads = [keypair.remote_word] * (2 * count)
            heads[1::2] = range(counter, counter + count)
            CELL_HEADS[count].pack_into(arena.buffer, 0, *heads)
        keypair.seals.seal_rows(counter, cells.rows, first, count, arena.sealed, 0)
        return arena.bursts[count]
