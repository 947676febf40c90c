"""The gate that nodes wait at: a lock on a file each of them sees."""

from __future__ import annotations

import fcntl
import os
import signal
from pathlib import Path

import pytest

from orchestrator.backends.docker_gate import GATE, Gate


def may_pass(gate: Path) -> bool:
    """As flock(1) asks in a container."""
    with gate.open("rb") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
    return True


@pytest.fixture
def shown(tmp_path: Path) -> Path:
    folder = tmp_path / "router.d"
    folder.mkdir()
    return folder


def test_who_comes_while_it_is_shut_waits_until_it_is_opened(tmp_path: Path, shown: Path) -> None:
    gate = Gate(tmp_path)
    gate.shut()
    Gate(tmp_path).show_in(shown)
    assert not may_pass(shown / GATE)
    gate.open()
    assert may_pass(shown / GATE)
    gate.open()


def test_the_end_of_who_shut_it_opens_it(tmp_path: Path, shown: Path) -> None:
    child = os.fork()
    if child == 0:
        Gate(tmp_path).shut()
        os.kill(os.getpid(), signal.SIGSTOP)
        os._exit(1)
    try:
        os.waitpid(child, os.WUNTRACED)
        Gate(tmp_path).show_in(shown)
        assert not may_pass(shown / GATE)
    finally:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
    assert may_pass(shown / GATE)


def test_a_network_without_a_gate_shows_none(tmp_path: Path, shown: Path) -> None:
    Gate(tmp_path).show_in(shown)
    assert list(shown.iterdir()) == []


def test_another_file_of_that_name_is_replaced_and_others_only_read_it(
    tmp_path: Path, shown: Path
) -> None:
    (shown / GATE).write_text("of a node")
    gate = Gate(tmp_path)
    gate.shut()
    gate.show_in(shown)
    assert (shown / GATE).samefile(tmp_path / GATE)
    assert (shown / GATE).stat().st_mode & 0o777 == 0o644
    gate.open()
