"""What is said about a machine: one finding for each thing that was looked at.

`fatal` carries the command that mends it, `degraded` what is done instead.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

__all__ = ["Finding", "Machine", "Verdict", "degraded", "fatal", "ok"]


class Verdict(StrEnum):
    """How much it matters."""

    OK = "ok"
    DEGRADED = "degraded"
    """It works, less well."""
    FATAL = "fatal"
    """It cannot work."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at."""

    subject: str
    verdict: Verdict
    seen: str
    instead: str = ""
    """What happens because of it; of `degraded`."""
    fix: str = ""
    """A command, or a few words where no command can."""

    @property
    def message(self) -> str:
        """In one line, for who asked for something else than a list of findings."""
        return f"{self.seen}: {self.fix}" if self.fix else self.seen


def ok(subject: str, seen: str) -> Finding:
    """Nothing to do."""
    return Finding(subject, Verdict.OK, seen)


def degraded(subject: str, seen: str, instead: str, fix: str = "") -> Finding:
    """It will do; `fix` makes it better."""
    return Finding(subject, Verdict.DEGRADED, seen, instead, fix)


def fatal(subject: str, seen: str, fix: str) -> Finding:
    """Nothing can be done before the fix."""
    return Finding(subject, Verdict.FATAL, seen, fix=fix)


@dataclass(frozen=True, slots=True)
class Machine:
    """Where the kernel's files are: tests put theirs elsewhere."""

    root: Path = Path("/")

    def text(self, path: str) -> str | None:
        """A small file without its last newline; None if it cannot be read."""
        try:
            return (self.root / path).read_text(encoding="ascii", errors="replace").strip()
        except OSError:
            return None

    def number(self, path: str) -> int | None:
        """The first number of a setting; None where there is no such setting."""
        words = (self.text(path) or "").split()
        return int(words[0]) if words and words[0].isdigit() else None
