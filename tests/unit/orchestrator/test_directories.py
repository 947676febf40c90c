"""Directories are private, remembered, and gone afterwards."""

from __future__ import annotations

import re
import socket
from pathlib import Path

import pytest

from orchestrator.directories import Places
from orchestrator.errors import HostUnfit, Leftovers


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A short home: pytest's own directories may be longer than a socket path can be."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "s" / "deep"))
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path / "r"))
    monkeypatch.setattr("orchestrator.directories.LONGEST_SOCKET_PATH", 4096)
    return tmp_path


NUMBER = "0123456789abcdef"


def remove(places: Places) -> None:
    places.remove(NUMBER)
    places.remove_empty_roots()


def test_directories_are_private_and_removed_with_every_parent_made_for_them(home: Path) -> None:
    places = Places.of("net")
    places.create(NUMBER)
    for directory in (places.state, places.run):
        assert directory.stat().st_mode & 0o777 == 0o700
        assert (directory / "network-id").stat().st_mode & 0o777 == 0o600
    (places.node("a")).mkdir(parents=True)
    remove(places)
    assert list(home.iterdir()) == []
    assert places.leftovers() == []


def test_parents_that_were_there_before_or_hold_more_stay(home: Path) -> None:
    (home / "s").mkdir()
    one, two = Places.of("one"), Places.of("two")
    one.create(NUMBER)
    two.create(NUMBER)
    remove(one)
    assert two.leftovers() == [two.state, two.run]
    remove(two)
    assert list(home.iterdir()) == [home / "s"]


def test_creating_twice_keeps_the_memory_of_what_was_made(home: Path) -> None:
    Places.of("net").create(NUMBER)
    Places.of("net").create(NUMBER)
    remove(Places.of("net"))
    assert list(home.iterdir()) == []


def test_a_link_in_the_place_of_a_directory_is_not_followed(home: Path) -> None:
    places = Places.of("net")
    places.create(NUMBER)
    target = home / "elsewhere"
    places.run.rename(target)
    places.run.symlink_to(target)
    places.remove(NUMBER)
    assert (target / "network-id").is_file()
    assert places.leftovers() == [places.run]


@pytest.mark.parametrize("label", [None, "fedcba9876543210"])
def test_a_directory_without_the_networks_own_label_is_not_touched(
    home: Path, label: str | None
) -> None:
    places = Places.of("net")
    places.state.mkdir(parents=True)
    (places.state / "precious").write_text("not yours")
    if label:
        (places.state / "network-id").write_text(label)
    places.remove(NUMBER)
    assert (places.state / "precious").read_text() == "not yours"
    with pytest.raises(Leftovers, match="is in the way and not ours"):
        places.create(NUMBER)


def test_a_removal_that_is_interrupted_leaves_the_label_for_the_next(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    places = Places.of("net")
    places.create(NUMBER)
    places.node("a").mkdir(parents=True)

    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("shutil.rmtree", interrupted)
        with pytest.raises(KeyboardInterrupt):
            places.remove(NUMBER)
    assert (places.state / "network-id").read_text() == NUMBER
    remove(places)
    assert list(home.iterdir()) == []


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
        Places.of("net").create(NUMBER)
