"""Files of tokens: Lokinet's `auth-file`, without the file.

A line is a token, or a crypt(3) hash of one; what follows a `#` or `;` is a comment, spaces around
are nothing, and so are empty lines. Every line is compared, in constant time, whichever matches.
"""

from __future__ import annotations

import hmac
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable

_COMMENTS: Final = "#;"
_FAILED: Final = "*"
"""What crypt(3) gives for a setting it does not know begins so; no hash does."""


def lines(text: str) -> list[str]:
    """The entries of a file."""
    found = []
    for line in text.splitlines():
        for mark in _COMMENTS:
            line = line.partition(mark)[0]
        if line.strip():
            found.append(line.strip())
    return found


def find_token(entries: list[str], token: str) -> str | None:
    """The entry that is the token."""
    given = token.encode()
    found = None
    for entry in entries:
        if hmac.compare_digest(entry.encode(), given):
            found = entry
    return found


def find_hash(entries: list[str], token: str, crypt: Callable[[str, str], str]) -> str | None:
    """The entry that is a hash of the token; `crypt` takes token and setting."""
    found = None
    for entry in entries:
        if not entry.startswith(_FAILED) and hmac.compare_digest(
            crypt(token, entry).encode(), entry.encode()
        ):
            found = entry
    return found
