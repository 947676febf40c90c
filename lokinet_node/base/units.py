"""Units of time: every instant and duration inside the node is an integer of microseconds."""

from __future__ import annotations

from typing import TypeAlias

Micros: TypeAlias = int
"""Microseconds; instants (`now`) count from the Unix epoch and never go back: decision 0001."""

MILLISECOND: Micros = 1_000
SECOND: Micros = 1_000_000
MINUTE: Micros = 60 * SECOND
HOUR: Micros = 60 * MINUTE
