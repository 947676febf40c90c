"""The ini grammar: what is an entry, what is a problem, and where."""

from __future__ import annotations

import pytest

from lokinet_node.node.ini import Source, parse_ini


def test_entries_keep_order_and_place() -> None:
    text = "; note\r\n[dns]\r\n# note\nbind = 127.0.0.1:53 \rupstream=\n[api]\nbind=ipc://a=b;c\n"
    entries, sections, problems = parse_ini([Source("a.ini", text)])
    assert problems == []
    assert [(one.name, str(one.place)) for one in sections] == [
        ("dns", "a.ini:2"),
        ("api", "a.ini:6"),
    ]
    assert [(e.section, e.key, e.value, str(e.place)) for e in entries] == [
        ("dns", "bind", "127.0.0.1:53", "a.ini:4"),
        ("dns", "upstream", "", "a.ini:5"),
        ("api", "bind", "ipc://a=b;c", "a.ini:7"),
    ]


def test_sources_are_added_one_after_the_other() -> None:
    entries, _, _ = parse_ini([Source("a", "[s]\nk=1\n"), Source("b", "[s]\nk=2\n")])
    assert [(e.value, str(e.place)) for e in entries] == [("1", "a:2"), ("2", "b:2")]


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("[s]\nnothing here\n", 2),
        ("k=v\n", 1),
        ("\n[s\n", 2),
        ("[]\n", 1),
        ("[s]\n=v\n", 2),
    ],
)
def test_other_lines_are_problems_with_their_number(text: str, line: int) -> None:
    _, _, problems = parse_ini([Source("a.ini", text)])
    assert [str(p.place) for p in problems] == [f"a.ini:{line}"]


def test_a_section_in_the_next_file_does_not_leak_from_the_last() -> None:
    entries, _, problems = parse_ini([Source("a", "[s]\n"), Source("b", "k=1\n")])
    assert entries == []
    assert str(problems[0]) == "b:1: k= stands before any [section]"


def test_entries_after_a_broken_section_are_not_blamed_on_another() -> None:
    entries, _, problems = parse_ini([Source("a", "[s]\n[t\nk=1\n")])
    assert entries == []
    assert len(problems) == 1
