"""Exhibits as parts of the page: series are plotted, pictures and sounds go in as they are.

Rules: what an exhibit is, its first bytes say, not its name; a picture or a sound that is too large
for the page lies beside it, as all exhibits do. Nothing of an exhibit becomes markup.
"""

from __future__ import annotations

import base64
import xml.etree.ElementTree as ElementTree
from collections.abc import Sequence
from dataclasses import dataclass

from orchestrator.report.plots import caption, plot
from orchestrator.report.series import ENDING, read_series
from orchestrator.report.tried import TriedTest, place_of

__all__ = ["Exhibit", "TestExhibits", "plotted", "shown_exhibits"]

PICTURES = {b"\x89PNG\r\n\x1a\n": "image/png", b"\xff\xd8\xff": "image/jpeg"}
SOUNDS = {b"RIFF": "audio/wav", b"OggS": "audio/ogg"}
LARGEST = 3 << 20
"""Bytes of a picture or sound within the page."""
LARGEST_OF_ALL = 16 << 20


@dataclass(frozen=True, slots=True)
class Exhibit:
    """One file, in the form the page shows."""

    path: str
    """Within the folder."""
    size: int
    plot: str = ""
    """A drawing as markup, made by our own serialiser."""
    caption: Sequence[tuple[str, str, str]] = ()
    """Of a drawing: colour, name and numbers of each line."""
    picture: str = ""
    sound: str = ""
    """As `data:` URIs."""
    note: str = ""
    """Why it is not shown."""


@dataclass(frozen=True, slots=True)
class TestExhibits:
    """Those of one test."""

    __test__ = False  # not for pytest

    title: str
    round: int
    outcome: str
    shown: tuple[Exhibit, ...]


def shown_exhibits(tests: Sequence[TriedTest]) -> list[TestExhibits]:
    """Of each test that has some; what comes first has the room in the page."""
    room = LARGEST_OF_ALL
    found = []
    for number, test in enumerate(tests, 1):
        shown = []
        for name, data in sorted(test.exhibits.items()):
            each = _shown(f"{place_of(number, test)}/{name}", data, min(room, LARGEST))
            room -= len(data) if each.picture or each.sound else 0
            shown.append(each)
        if shown:
            found.append(TestExhibits(test.title, test.round, test.outcome, tuple(shown)))
    return found


def _shown(path: str, data: bytes, room: int) -> Exhibit:
    if path.endswith(ENDING):
        return plotted(path, data)
    picture, sound = _kind(data, PICTURES), _kind(data, SOUNDS)
    kind = picture or sound
    if not kind:
        return Exhibit(path, len(data))
    if len(data) > room:
        return Exhibit(path, len(data), note="too large for the page")
    uri = f"data:{kind};base64,{base64.b64encode(data).decode()}"
    return Exhibit(path, len(data), picture=uri) if picture else Exhibit(path, len(data), sound=uri)


def plotted(path: str, data: bytes) -> Exhibit:
    """A series as a drawing, or why there is none."""
    try:
        series = read_series(data)
    except ValueError as error:
        return Exhibit(path, len(data), note=f"cannot be drawn: {error}")
    drawn = ElementTree.tostring(plot(series), encoding="unicode", method="html")
    return Exhibit(path, len(data), plot=drawn, caption=caption(series))


def _kind(data: bytes, kinds: dict[bytes, str]) -> str:
    return next((kind for head, kind in kinds.items() if data.startswith(head)), "")
