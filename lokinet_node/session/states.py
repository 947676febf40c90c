"""The states of a session.

Connecting   dialling, or dialled and not sure yet that the caller has the keys
Established  both have the keys; a dial may be under way for fresh ones
Closed       forgotten; nobody holds it any more
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from lokinet_node.base.units import Micros


@dataclass(frozen=True, slots=True)
class Connecting:
    """No keys that both are known to have."""

    since: Micros


@dataclass(frozen=True, slots=True)
class Established:
    """Keys that both have."""

    since: Micros


@dataclass(frozen=True, slots=True)
class Closed:
    """Forgotten."""

    reason: str


State: TypeAlias = Connecting | Established | Closed
