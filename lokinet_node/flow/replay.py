"""Hot: which counters of one key and direction were already used.

Bits stand for counters that are still *missing*, bit i for counter next - 1 - i: a stream that
arrives in order keeps the number at zero and costs two comparisons for a whole run.

1. `fresh` asks about a run before it is opened; 2. the caller opens it; 3. `mark` is called only
for what carried a good tag (security rule: never mark what was not verified).
"""

from __future__ import annotations

from typing import Final

WINDOW: Final = 8192
"""Counters behind the highest one that may still arrive: several bursts, and skew between them."""


class ReplayWindow:
    """The last `size` counters up to the highest verified one."""

    __slots__ = ("_all", "_missing", "_next", "size")

    def __init__(self, size: int = WINDOW) -> None:
        self.size = size
        self._all = (1 << size) - 1
        self._missing = 0
        self._next = 0

    @property
    def next_counter(self) -> int:
        """One more than the highest counter verified."""
        return self._next

    def fresh(self, counter: int, count: int) -> bool:
        """True iff every counter of the run is new and not too old. Nothing is remembered."""
        ahead = self._next
        if counter >= ahead:
            return True
        if counter < ahead - self.size:
            return False
        end = counter + count
        below = (end if end < ahead else ahead) - counter
        run = ((1 << below) - 1) << (ahead - counter - below)
        return self._missing & run == run

    def is_new(self, counter: int) -> bool:
        """`fresh` for a single counter."""
        return self.fresh(counter, 1)

    def mark(self, counter: int, count: int) -> None:
        """Remember a run whose tags verified; `fresh` was true for it."""
        ahead = self._next
        gap = counter - ahead
        if gap == 0 and not self._missing:
            self._next = counter + count
            return
        advance = gap + count
        if gap < 0:
            below = -gap if advance > 0 else count
            self._missing &= ~(((1 << below) - 1) << (-gap - below))
            gap = 0
        if advance > 0:
            self._advance(advance, gap)

    def _advance(self, advance: int, gap: int) -> None:
        """Move the window up by `advance` counters, the first `gap` of which are missing."""
        self._next += advance
        seen = advance - gap
        if advance < self.size:
            moved = self._missing << advance | ((1 << gap) - 1) << seen
            self._missing = moved & self._all
        else:
            # A jump past the whole window: all but the run itself is missing now.
            self._missing = self._all >> seen << seen
