"""Jobs among the machine's processes, and what is read of their folders."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from orchestrator.directories import Places
from orchestrator.errors import CheckFailed
from orchestrator.traffic import jobs
from orchestrator.traffic.jobs import end_all, end_job, find_jobs, folder_of, start, wait_for
from orchestrator.traffic.loads import VoipLoad, record_of

NUMBER = "f00dfeed"
LOAD = VoipLoad(1, ("alice",), ("web",), None)
PAUSE = "import signal; print(flush=True); signal.pause()"
DEAF = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); print(flush=True)\n" + (
    "while True: signal.pause()"
)


@pytest.fixture
def places(tmp_path: Path) -> Places:
    found = Places("net", tmp_path / "state", tmp_path / "run")
    folder_of(found).mkdir(parents=True)
    return found


def written(places: Places, name: str, began: float = 1.0) -> Path:
    folder = folder_of(places) / name
    folder.mkdir()
    (folder / "load.json").write_text(json.dumps({**record_of(LOAD), "began": began}))
    (folder / "log").write_text("Traceback\nValueError: a fault\n\n")
    return folder


@contextmanager
def process(name: str, number: str = NUMBER, code: str = PAUSE) -> Iterator[subprocess.Popen[str]]:
    """One whose command line is a job's."""
    options = ["orchestrator.traffic", "--network-id", number, "--job", name, "--name", "net"]
    made = subprocess.Popen([sys.executable, "-c", code, *options], stdout=-1, text=True)
    assert made.stdout is not None
    with made.stdout:
        try:
            made.stdout.readline()  # it has come so far
            yield made
        finally:
            made.kill()
            made.wait()


def test_jobs_are_found_with_their_figures_the_oldest_first(places: Places) -> None:
    folder = written(places, "voip-1", began=7.0)
    written(places, "voip-2", began=5.0)
    data = {"seconds": 3.5, "ended": "", "figures": {"sent": 4}, "charts": [{"title": "loss"}]}
    (folder / "figures.json").write_text(json.dumps(data))
    with process("voip-1") as running, process("voip-2", "another"):
        found = find_jobs(places, NUMBER)
    assert [(job.name, job.pid, job.ended) for job in found] == [
        ("voip-2", None, "it died: ValueError: a fault"),
        ("voip-1", running.pid, ""),
    ]
    assert (found[1].load, found[1].seconds, found[1].figures) == (LOAD, 3.5, {"sent": 4})
    assert (found[1].charts, found[1].state) == ([{"title": "loss"}], "running for 3.50 s")


def test_what_is_just_being_written_is_no_job_yet(places: Places) -> None:
    (folder_of(places) / "voip-1").mkdir()
    assert find_jobs(places, NUMBER) == []


def test_all_jobs_of_a_network_end_and_no_others() -> None:
    with process("voip-1") as one, process("http-2") as two, process("voip-1", "another") as other:
        assert end_all(NUMBER) == 2
        assert (one.wait(), two.wait()) == (-signal.SIGTERM, -signal.SIGTERM)
        assert other.poll() is None


def test_who_does_not_listen_is_killed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jobs, "POLITE_S", 0.05)
    with process("voip-1", code=DEAF) as deaf:
        end_job(NUMBER, "voip-1", deaf.pid)
        assert deaf.wait() == -signal.SIGKILL


def test_a_number_that_is_somebody_elses_by_now_is_left_alone() -> None:
    with process("voip-1", "another") as stranger:
        end_job(NUMBER, "voip-1", stranger.pid)
        wait_for(NUMBER, "voip-1", stranger.pid)
        assert stranger.poll() is None


def test_what_cannot_begin_says_why_and_leaves_nothing(places: Places) -> None:
    with pytest.raises(CheckFailed, match="network 'net' is not up"):
        start(places, NUMBER, LOAD)
    assert list(folder_of(places).iterdir()) == []
