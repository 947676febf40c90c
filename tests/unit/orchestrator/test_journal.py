"""A journal says whose it is before anything is made, and is believed only where it says so."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from orchestrator.definition import Definition, forget, is_promised, keep, kept
from orchestrator.directories import Places
from orchestrator.errors import CheckFailed, Leftovers
from orchestrator.homes import Home
from orchestrator.journal import Journal, read_entries, read_owner


@pytest.fixture
def places(tmp_path: Path) -> Places:
    (tmp_path / "s").mkdir()
    return Places("net", tmp_path / "s" / "net", tmp_path / "r" / "net")


def test_the_first_line_names_network_user_and_directories(places: Places) -> None:
    journal = Journal.open(places)
    assert places.journal.stat().st_mode & 0o777 == 0o600
    assert journal.owner.places() == places
    assert len(journal.owner.network_id) == 16
    assert read_owner(places.journal) == journal.owner


def test_opening_again_goes_on_with_the_same_number(places: Places) -> None:
    first = Journal.open(places)
    first.begin("CreateNode node:a", "not found")
    assert Journal.open(places).owner == first.owner
    assert [entry.get("begin") for entry in read_entries(places.journal)] == [
        None,
        "CreateNode node:a",
    ]


def test_a_line_that_was_never_finished_spoils_no_other(places: Places) -> None:
    journal = Journal.open(places)
    with places.journal.open("a") as file:
        file.write('{"begin": "Create')
    journal.begin("CreateNode node:b")
    assert [entry.get("begin") for entry in read_entries(places.journal)] == [
        None,
        "CreateNode node:b",
    ]


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("format", "another"),
        ("network", "other"),
        ("user", 4711),
        ("id", ""),
        ("run", "/run/other"),
    ],
)
def test_a_journal_that_does_not_name_itself_is_not_ours(
    places: Places, key: str, value: object
) -> None:
    Journal.open(places)
    entry = json.loads(places.journal.read_text())
    places.journal.write_text(json.dumps({**entry, key: value}) + "\n")
    assert read_owner(places.journal) is None
    with pytest.raises(Leftovers, match="no journal of ours"):
        Journal.open(places)


def test_a_copy_under_another_name_is_not_ours(places: Places) -> None:
    Journal.open(places)
    copy = places.journal.with_name("copy.journal")
    copy.write_bytes(places.journal.read_bytes())
    link = places.journal.with_name("link.journal")
    link.symlink_to(places.journal)
    assert read_owner(copy) is None
    assert read_owner(link) is None


@pytest.mark.parametrize("content", [b"", b"\xff\n", b"[]\n", b"{}\n", b"not yours"])
def test_whatever_else_has_the_name_is_not_ours_and_raises_nothing(
    places: Places, content: bytes
) -> None:
    places.journal.write_bytes(content)
    assert read_owner(places.journal) is None


def test_a_promise_is_kept_whole_and_can_be_taken_back(places: Places) -> None:
    places.state.mkdir()
    definition = Definition("name: n\n", "/t.yaml", {"router": 9})
    assert not is_promised(places)
    keep(places, definition)
    assert places.definition.stat().st_mode & 0o777 == 0o600
    assert (is_promised(places), kept(places)) == (True, definition)
    forget(places)
    assert not is_promised(places)
    with pytest.raises(CheckFailed, match="never brought up to its end"):
        kept(places)


def test_a_network_stays_where_it_was_begun(places: Places) -> None:
    first = Journal.open(places, Home("docker", "10.78.0.0/16"))
    assert Journal.open(places, Home("netns")).owner == first.owner
    found = read_owner(places.journal)
    assert found is not None
    assert found.home == Home("docker", "10.78.0.0/16")


def test_a_journal_of_an_unknown_backend_is_not_ours(places: Places) -> None:
    Journal.open(places)
    text = places.journal.read_text()
    places.journal.write_text(text.replace('"backend": "netns"', '"backend": "moon"'))
    assert read_owner(places.journal) is None
