"""One command at a time, and no lock that outlives those who work under it."""

from __future__ import annotations

import multiprocessing
import os
import signal
import subprocess
from pathlib import Path

import pytest

from orchestrator.directories import Places
from orchestrator.errors import Leftovers
from orchestrator.locks import Locked, is_lock, is_locked, locked


@pytest.fixture
def places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Places:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "s"))
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path / "r"))
    monkeypatch.setattr("orchestrator.directories.LONGEST_SOCKET_PATH", 4096)
    return Places.of("net")


def _try_lock(places: Places, answers: multiprocessing.queues.SimpleQueue[str]) -> None:
    try:
        with locked(places):
            answers.put("locked")
    except Locked as error:
        answers.put(str(error))


def attempt(places: Places) -> str:
    """What another process is told."""
    context = multiprocessing.get_context("fork")
    answers = context.SimpleQueue()
    child = context.Process(target=_try_lock, args=(places, answers))
    child.start()
    child.join()
    answer: str = answers.get()
    return answer


def test_a_lock_keeps_others_out_and_leaves_no_file(places: Places, tmp_path: Path) -> None:
    with locked(places):
        assert is_locked(places)
        assert attempt(places).startswith("another testnet command is changing network 'net'")
    assert not is_locked(places)
    assert attempt(places) == "locked"
    assert list(tmp_path.iterdir()) == []


def test_a_lock_is_private_and_known_by_its_content(places: Places) -> None:
    with locked(places):
        assert places.lock.stat().st_mode & 0o777 == 0o600
        assert is_lock(places.lock)
    places.lock.parent.mkdir(parents=True)
    places.lock.write_text("")
    assert not is_lock(places.lock)


def test_a_file_of_somebody_else_is_no_lock_and_is_left_alone(places: Places) -> None:
    places.make_roots()
    places.lock.write_text("not yours")
    with pytest.raises(Leftovers, match=r"net\.lock is in the way"), locked(places):
        pass
    assert places.lock.read_text() == "not yours"


def _die_over_a_child(places: Places, until: int) -> None:
    with locked(places) as descriptor:
        subprocess.Popen(["cat"], stdin=until, pass_fds=[descriptor])
        os.kill(os.getpid(), signal.SIGKILL)


def test_a_child_that_inherited_the_lock_keeps_it_when_its_parent_is_killed(
    places: Places,
) -> None:
    reader, writer = os.pipe()
    parent = multiprocessing.get_context("fork").Process(
        target=_die_over_a_child, args=(places, reader)
    )
    parent.start()
    parent.join()
    os.close(reader)
    assert is_locked(places)
    assert attempt(places).startswith("another testnet command")
    os.close(writer)
    with locked(places, patience_s=10):
        pass
