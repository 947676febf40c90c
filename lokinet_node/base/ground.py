"""What every stateful room stands on: which network, its timers, and a source of randomness."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lokinet_node.base.entropy import Entropy
    from lokinet_node.base.timing import Timing


@dataclass(frozen=True, slots=True)
class Ground:
    """Given to rooms as one thing because it is one thing: the network this node is part of."""

    netid: bytes
    """8 bytes, zero padded."""
    timing: Timing
    entropy: Entropy
    block_bogons: bool = False
    """Whether only public addresses are believed in contacts."""
