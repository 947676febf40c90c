"""Hot: records of one stream, sealed from and opened into an arena of plaintexts.

A stream is one direction of one route and has its own key, index, counter and window
(docs/wire.md, section 8). Body of a cell: handle 8 | index 4 | record counter 8 | AES-256-GCM.

Sealing a burst: 1. reserve its counters, for good; 2. write the heads; 3. seal all rows.
Opening a burst: 1. cut it into runs of consecutive counters; 2. a run that is all new is opened in
one go and marked; 3. where a record fails, or is not new, the run goes one by one. A failed
record's row is wiped or overwritten, so that what follows is compact.
"""

from __future__ import annotations

from struct import Struct
from typing import TYPE_CHECKING, Final

from cryptography.exceptions import InvalidTag

from lokinet_node.burst import BODY, CELL, CELL_HEADER, ROWS, runs
from lokinet_node.crypto.kdf import expand
from lokinet_node.crypto.seal import KEY_SIZE, Seal
from lokinet_node.flow.replay import ReplayWindow
from lokinet_node.session.plaintexts import PLAINTEXT, Plaintexts

if TYPE_CHECKING:
    from lokinet_node.burst import Cells
    from lokinet_node.session.epochs import Epoch

STREAM_KEY: Final = KEY_SIZE + 4
"""AES key 32, IV 12, index 4."""

WORN: Final = 1 << 27
"""Records after which the keys want a new handshake (docs/wire.md, section 8)."""

MOST_RECORDS: Final = 1 << 28
"""Records one key seals at most: RFC 8446 5.5 allows 2^34.5 blocks, a record is 82."""

ROUTER_HANDLE: Final = 1
ROUTER_INDEX: Final = 1
"""Handle and index of `.snode` sessions, both ways."""

RECORD_HEAD: Final = Struct("!QIQ")
"""handle, index, record counter."""

DATA_HEADS: Final = tuple(
    Struct("!" + f"{CELL_HEADER}xQIQ{BODY - 20}x" * n) for n in range(ROWS + 1)
)
"""handle, index, record counter of each of n cells at the cells' stride."""

_POSITIONS: Final = tuple(range(CELL_HEADER, ROWS * CELL, CELL))
_ONE_KEY: Final = (0,) * ROWS
_WIPED: Final = bytes(PLAINTEXT)


def stream_key(secret: bytes, number: int) -> bytes:
    """Key 32, IV 12 and index 4 of one stream of the direction whose secret (32 bytes) is given."""
    label = b"lokinet-testnet session stream" + number.to_bytes(4, "big")
    return expand(secret, label, STREAM_KEY)


def stream_index(key: bytes) -> int:
    """The index inside a stream key; 0 means that this stream number is skipped."""
    return int.from_bytes(key[KEY_SIZE:], "big")


def router_stream_key(traffic_key: bytes) -> bytes:
    """Stream key of a `.snode` session from the path's traffic key (44) of that direction."""
    return traffic_key + ROUTER_INDEX.to_bytes(4, "big")


class SendStream:
    """The one writer of a stream."""

    __slots__ = ("_seal", "counter", "index", "number", "refused")

    def __init__(self, key: bytes, number: int = 0) -> None:
        self._seal = Seal(key[:KEY_SIZE])
        self.index = stream_index(key)
        self.number = number
        self.counter = 0
        """Counter of the next record, so also how many were sealed."""
        self.refused = 0
        """Rows not sealed because the key has sealed all it may."""

    @property
    def is_worn(self) -> bool:
        """Whether it is time for new keys."""
        return self.counter >= WORN

    def seal(
        self, plain: Plaintexts, first: int, count: int, cells: Cells, at: int, handle: int
    ) -> int:
        """Seal rows into bodies of cells, heads of cells left alone; returns rows sealed.

        That is `count`, or 0 when the key is used up.
        """
        start = self.counter
        if start + count > MOST_RECORDS:
            self.refused += count
            return 0
        self.counter = start + count
        index, buffer = self.index, cells.buffer
        put_head = RECORD_HEAD.pack_into
        for counter, position in zip(
            range(start, start + count), _POSITIONS[at : at + count], strict=True
        ):
            put_head(buffer, position, handle, index, counter)
        self._seal.seal_rows(start, plain.rows, first, count, cells.records, at)
        return count

    def seal_one(self, plaintext: bytes, handle: int) -> bytes | None:
        """The body of one cell for one record of 1292 bytes; None when the key is used up."""
        counter = self.counter
        if counter >= MOST_RECORDS:
            self.refused += 1
            return None
        self.counter = counter + 1
        return RECORD_HEAD.pack(handle, self.index, counter) + self._seal.seal(counter, plaintext)


class ReceiveStream:
    """The one reader of a stream; who looks it up by index finds the keys it belongs to."""

    __slots__ = (
        "_noted",
        "_seal",
        "_window",
        "failed",
        "index",
        "number",
        "opened",
        "owner",
        "replayed",
    )

    def __init__(self, key: bytes, number: int = 0, owner: Epoch | None = None) -> None:
        self._seal = Seal(key[:KEY_SIZE])
        self._window = ReplayWindow()
        self.index = stream_index(key)
        self.number = number
        self.owner = owner
        """The session keys this stream is of; None for a `.snode` session's."""
        self.opened = 0
        self.failed = 0
        self.replayed = 0
        self._noted = 0

    def open(
        self,
        cells: Cells,
        first: int,
        count: int,
        counters: tuple[int, ...],
        plain: Plaintexts,
        at: int,
    ) -> int:
        """Open `count` cells of this stream into rows from `at`; returns how many rows are good.

        `counters` are the cells' record counters, one each. Forged and replayed records leave no
        row and are counted; the rows of the good ones follow each other in the order of arrival.
        """
        window = self._window
        opened = 0
        for offset, length in runs(_ONE_KEY, counters, count):
            counter, source, target = counters[offset], first + offset, at + opened
            if window.fresh(counter, length) and self._open_run(
                cells, source, length, counter, plain, target
            ):
                window.mark(counter, length)
                opened += length
            else:
                opened += self._open_singly(cells, source, length, counter, plain, target)
        self.opened += opened
        return opened

    def has_news(self) -> bool:
        """Whether records were opened since this was last asked."""
        noted, self._noted = self._noted, self.opened
        return noted != self.opened

    def _open_run(
        self, cells: Cells, first: int, count: int, counter: int, plain: Plaintexts, at: int
    ) -> bool:
        """Open rows of consecutive counters; False when one of them is bad: none is good then."""
        try:
            self._seal.open_rows(counter, cells.records, first, count, plain.rows, at)
        except InvalidTag:
            return False
        return True

    def _open_singly(
        self, cells: Cells, first: int, count: int, counter: int, plain: Plaintexts, at: int
    ) -> int:
        """The slow way for a run that is not all new and good."""
        window = self._window
        opened = 0
        for offset in range(count):
            number = counter + offset
            if not window.is_new(number):
                self.replayed += 1
            elif self._open_run(cells, first + offset, 1, number, plain, at + opened):
                window.mark(number, 1)
                opened += 1
            else:
                self._discard(plain, at + opened)
        return opened

    def _discard(self, plain: Plaintexts, row: int) -> None:
        # the cipher leaves unverified plaintext behind when the tag is wrong
        plain.rows[row][:] = _WIPED
        self.failed += 1
