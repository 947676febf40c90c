"""Percentiles of any number of delays in a bounded room.

Delays are counted in buckets of which each is 1 % wider than the one before, from 1 µs on, so a
percentile is at most half a percent away from the delay itself; the largest one is kept exactly.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

__all__ = ["PERCENTILES", "Delays"]

GROWTH = math.log(1.01)
PERCENTILES = {"p50": 0.5, "p90": 0.9, "p95": 0.95, "p99": 0.99, "p999": 0.999}


@dataclass(slots=True)
class Delays:
    """Delays in µs."""

    count: int = 0
    most_us: int = 0
    total_us: int = 0
    buckets: Counter[int] = field(default_factory=Counter)

    def add(self, delay_us: int) -> None:
        """One more; what would be less than 1 µs (two clocks' last digit) counts as that."""
        delay_us = max(1, delay_us)
        self.count += 1
        self.total_us += delay_us
        self.most_us = max(self.most_us, delay_us)
        self.buckets[int(math.log(delay_us) / GROWTH)] += 1

    def quantile_us(self, share: float) -> float:
        """What this share of all delays does not exceed; 0 without any."""
        left = max(1, math.ceil(share * self.count))
        for bucket in sorted(self.buckets):
            left -= self.buckets[bucket]
            if left <= 0:
                return min(math.exp((bucket + 0.5) * GROWTH), self.most_us)
        return 0.0

    def share_above(self, delay_us: float) -> float:
        """The share of delays that exceed this one; 0 without any."""
        if not self.count or delay_us >= self.most_us:
            return 0.0
        limit = int(math.log(max(1.0, delay_us)) / GROWTH)
        return sum(many for bucket, many in self.buckets.items() if bucket > limit) / self.count

    def figures(self) -> dict[str, float | int]:
        """`count`, and in milliseconds `p50`, …, `max`, `mean`; only `count` of none."""
        if not self.count:
            return {"count": 0}
        shares = {f"{name}_ms": self.quantile_us(share) for name, share in PERCENTILES.items()}
        shares |= {"max_ms": self.most_us, "mean_ms": self.total_us / self.count}
        rounded = {name: round(each / 1000, 3) for name, each in shares.items()}
        return {"count": self.count, **rounded}

    def since(self, earlier: Delays) -> Delays:
        """Those that were added to `earlier`; the largest of them is known to its bucket."""
        buckets = self.buckets - earlier.buckets
        most_us = round(math.exp((max(buckets) + 1) * GROWTH)) if buckets else 0
        return Delays(
            self.count - earlier.count,
            min(most_us, self.most_us),
            self.total_us - earlier.total_us,
            buckets,
        )

    @classmethod
    def joined(cls, several: Iterable[Delays]) -> Delays:
        """All of them as one."""
        result = cls()
        for each in several:
            result.count += each.count
            result.total_us += each.total_us
            result.most_us = max(result.most_us, each.most_us)
            result.buckets.update(each.buckets)
        return result
