"""The scratch network: what is started is ended, what is made is removed, failures have reasons."""

from __future__ import annotations

import shutil
import signal
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from benchmarks.figures import BenchmarkFailed
from benchmarks.network import NAME, NotRemoved, scratch_network, wait_for_line


@pytest.fixture
def scratch(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Where scratch directories are made; a short path, as sockets lie in it."""
    with tempfile.TemporaryDirectory() as directory:
        monkeypatch.setattr(tempfile, "tempdir", directory)
        yield Path(directory)


def test_without_a_network_a_command_fails_with_what_testnet_said(scratch: Path) -> None:
    with scratch_network() as found:
        with pytest.raises(BenchmarkFailed, match=r"^testnet exec alice -- true: .*not up"):
            found.run("alice", "true")
        with pytest.raises(BenchmarkFailed, match=r"^testnet ps --json: .*not up"):
            found.programs()
        assert len(list(scratch.iterdir())) == 1
    assert list(scratch.iterdir()) == []


def test_an_interrupt_leaves_no_scratch_directory_and_the_handlers_as_they_were(
    scratch: Path,
) -> None:
    before = signal.getsignal(signal.SIGINT)

    def interrupted() -> None:
        with scratch_network():
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert list(scratch.iterdir()) == []
    assert signal.getsignal(signal.SIGINT) is before


def test_a_network_that_cannot_be_removed_stays_and_says_how_to(
    scratch: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "executable", shutil.which("false"))

    def left() -> None:
        with scratch_network():
            pass

    with pytest.raises(NotRemoved) as error:
        left()
    (directory,) = scratch.iterdir()
    assert f"XDG_STATE_HOME={directory}/" in str(error.value)
    assert f"XDG_RUNTIME_DIR={directory}/" in str(error.value)
    assert str(error.value).endswith(f"testnet down --name {NAME}")


def test_a_command_that_does_not_end_is_ended(
    scratch: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    asleep = tmp_path / "asleep"
    asleep.write_text("#!/bin/sh\n[ $3 = down ] || exec sleep 600\n")
    asleep.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(asleep))
    with scratch_network() as found, pytest.raises(BenchmarkFailed, match="did not end within 0 s"):
        found.run("alice", "true", limit=0.1)
    assert list(scratch.iterdir()) == []


def test_a_program_that_ends_without_the_line_waited_for_fails(tmp_path: Path) -> None:
    file = tmp_path / "lines"
    file.write_text("one\nlistening\nbind: no such address\n")
    with file.open("rb") as lines:
        wait_for_line(lines, "listening")
        with pytest.raises(BenchmarkFailed, match="'ready': bind: no such address"):
            wait_for_line(lines, "ready")
