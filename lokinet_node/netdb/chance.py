"""Uniform and weighted choice from a source of entropy: no modulo bias, no state of its own.

Weights are positive integers. What is chosen in the process depends on nothing but the entropy
it was given, so a seeded source makes a test repeatable.
"""

from __future__ import annotations

from math import log
from struct import Struct
from typing import TYPE_CHECKING, Final, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from lokinet_node.base.entropy import Entropy

Item = TypeVar("Item")

_FRACTION_BITS: Final = 53
"""Bits of a float's fraction."""
_SPARE_BITS: Final = 64 - _FRACTION_BITS
_STEP: Final = 2.0**-_FRACTION_BITS


class Chooser:
    """Draws from one source of entropy."""

    __slots__ = ("_entropy",)

    def __init__(self, entropy: Entropy) -> None:
        self._entropy = entropy

    def below(self, bound: int) -> int:
        """A number from 0 to `bound` - 1, all equally likely; `bound` is at least 1."""
        bits = (bound - 1).bit_length()
        size = (bits + 7) // 8
        while True:
            # Drawing again, at most every second time, keeps the low numbers from being favoured.
            number = int.from_bytes(self._entropy(size), "big") >> (size * 8 - bits)
            if number < bound:
                return number

    def pick(self, items: Sequence[Item]) -> Item:
        """One of the items, of which there is at least one."""
        return items[self.below(len(items))]

    def shuffled(self, items: Sequence[Item]) -> list[Item]:
        """All items in random order."""
        return self.sample(items, len(items))

    def sample(self, items: Sequence[Item], count: int) -> list[Item]:
        """`count` different items in random order, or all of them if there are fewer."""
        rest = list(items)
        for first in range(min(count, len(rest))):
            other = first + self.below(len(rest) - first)
            rest[first], rest[other] = rest[other], rest[first]
        return rest[:count]

    def order(self, items: Sequence[Item], weight: Callable[[Item], int]) -> list[Item]:
        """All items as if drawn one after the other, each draw in proportion to the weights left.

        Every item waits an exponential time at the rate of its weight; the order of the times is
        the order of such draws (Efraimidis and Spirakis, 2006).
        """
        # The high bits of each 64: uniform in (0, 1] without drawing again, for all items at once.
        numbers = Struct(f"!{len(items)}Q").unpack(self._entropy(8 * len(items)))
        waits = [
            (-log(((number >> _SPARE_BITS) + 1) * _STEP) / weight(item), at)
            for at, (item, number) in enumerate(zip(items, numbers, strict=True))
        ]
        return [items[at] for _, at in sorted(waits)]
