"""How much callers may use, as the configuration says it (exits/quota.py counts)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lokinet_node.base.units import Micros


@dataclass(frozen=True, slots=True)
class Quota:
    """What one account may use; 0: as much as it likes."""

    rate: int = 0
    """Bytes a second."""
    size: int = 0
    """Bytes."""
    time: Micros = 0

    def __bool__(self) -> bool:
        return bool(self.rate or self.size or self.time)


@dataclass(frozen=True, slots=True)
class Quotas:
    """For callers and for tokens."""

    client: Quota = Quota()
    token: Quota = Quota()

    def __bool__(self) -> bool:
        return bool(self.client or self.token)
