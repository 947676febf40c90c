"""No key, token or path id gets into a report: by value where it is known, by name otherwise.

Values are those of the network's key files and of the tokens in its topology. Names catch what
programs under test print of their own accord.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

__all__ = ["REMOVED", "Redactor", "key_values", "printable", "token_values"]

REMOVED = "[removed]"
SHORTEST = 4
"""Characters of a value that is looked for: shorter ones are found everywhere."""
NAMES = (
    r"path[_-]?id|tokens?|secret|passw(?:or)?d|psk|seed|private[_-]?key|secret[_-]?key"
    r"|auth[_-]?static|exit[_-]?auth|auth[_-]?codes?|authorization|cookie"
)
IN_TEXT = re.compile(rf"(?i)\b((?:{NAMES})[\"']?\s*[=:]\s*)(?:(?:bearer|basic)\s+)?[^\s,;}}\]]+")
OF_MURMURD = re.compile(r"(Password for '[^']*' set to ')[^']*")
"""It prints the password that it chose for its administrator."""
AS_NAME = re.compile(rf"(?i)(?:{NAMES})")
HEX = re.compile(rb"[0-9a-fA-F]{32,}")
BENCODED = re.compile(rb"(32|64):")
LONGEST_LINE = 1000
LARGEST_KEY_FILE = 1 << 16


class Redactor:
    """Knows the secrets of one network."""

    def __init__(self, values: Iterable[str]) -> None:
        """Longest first, so that a part of one does not spoil the whole."""
        self._values = sorted({each for each in values if len(each) >= SHORTEST}, key=len)[::-1]

    def text(self, text: str) -> str:
        """The same without secrets."""
        for value in self._values:
            text = text.replace(value, REMOVED)
        return OF_MURMURD.sub(rf"\1{REMOVED}", IN_TEXT.sub(rf"\1{REMOVED}", text))

    def data(self, value: Any) -> Any:
        """The same of anything JSON can say, keys included."""
        if isinstance(value, dict):
            return {
                self.text(str(key)): REMOVED
                if AS_NAME.fullmatch(str(key)) and entry
                else self.data(entry)
                for key, entry in value.items()
            }
        if isinstance(value, list | tuple):
            return [self.data(entry) for entry in value]
        return self.text(value) if isinstance(value, str) else value


def printable(line: str) -> str:
    """No escape sequence, no invisible mark, no line without end: programs under test wrote it."""
    shown = "".join(char if char.isprintable() or char == "\t" else "�" for char in line)
    return shown if len(shown) <= LONGEST_LINE else f"{shown[:LONGEST_LINE]}…"


def key_values(state: Path) -> Iterator[str]:
    """What key files of a network hold, in the forms in which somebody may print it."""
    for path in [*state.glob("nodes/*/*.key"), *state.glob("owners/*.key")]:
        try:
            with path.open("rb") as file:
                raw = file.read(LARGEST_KEY_FILE)
        except OSError:
            continue
        for found in HEX.findall(raw):
            yield found.decode()
            yield found.decode().lower()
        for part in {raw, *_halves(raw), *_halves(raw[-64:]), *_bencoded(raw)}:
            yield part.hex()
            yield base64.b64encode(part).decode()


def _bencoded(raw: bytes) -> Iterator[bytes]:
    """Strings of 32 or 64 bytes: seeds, and keys that are two numbers beside each other."""
    for found in BENCODED.finditer(raw):
        part = raw[found.end() : found.end() + int(found[1])]
        yield from (part, *_halves(part))


def _halves(part: bytes) -> tuple[bytes, bytes]:
    return part[:32], part[32:64]


def token_values(value: Any) -> Iterator[str]:
    """What stands under names of secrets in a topology's data."""
    if isinstance(value, dict):
        for key, entry in value.items():
            if AS_NAME.fullmatch(str(key)):
                yield from _texts(entry)
            else:
                yield from token_values(entry)
    elif isinstance(value, list | tuple):
        for entry in value:
            yield from token_values(entry)


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, list | tuple):
        for entry in value:
            yield from _texts(entry)
