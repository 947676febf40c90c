"""Smoothed round-trip time and the retransmission timeout that follows from it (RFC 6298)."""

from __future__ import annotations

from typing import Final

from lokinet_node.base.units import MILLISECOND, Micros

FIRST_TIMEOUT: Final[Micros] = 300 * MILLISECOND
"""Before anything was measured: twice the round trip of a continent."""
LEAST_TIMEOUT: Final[Micros] = 50 * MILLISECOND
"""Acknowledgements leave at once, so this only has to outlast a busy process."""
MOST_TIMEOUT: Final[Micros] = 2_000 * MILLISECOND


class RoundTrip:
    """One estimate; `smoothed` is None before the first sample."""

    __slots__ = ("_variation", "smoothed", "timeout")

    def __init__(self) -> None:
        self.smoothed: Micros | None = None
        self.timeout = FIRST_TIMEOUT
        self._variation: Micros = 0

    def assume(self, measured: Micros) -> None:
        """Take a round trip the carrier measured, until there is one of our own."""
        if self.smoothed is None:
            self.timeout = min(MOST_TIMEOUT, max(LEAST_TIMEOUT, 3 * measured))

    def sample(self, measured: Micros) -> None:
        """Take in one round trip that is known not to be of a retransmission."""
        if self.smoothed is None:
            self.smoothed = measured
            self._variation = measured // 2
        else:
            self._variation += (abs(measured - self.smoothed) - self._variation) // 4
            self.smoothed += (measured - self.smoothed) // 8
        timeout = self.smoothed + 4 * self._variation
        self.timeout = min(MOST_TIMEOUT, max(LEAST_TIMEOUT, timeout))
