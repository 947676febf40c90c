"""The clock every room is told the time from: decision 0001.

One number of microseconds since the Unix epoch, read once at start and then advanced by the
monotonic clock, so that it never goes back whatever happens to the host's date.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from lokinet_node.base.units import Micros


def start_clock() -> Callable[[], Micros]:
    """A clock that begins at the host's date and counts elapsed time from there."""
    monotonic_ns = time.monotonic_ns
    offset = (time.time_ns() - monotonic_ns()) // 1_000

    def now() -> Micros:
        return monotonic_ns() // 1_000 + offset

    return now


def wall() -> Micros:
    """The host's date, for programs that end at once."""
    return time.time_ns() // 1_000
