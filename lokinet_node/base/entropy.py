"""The random source of a sans-IO room, under the name by which rooms ask for it."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

Entropy: TypeAlias = Callable[[int], bytes]
"""n -> n unpredictable bytes: os.urandom in the process, a seeded source in tests only."""
