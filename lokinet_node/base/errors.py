"""The tree of errors: one class per door, so that a catcher knows whose fault it was.

Rules: a decoder of bytes from outside raises only WireError; the data plane raises nothing
and counts instead; OperatorError texts name the place and say what to do next.
"""

from __future__ import annotations


class LokinetError(Exception):
    """Anything this program raises on purpose."""


class WireError(LokinetError):
    """Bytes from outside the process do not have the shape they should have."""


class LocalProtocolError(LokinetError):
    """We used a room in a way its rules forbid: a bug of ours, never a peer's doing."""


class RemoteProtocolError(LokinetError):
    """The peer broke the protocol; `code` is the number that goes into the close message."""

    def __init__(self, code: int, reason: str) -> None:
        """Keep the wire's own code beside the sentence for people."""
        super().__init__(f"{reason} (code {code})")
        self.code = code
        self.reason = reason


class OperatorError(LokinetError):
    """Configuration, key file or privilege: only the person who runs the node can mend it."""


class NameSyntaxError(LokinetError):
    """A text is not a well-formed `.loki` or `.snode` name or IPv4 address."""
