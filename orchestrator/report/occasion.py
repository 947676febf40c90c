"""Why a report is written, and about what: all that a command has to know of reports in advance.

Loaded at every start, so without what gathers and draws.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from orchestrator.backends import Backend
from orchestrator.definition import Definition
from orchestrator.directories import Places
from orchestrator.errors import Missing
from orchestrator.ops import Desired, Observed
from orchestrator.report.tried import TriedTest

__all__ = ["Occasion", "Subject"]


@dataclass(frozen=True, slots=True)
class Occasion:
    """Why a report is written."""

    what: str
    """`testnet wait`."""
    error: str = ""
    """What it said."""
    missing: Sequence[Missing] = ()
    tests: Sequence[TriedTest] = ()
    """All of them, also those that held."""


@dataclass(frozen=True, slots=True)
class Subject:
    """A network, as far as the caller knows it."""

    places: Places
    backend: Backend
    condition: str
    definition: Definition | None
    """None where nobody ever brought it up to its end."""
    desired: Desired | None
    kernel_states: Callable[[Observed], Mapping[tuple[str, str], str]]
    """What the kernel says of programs, by (node, program), where that is worth telling."""
