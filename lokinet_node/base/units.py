"""Units of time: every instant and duration inside the node is an integer of microseconds."""

from __future__ import annotations

from typing import TypeAlias

Micros: TypeAlias = int
"""Microseconds. Instants called `now` are monotonic; those called `wall` count from the epoch."""

MILLISECOND: Micros = 1_000
SECOND: Micros = 1_000_000
MINUTE: Micros = 60 * SECOND
HOUR: Micros = 60 * MINUTE
