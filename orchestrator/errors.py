"""Every error a user of `testnet` can meet, and the exit code it ends with.

Rules: the message says what is wrong, where, and what to do; nothing below `cli/` prints or exits.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

__all__ = [
    "EXIT_CHECK_FAILED",
    "EXIT_INTERRUPTED",
    "EXIT_OK",
    "CheckFailed",
    "HostUnfit",
    "Leftovers",
    "Missing",
    "NotReady",
    "OperatorError",
    "UsageError",
]

EXIT_OK = 0
EXIT_CHECK_FAILED = 1
EXIT_INTERRUPTED = 130
"""128 + SIGINT, as shells count."""


class OperatorError(Exception):
    """A message for the person at the keyboard; `exit_code` is the command's."""

    exit_code = EXIT_CHECK_FAILED


class CheckFailed(OperatorError):
    """Something that was asked for did not hold: no such network, a page that did not come."""

    exit_code = EXIT_CHECK_FAILED


class UsageError(OperatorError):
    """A bad topology, key file or command line."""

    exit_code = 2


@dataclass(frozen=True, slots=True)
class Missing:
    """Who is not ready: a node, or two of them with an arrow between."""

    subject: str
    layer: str
    seen: str
    last_log_line: str


class NotReady(OperatorError):
    """The network did not become ready in time, or a node died on the way."""

    exit_code = 3

    def __init__(self, text: str, missing: Sequence[Missing] = ()) -> None:
        """The text for people, and the same for programs."""
        super().__init__(text)
        self.missing = tuple(missing)


class HostUnfit(OperatorError):
    """This machine cannot run the network; the message names the fix."""

    exit_code = 4


class Leftovers(OperatorError):
    """Something of ours survived `down`."""

    exit_code = 5
