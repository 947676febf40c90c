"""The batch of datagrams: fixed arenas whose rows are sliced once, so that no packet makes a view.

A burst is one GRO read or one GSO send: up to ``ROWS`` equal datagrams, one after the other. Link
datagrams (stride 1376) are opened into cells (stride 1344), which are peeled or layered there as
contiguous runs and sealed into another arena of datagrams. Rows are reused: whoever writes less
than a row zeroes the rest of it. Sizes: docs/wire.md, section 1.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from struct import Struct
from typing import Final

LINK_HEADER: Final = 16
CELL_HEADER: Final = 16
BODY: Final = 1328
TAG: Final = 16
RECORD_HEADER: Final = 20
"""handle 8, index 4, record counter 8: in front of what a session sealed."""
CELL: Final = CELL_HEADER + BODY
DATAGRAM: Final = LINK_HEADER + CELL + TAG

ROWS: Final = 47
"""Rows of an arena: the most datagrams of 1376 bytes in one UDP GSO send (65507 bytes)."""

CELL_BLOCKS: Final = CELL // 16
COUNTER_LIMIT: Final = 1 << 48
"""Path counters are 48 bits (docs/wire.md, section 3)."""

CELL_HEAD: Final = Struct("!QQ")
"""path id, counter."""

CELL_HEADS: Final = tuple(Struct("!" + "QQ1328x" * n) for n in range(ROWS + 1))

SINGLE: Final = ((0, 1),)
"""What `runs` gives for a burst of one, without asking."""


class Datagrams:
    """Link datagrams at a stride of 1376 bytes; ``sealed[i]`` is ciphertext and tag of row i.

    ``bursts[n]`` are the first n datagrams.
    """

    __slots__ = ("buffer", "bursts", "sealed", "view")

    def __init__(self) -> None:
        # One UDP read may be up to 65535 bytes; what does not fill a row is dropped.
        self.buffer = bytearray(1 << 16)
        self.view = memoryview(self.buffer)
        self.sealed = [
            self.view[i * DATAGRAM + LINK_HEADER : (i + 1) * DATAGRAM] for i in range(ROWS)
        ]
        self.bursts = [self.view[: n * DATAGRAM] for n in range(ROWS + 1)]


class Cells:
    """Cells at a stride of 1344 bytes; ``rows[i]`` is a whole cell, ``bodies[i]`` its body.

    ``records[i]`` is the sealed part of a body that carries a session's record.
    """

    __slots__ = ("bodies", "buffer", "records", "rows", "view")

    def __init__(self) -> None:
        self.buffer = bytearray(ROWS * CELL)
        self.view = memoryview(self.buffer)
        self.rows = [self.view[i * CELL : (i + 1) * CELL] for i in range(ROWS)]
        self.bodies = [row[CELL_HEADER:] for row in self.rows]
        self.records = [body[RECORD_HEADER:] for body in self.bodies]

    def span(self, first: int, count: int) -> memoryview:
        """The bytes of ``count`` cells from row ``first``."""
        return self.view[first * CELL : (first + count) * CELL]


def runs(keys: Sequence[int], counters: Sequence[int], count: int) -> Iterator[tuple[int, int]]:
    """Split rows into runs (first, length) of one key and consecutive counters.

    The usual burst is a single run, found with two comparisons in C.
    """
    first = 0
    while first < count:
        key = keys[first]
        start = counters[first]
        rest = count - first
        if counters[first + rest - 1] == start + rest - 1 and (
            keys[first:count] == (key,) * rest
            and counters[first:count] == tuple(range(start, start + rest))
        ):
            yield first, rest
            return
        end = first + 1
        while end < count and keys[end] == key and counters[end] == start + end - first:
            end += 1
        yield first, end - first
        first = end
