"""Entries of an ini file checked against the schema, and read out as typed values.

Rules: every problem is collected with its place, so that one run shows them all; a getter that
finds a problem answers with its default, so that reading goes on. Parsers are functions
from text to a value that raise NameSyntaxError with a sentence for people.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar

from lokinet_node.base.addresses import parse_ipv4
from lokinet_node.base.errors import NameSyntaxError
from lokinet_node.base.units import SECOND, Micros
from lokinet_node.node.config_schema import (
    CONNECT_SECTION,
    DEPRECATED_SECTIONS,
    SCHEMA,
    Key,
    Role,
    Support,
)
from lokinet_node.node.ini import Entry, Place, Problem, Section

if TYPE_CHECKING:
    from collections.abc import Iterable

T = TypeVar("T")
Parser = Callable[[str], T]

_TRUE = ("1", "true", "on", "yes")
_FALSE = ("0", "false", "off", "no")
_LONGEST = 100 * 365 * 24 * 3600
"""Seconds; an upper limit for durations, so that arithmetic stays in 64 bits."""


class Reader:
    """The accepted entries of one configuration, and what was wrong with the others."""

    def __init__(self, entries: Iterable[Entry], role: Role, main_file: str) -> None:
        """Sort entries into known, ignored and wrong; nothing is parsed yet."""
        self.role = role
        self.problems: list[Problem] = []
        self.warnings: list[Problem] = []
        self.connect: list[Entry] = []
        self._main = Place(main_file, 0)
        self._entries: dict[tuple[str, str], list[Entry]] = {}
        for entry in entries:
            self._accept(entry)

    def check_sections(self, sections: Iterable[Section]) -> None:
        """Report unknown ones where they begin, empty or not."""
        for name, place in sections:
            if name not in SCHEMA and name != CONNECT_SECTION and name not in DEPRECATED_SECTIONS:
                self._add(place, f"unknown section [{name}]{_hint(name, SCHEMA)}")

    def one(self, section: str, key: str, parse: Parser[T], default: T) -> T:
        """The parsed value of a key, or the default where it is missing or wrong."""
        entry = self.entry(section, key)
        return default if entry is None else self._parsed(entry, parse, default)

    def every(self, section: str, key: str, parse: Parser[T]) -> list[tuple[Entry, T]]:
        """The parsed values of a repeatable key in order, each with its entry."""
        found = []
        for entry in self._entries.get((section, key), ()):
            value = self._parsed(entry, parse, None)
            if value is not None:
                found.append((entry, value))
        return found

    def entry(self, section: str, key: str) -> Entry | None:
        """The entry of a single-valued key; None where it is missing."""
        found = self._entries.get((section, key))
        return found[0] if found else None

    def entries(self, section: str, key: str) -> list[Entry]:
        """The entries of one key, in order."""
        return list(self._entries.get((section, key), ()))

    def keys(self, section: str) -> list[str]:
        """The keys of a section that were given, in order."""
        return [key for name, key in self._entries if name == section]

    def report(self, section: str, key: str, message: str) -> None:
        """Add a problem at the key's line, or at the file where the key is missing."""
        entry = self.entry(section, key)
        place = entry.place if entry else self._main
        self._add(place, f"[{section}] {key}=: {message}")

    def report_at(self, entry: Entry, message: str) -> None:
        """Add a problem at one entry's line."""
        self._add(entry.place, f"[{entry.section}] {entry.key}=: {message}")

    def warn_at(self, entry: Entry, message: str) -> None:
        """Add a warning at one entry's line."""
        text = f"[{entry.section}] {entry.key}=: {message}"
        self.warnings.append(Problem(entry.place, text))

    def _add(self, place: Place, message: str) -> None:
        problem = Problem(place, message)
        if problem not in self.problems:  # a value may be asked for more than once
            self.problems.append(problem)

    def _parsed(self, entry: Entry, parse: Callable[[str], T], default: T) -> T:
        try:
            return parse(entry.value)
        except NameSyntaxError as error:
            self.report_at(entry, str(error))
            return default

    def _accept(self, entry: Entry) -> None:
        if entry.section == CONNECT_SECTION:
            self.connect.append(entry)
            return
        if entry.section in DEPRECATED_SECTIONS:
            self.warn_at(entry, "this section is deprecated and ignored")
            return
        keys = SCHEMA.get(entry.section)
        if keys is None:
            return  # check_sections says so, once
        entry = _modern(entry) if entry.section == "bind" else entry
        key = keys.get(entry.key)
        if key is None:
            self._refuse_unknown(entry, keys)
        elif self._is_wanted(entry, key):
            self._keep(entry, key)

    def _refuse_unknown(self, entry: Entry, keys: Iterable[str]) -> None:
        message = f"unknown key {entry.key!r} in [{entry.section}]{_hint(entry.key, keys)}"
        if entry.section == "bind" and entry.value.isdigit():
            message += "; interface names are not supported, write inbound=IP:PORT"
        self._add(entry.place, message)

    def _is_wanted(self, entry: Entry, key: Key) -> bool:
        """Whether the entry is to be kept; says why not where it is not."""
        if key.support is Support.REMOVED:
            self.report_at(entry, f"this key is gone: {key.meaning}")
        elif key.support is Support.REFUSED:
            self.report_at(entry, f"not supported: {key.meaning}")
        elif key.support is Support.DEPRECATED:
            self.warn_at(entry, "deprecated, ignored")
        elif key.only not in (None, self.role):
            self.warn_at(entry, f"means nothing to a {self.role.name.lower()}, ignored")
        elif key.support is Support.NO_EFFECT:
            self.warn_at(entry, f"has no effect: {key.meaning}")
        elif key.support is Support.NOT_YET and entry.value not in key.harmless:
            self.report_at(entry, f"not supported yet ({key.meaning})")
        else:
            return key.support is Support.FULL
        return False

    def _keep(self, entry: Entry, key: Key) -> None:
        found = self._entries.setdefault((entry.section, entry.key), [])
        if found and not key.repeated:
            self.report_at(entry, f"duplicate value, the first is at {found[0].place}")
        else:
            found.append(entry)


def boolean(text: str) -> bool:
    """Lokinet's eight spellings, lower case."""
    if text in _TRUE:
        return True
    if text in _FALSE:
        return False
    raise NameSyntaxError(f"{text!r} is not one of {' '.join(_TRUE + _FALSE)}")


def integer(low: int, high: int) -> Parser[int]:
    """A parser of decimal integers in low..high."""

    def parse(text: str) -> int:
        if not (text.isascii() and text.isdigit() and len(text) <= 10):
            raise NameSyntaxError(f"{text!r} is not a whole number")
        if not low <= int(text) <= high:
            raise NameSyntaxError(f"{text} is not between {low} and {high}")
        return int(text)

    return parse


def seconds(text: str) -> Micros:
    """A positive number of seconds, fractions allowed."""
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 1 / SECOND <= value <= _LONGEST:
        raise NameSyntaxError(f"{text!r} is not a positive number of seconds")
    return round(value * SECOND)


def plain(text: str) -> str:
    """Any text but none."""
    if not text:
        raise NameSyntaxError("the value is empty")
    return text


def limited(size: int) -> Parser[str]:
    """A parser of texts of at most `size` bytes in UTF-8."""

    def parse(text: str) -> str:
        if len(text.encode()) > size:
            raise NameSyntaxError(f"{text!r} is longer than {size} bytes")
        return text

    return parse


def choice(*words: str) -> Parser[str]:
    """A parser of one of a few words."""

    def parse(text: str) -> str:
        if text not in words:
            raise NameSyntaxError(f"{text!r} is not one of {', '.join(words)}")
        return text

    return parse


def _modern(entry: Entry) -> Entry:
    """Lokinet's old `[bind] IP=port` and `*=port` in today's words; others unchanged."""
    if entry.key == "*":
        return Entry(entry.section, "outbound", ":" + entry.value, entry.place)
    try:
        parse_ipv4(entry.key)
    except NameSyntaxError:
        return entry
    return Entry(entry.section, "inbound", f"{entry.key}:{entry.value}", entry.place)


def _hint(word: str, known: Iterable[str]) -> str:
    from difflib import get_close_matches  # here: only a mistake pays for the import

    close = get_close_matches(word, list(known), n=1)
    return f", did you mean {close[0]!r}?" if close else ""
