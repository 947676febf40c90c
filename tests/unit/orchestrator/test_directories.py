"""Directories are private, remembered, and gone afterwards."""

from __future__ import annotations

import multiprocessing
import re
import socket
from pathlib import Path

import pytest

from orchestrator.directories import Places, locked, network_names
from orchestrator.errors import HostUnfit, OperatorError


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A short home: pytest's own directories may be longer than a socket path can be."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "s" / "deep"))
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path / "r"))
    monkeypatch.setattr("orchestrator.directories.LONGEST_SOCKET_PATH", 4096)
    return tmp_path


def test_directories_are_private_and_removed_with_every_parent_made_for_them(home: Path) -> None:
    places = Places.of("net")
    places.create()
    assert (places.state.stat().st_mode & 0o777, places.run.stat().st_mode & 0o777) == (
        0o700,
        0o700,
    )
    (places.node("a")).mkdir(parents=True)
    places.remove()
    assert list(home.iterdir()) == []
    assert places.leftovers() == []


def test_parents_that_were_there_before_or_hold_more_stay(home: Path) -> None:
    (home / "s").mkdir()
    one, two = Places.of("one"), Places.of("two")
    one.create()
    two.create()
    assert network_names() == ["one", "two"]
    one.remove()
    assert two.leftovers() == [two.state, two.run]
    two.remove()
    assert list(home.iterdir()) == [home / "s"]


def test_creating_twice_keeps_the_memory_of_what_was_made(home: Path) -> None:
    Places.of("net").create()
    Places.of("net").create()
    Places.of("net").remove()
    assert list(home.iterdir()) == []


def test_a_link_in_the_place_of_a_directory_is_not_followed(home: Path) -> None:
    places = Places.of("net")
    places.create()
    places.run.rmdir()
    target = home / "elsewhere"
    target.mkdir()
    places.run.symlink_to(target)
    with pytest.raises(OperatorError, match="symbolic link"):
        places.remove()
    assert target.is_dir()


@pytest.mark.parametrize("name", ["n", "n" * 31])
@pytest.mark.parametrize("letter", ["x", "é"])  # a path is counted in bytes
def test_the_longest_directory_the_message_allows_has_room_for_the_longest_node_name(
    name: str, letter: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", "/" + letter * 100)
    with pytest.raises(HostUnfit, match=r"XDG_RUNTIME_DIR=.* is too long") as caught:
        Places.of(name)
    found = re.search(r"at most (\d+) bytes, or unset it", str(caught.value))
    assert found is not None
    most = int(found[1])
    monkeypatch.setenv("XDG_RUNTIME_DIR", "/" + "x" * (most - 1))
    with socket.socket(socket.AF_UNIX) as probe, pytest.raises(FileNotFoundError):
        probe.connect(str(Places.of(name).control("n" * 31)))  # not there, but not refused
    monkeypatch.setenv("XDG_RUNTIME_DIR", "/" + "x" * most)
    with pytest.raises(HostUnfit):
        Places.of(name)


@pytest.mark.parametrize("user", [0, 2**32 - 2])
def test_without_the_variable_every_name_has_room(
    user: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("XDG_RUNTIME_DIR", raising=False)
    monkeypatch.setattr("os.geteuid", lambda: user)
    assert Places.of("n" * 31).run.is_absolute()


def test_a_directory_that_cannot_be_made_names_the_variables(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", "/proc/nowhere")
    with pytest.raises(HostUnfit, match=r"cannot make /proc/nowhere: .* set XDG_STATE_HOME"):
        Places.of("net").create()


def _try_lock(places: Places, answers: multiprocessing.queues.SimpleQueue[str]) -> None:
    try:
        with locked(places):
            answers.put("locked")
    except OperatorError as error:
        answers.put(str(error))


def test_a_lock_keeps_others_out_and_leaves_no_file(home: Path) -> None:
    places = Places.of("net")
    context = multiprocessing.get_context("fork")
    for held, expected in ((True, "another testnet command"), (False, "locked")):
        answers = context.SimpleQueue()
        child = context.Process(target=_try_lock, args=(places, answers))
        if held:
            with locked(places):
                child.start()
                child.join()
        else:
            child.start()
            child.join()
        assert answers.get().startswith(expected)
    assert list(home.iterdir()) == []
