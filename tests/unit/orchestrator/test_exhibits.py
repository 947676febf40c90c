"""Exhibits in a report: what is drawn, what goes into the page; nothing of them is markup."""

from __future__ import annotations

import json
import re
import xml.etree.ElementTree as ElementTree

import pytest

from orchestrator.checks.exhibits import series
from orchestrator.report.exhibits import LARGEST, shown_exhibits
from orchestrator.report.plots import COLUMNS, caption, plot
from orchestrator.report.series import MOST_LINES, read_series
from orchestrator.report.tried import TriedTest

PNG = b"\x89PNG\r\n\x1a\n"
HOSTILE = '"><script>alert(1)</script>\x1b[2J'


def markup(data: bytes) -> str:
    return ElementTree.tostring(plot(read_series(data)), encoding="unicode")


def curves(data: bytes) -> list[list[tuple[float, float]]]:
    return [
        [tuple(map(float, pair.split(","))) for pair in line.split()]  # type: ignore[misc]
        for line in re.findall(r' points="([^"]*)"', markup(data))
    ]


def test_what_checks_write_is_what_reports_read() -> None:
    found = read_series(series("delay", "s", "ms", {"a → b": [(0.02, 3.0), (0.01, 2.0)]}))
    assert (found.title, found.x, found.y) == ("delay", "s", "ms")
    assert [(line.name, line.points) for line in found.lines] == [
        ("a → b", ((0.01, 2.0), (0.02, 3.0)))
    ]


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"\xff", "no JSON"),
        (b"[" * 100_000, "no JSON"),
        (b"[]", "no object with `series`"),
        (b'{"series": []}', "no object with `series`"),
        (b'{"series": {}}', "no point in it"),
        (b'{"series": {"a": []}}', "no point in it"),
        (b'{"series": {"a": {"x": 1}}}', "a: no list of points"),
        (b'{"series": {"a": [[1]]}}', "a: a point that is no pair of numbers"),
        (b'{"series": {"a": [[1, "2"]]}}', "a: a point that is no pair of numbers"),
        (b'{"series": {"a": [[1, NaN]]}}', "a: a number that cannot be drawn"),
        (b'{"series": {"a": [[1, 1e400]]}}', "a: a number that cannot be drawn"),
        (b'{"series": {"a": [[1, 1' + b"0" * 400 + b"]]}}", "a: a number too large to draw"),
        (json.dumps({"series": {str(n): [[0, 0]] for n in range(13)}}).encode(), "13 lines"),
        (json.dumps({"series": {"a": [[0, 0]] * 200_001}}).encode(), "more than 200000 points"),
    ],
)
def test_what_cannot_be_drawn_is_told_of(data: bytes, why: str) -> None:
    with pytest.raises(ValueError, match=re.escape(why)):
        read_series(data)
    test = TriedTest("t", True, "e", "s", 1.0, 1.0, exhibits={"a.series.json": data})
    (exhibit,) = shown_exhibits([test])[0].shown
    assert exhibit.plot == ""
    assert exhibit.note.startswith("cannot be drawn: ")


def test_a_plot_stays_within_its_picture_and_its_ends_are_the_datas() -> None:
    for points in ([(0.0, 0.0), (9.0, 90.0)], [(-5.0, -3.0), (5.0, 3.0)], [(2.0, 5.0), (2.0, 5.0)]):
        ((first, last),) = curves(series("t", "s", "ms", {"a": points}))
        for x, y in (first, last):
            assert 62 <= x <= 626
            assert 26 <= y <= 240
    ((low, high),) = curves(series("t", "s", "ms", {"a": [(0, 0), (9, 90)]}))
    assert (low, high) == ((62.0, 240.0), (626.0, 26.0))
    ticks = re.findall(r"middle\">([^<]*)<", markup(series("t", "s", "m", {"a": [(0, 0), (9, 1)]})))
    assert ticks == ["0", "2", "4", "6", "8"]
    assert "<circle" in markup(series("t", "s", "ms", {"a": [(1, 1)]}))


def test_a_spike_among_many_points_is_drawn() -> None:
    points = [(float(n), 1.0) for n in range(100_000)]
    points[54_321] = (54_321.0, 500.0)
    (line,) = curves(series("delay", "s", "ms", {"a": points}))
    assert len(line) == 2 * COLUMNS
    assert min(y for _, y in line) == 26.0
    ((_, name, numbers),) = caption(read_series(series("", "s", "ms", {"a": points})))
    assert (name, numbers) == ("a", "100000 points, median 1, p95 1, most 500 ms")


def test_lines_can_be_told_apart() -> None:
    names = [f"line {number}" for number in range(MOST_LINES)]
    drawn = markup(series("t", "s", "ms", {name: [(0, 0), (1, 1)] for name in names}))
    looks = re.findall(r'stroke="(#\w+)"[^>]*?(?: stroke-dasharray="([^"]*)")?>', drawn)
    assert len(set(looks)) == MOST_LINES
    assert all(f"<title>{name}</title>" in drawn for name in names)


def test_pictures_and_sounds_go_into_the_page_by_what_they_are() -> None:
    exhibits = {
        "bob.png": PNG + b"x",
        "heard.wav": b"RIFFxxxxWAVE",
        "not.png": b"<svg onload=alert(1)>",
        "huge.png": PNG + bytes(LARGEST),
    }
    (found,) = shown_exhibits([TriedTest("t", True, "e", "s", 1.0, 1.0, exhibits=exhibits)])
    shown = {exhibit.path.rpartition("/")[2]: exhibit for exhibit in found.shown}
    assert shown["bob.png"].picture == "data:image/png;base64,iVBORw0KGgp4"
    assert shown["heard.wav"].sound.startswith("data:audio/wav;base64,")
    assert (shown["not.png"].picture, shown["not.png"].sound) == ("", "")
    assert shown["huge.png"].note == "too large for the page"
    many = [
        TriedTest("t", True, "e", "s", 1.0, 1.0, exhibits={"a.png": PNG + bytes(LARGEST - 8)})
        for _ in range(7)
    ]
    assert [bool(each.shown[0].picture) for each in shown_exhibits(many)] == [True] * 5 + [
        False
    ] * 2


def test_texts_in_series_are_no_markup() -> None:
    data = json.dumps(
        {"title": HOSTILE, "x": HOSTILE, "y": [HOSTILE], "series": {HOSTILE: [[0, 0], [1, 1]]}}
    ).encode()
    drawn = markup(data)
    assert "<script" not in drawn
    assert "\x1b" not in drawn
    assert drawn.count("&lt;script&gt;") == 4
