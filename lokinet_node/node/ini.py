"""Lokinet's ini grammar: texts to flat lists of sections and entries that know where they stood.

    blank, `; text`, `# text`      ignored
    [section]                      the entries that follow belong to it
    key=value                      split at the first `=`, both sides trimmed

There are no inline comments and no continuation lines; anything else is a problem with its
file and line. The order of repeated keys is kept. Files beside the main one (`conf.d/*.ini`)
only add entries: they never override.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable

_LINE_ENDS = re.compile("\r\n|\r|\n")


class Source(NamedTuple):
    """One file: its path as messages shall show it, and its text."""

    path: str
    text: str


class Place(NamedTuple):
    """A line of a file; line 0 is the file as a whole."""

    path: str
    line: int

    def __str__(self) -> str:
        """`file:line`, or the file alone."""
        return f"{self.path}:{self.line}" if self.line else self.path


class Problem(NamedTuple):
    """Something a person must mend, and where."""

    place: Place
    message: str

    def __str__(self) -> str:
        """`file:line: message`."""
        return f"{self.place}: {self.message}"


@dataclass(frozen=True, slots=True)
class Entry:
    """One `key=value` line."""

    section: str
    key: str
    value: str
    place: Place


class Section(NamedTuple):
    """One `[section]` line, whether anything follows it or not."""

    name: str
    place: Place


class Parsed(NamedTuple):
    """What the lines of some files are."""

    entries: list[Entry]
    sections: list[Section]
    problems: list[Problem]


def parse_ini(sources: Iterable[Source]) -> Parsed:
    """Every entry and section of every source in order, and every line that is neither."""
    parsed = Parsed([], [], [])
    for source in sources:
        _parse_source(source, parsed)
    return parsed


def _parse_source(source: Source, parsed: Parsed) -> None:
    entries, sections, problems = parsed
    section: str | None = None
    text = source.text.removeprefix("\ufeff")
    for number, raw in enumerate(_LINE_ENDS.split(text), start=1):
        line = raw.strip()
        place = Place(source.path, number)
        if not line or line[0] in ";#":
            continue
        if line[0] == "[":
            section = line[1:-1].strip() if line[-1] == "]" else ""
            if section:
                sections.append(Section(section, place))
            else:
                problems.append(Problem(place, f"{line!r} is not a [section]"))
            continue
        key, equals, value = line.partition("=")
        key = key.strip()
        if not equals or not key:
            problems.append(Problem(place, f"{line!r} is neither [section] nor key=value"))
        elif section is None:
            problems.append(Problem(place, f"{key}= stands before any [section]"))
        elif section:
            entries.append(Entry(section, key, value.strip(), place))
