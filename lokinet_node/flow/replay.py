"""Hot: which counters of one key and direction were already used.

Bits stand for counters that are still *missing*, bit i for counter base + i: a run that goes on
where the last one ended costs one comparison, whatever was lost before it.

1. `fresh` asks about a run before it is opened; 2. the caller opens it; 3. `mark` is called only
for what carried a good tag (security rule: never mark what was not verified). `take` is both, for
runs whose tags have been verified already.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Final

WINDOW: Final = 8192
"""Counters behind the highest one that may still arrive: several bursts, and skew between them."""


@lru_cache
def _all(size: int) -> int:
    """One number for all windows: those of paths begin so, for their first counter is random."""
    return (1 << size) - 1


class ReplayWindow:
    """The last `size` counters up to the highest verified one."""

    __slots__ = ("_base", "_missing", "_next", "size")

    def __init__(self, size: int = WINDOW) -> None:
        self.size = size
        self._base = 0
        self._missing = 0
        """No counter from `_next` on, perhaps some that are too old by now."""
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
        if counter < ahead - self.size or counter < self._base:
            return False
        end = counter + count
        run = (1 << (min(end, ahead) - counter)) - 1
        # Shifted down, not up: nothing here may grow with what came since the base.
        return (self._missing >> (counter - self._base)) & run == run

    def is_new(self, counter: int) -> bool:
        """`fresh` for a single counter."""
        return self.fresh(counter, 1)

    def mark(self, counter: int, count: int) -> None:
        """Remember a run whose tags verified; `fresh` was true for it."""
        ahead = self._next
        end = counter + count
        if counter == ahead:
            self._next = end
            return
        if counter > ahead:
            self._skip(counter - ahead)
        else:
            run = (1 << (min(end, ahead) - counter)) - 1
            self._missing &= ~(run << (counter - self._base))
        if end > ahead:
            self._next = end

    def take(self, counter: int, count: int) -> bool:
        """Remember a verified run if all of it is `fresh`; False: nothing is remembered."""
        if counter == self._next:
            self._next = counter + count
            return True
        if not self.fresh(counter, count):
            return False
        self.mark(counter, count)
        return True

    def _skip(self, gap: int) -> None:
        """The next `gap` counters are missing."""
        ahead, size = self._next, self.size
        if gap >= size:
            # A jump past the whole window: nothing from before it may come any more.
            self._base = ahead + gap - size
            self._missing = _all(size)
            return
        if not self._missing:
            self._base = ahead
        elif ahead - self._base > size:
            old = ahead - size - self._base
            self._missing >>= old
            self._base += old
        self._missing |= ((1 << gap) - 1) << (ahead - self._base)
