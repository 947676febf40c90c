"""The arena of session records before sealing and after opening.

A row is `type 1 | length 2 | content ≤ 1280 | zeros` (docs/wire.md, section 8). Rows are reused,
so whoever writes a row writes all of it: the zeros are part of the record and what is not
overwritten would show the peer a packet of somebody else.
"""

from __future__ import annotations

from struct import Struct
from typing import Final

from lokinet_node.burst import BODY, RECORD_HEADER, ROWS, TAG

PLAINTEXT: Final = BODY - RECORD_HEADER - TAG
"""1292 bytes: what one record seals, whatever it holds."""

CONTENT_AT: Final = 3
"""Offset of the content in a row."""

MAX_CONTENT: Final = 1280
"""Largest packet; also the MTU of the tun."""

TYPE_NOTHING: Final = 0
TYPE_PACKET: Final = 1
TYPE_MESSAGE: Final = 2
TYPE_EXIT4: Final = 3
"""An IPv4 packet from or to the internet: one of its addresses is kept."""
TYPE_EXIT6: Final = 4
"""The same with an IPv6 packet."""

PLAINTEXT_HEAD: Final = Struct("!BH")
"""type, length of the content."""

_MOST_HIGH: Final = MAX_CONTENT >> 8
_AT_MOST: Final = bytes(min(high, _MOST_HIGH) for high in range(256))
_BELOW_MOST: Final = bytes(255 * (high < _MOST_HIGH) for high in range(256))
"""Tables for upper bytes of lengths: the largest is 1280, five times 256, so that the lower byte
counts only below that."""

_WHOLE: Final = Struct(f"!BH{PLAINTEXT - CONTENT_AT}s")


class Plaintexts:
    """Rows of 1292 bytes at a stride of 1292; ``rows[i]`` is a whole row."""

    __slots__ = ("buffer", "rows", "view")

    def __init__(self) -> None:
        self.buffer = bytearray(ROWS * PLAINTEXT)
        self.view = memoryview(self.buffer)
        self.rows = [self.view[i * PLAINTEXT : (i + 1) * PLAINTEXT] for i in range(ROWS)]

    def put(self, row: int, kind: int, content: bytes | bytearray) -> None:
        """Fill a whole row with one record; the content is at most 1280 bytes."""
        # struct pads `s` with zeros: the rest of the row needs no second step
        _WHOLE.pack_into(self.buffer, row * PLAINTEXT, kind, len(content), content)

    def content(self, row: int) -> memoryview | None:
        """The content of a row, without its zeros; None when its length cannot be."""
        _, length = PLAINTEXT_HEAD.unpack_from(self.buffer, row * PLAINTEXT)
        if length > MAX_CONTENT:
            return None
        return self.rows[row][CONTENT_AT : CONTENT_AT + length]

    def content_bytes(self, first: int, count: int) -> int:
        """Sum of the lengths in `count` rows, each at most the largest there is."""
        start, end = first * PLAINTEXT, (first + count) * PLAINTEXT
        high = self.buffer[start + 1 : end : PLAINTEXT]
        low = self.buffer[start + 2 : end : PLAINTEXT]
        below = int.from_bytes(low) & int.from_bytes(high.translate(_BELOW_MOST))
        return 256 * sum(high.translate(_AT_MOST)) + sum(below.to_bytes(count))
