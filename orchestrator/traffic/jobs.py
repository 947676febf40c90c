"""Jobs of a network: started, found among the machine's processes, ended, and what they wrote.

Rules: a job is a process whose command line has the network's number and the job's name; whether it
runs is asked of the processes, never of a file. What it is to do and its figures lie in a folder
below the network's state directory and go with it. Signals go through a pidfd.
"""

from __future__ import annotations

import json
import os
import re
import select
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from orchestrator.backends.keys import PACKAGE_ROOT
from orchestrator.directories import Places, write_private
from orchestrator.errors import CheckFailed, OperatorError
from orchestrator.traffic.loads import Load, load_of, record_of
from orchestrator.units import format_seconds
from orchestrator.worlds import LABEL_OPTION

__all__ = ["JOB_OPTION", "Job", "end_all", "end_job", "find_jobs", "folder_of", "start", "wait_for"]

MODULE = "orchestrator.traffic"
JOB_OPTION = "--job"
START_S = 60.0
"""An interpreter and its imports, a look at all nodes, a question to each caller's resolver."""
POLITE_S = 5.0
"""It ends in milliseconds; while it asks an engine for a socket, it may take that long."""
END_S = 5.0
NUMBERED = re.compile(r"[a-z]+-(\d+)")


@dataclass(frozen=True, slots=True)
class Job:
    """One that runs, or ran."""

    name: str
    load: Load
    began: float
    """Seconds since the epoch."""
    pid: int | None
    """None: it ended."""
    ended: str
    """Why; "" while it runs."""
    seconds: float
    """How long it had run when it last wrote its figures."""
    figures: dict[str, Any] = field(default_factory=dict)
    charts: list[dict[str, Any]] = field(default_factory=list)
    """Figures over time: `{"title": …, "x": "s", "y": "ms", "series": {name: [[x, y], …]}}`."""

    @property
    def state(self) -> str:
        """Whether it runs, and if not, why."""
        lasted = format_seconds(self.seconds)
        return f"ended after {lasted}: {self.ended}" if self.ended else f"running for {lasted}"


def folder_of(places: Places) -> Path:
    """Where a network's jobs have a folder each."""
    return places.state / "load"


def start(places: Places, network_id: str, load: Load) -> str:
    """Begin one and hear whether it could; its name. Raises CheckFailed with its own words."""
    folder = _new_folder(places, str(record_of(load)["kind"]))
    write_private(folder / "load.json", json.dumps({**record_of(load), "began": time.time()}))
    command = [sys.executable, "-P", "-m", MODULE, LABEL_OPTION, network_id]
    command += [JOB_OPTION, folder.name, "--name", places.name]
    log = os.open(folder / "log", os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=log,
            cwd="/",
            env={**os.environ, "PYTHONPATH": str(PACKAGE_ROOT)},
            start_new_session=True,
        )
    finally:
        os.close(log)
    try:
        _hear(process, folder)
    except BaseException:
        process.kill()
        process.wait()
        _remove(folder)
        raise
    return folder.name


def _new_folder(places: Places, kind: str) -> Path:
    """`http-3` after `http-2`; who is as quick gets the next."""
    folder_of(places).mkdir(mode=0o700, exist_ok=True)
    used = [int(found[1]) for name in _names(places) if (found := NUMBERED.fullmatch(name))]
    number = max(used, default=0) + 1
    while True:
        folder = folder_of(places) / f"{kind}-{number}"
        try:
            folder.mkdir(mode=0o700)
        except FileExistsError:
            number += 1
            continue
        return folder


def _remove(folder: Path) -> None:
    for path in folder.iterdir():
        path.unlink()
    folder.rmdir()


def _hear(process: subprocess.Popen[bytes], folder: Path) -> None:
    """Its one line; raises CheckFailed."""
    assert process.stdout is not None
    with process.stdout as output:
        poll = select.poll()
        poll.register(output, select.POLLIN)
        if not poll.poll(START_S * 1000):
            raise CheckFailed(f"the load did not begin within {START_S:.0f} s")
        line = output.readline()
    try:
        said = json.loads(line)
    except ValueError:
        raise CheckFailed(f"the load could not begin: {_last_line(folder)}") from None
    if "error" in said:
        raise CheckFailed(str(said["error"]))


def find_jobs(places: Places, network_id: str) -> list[Job]:
    """All of a network, running or not, the oldest first."""
    running = _processes(network_id)
    found = [_job(folder_of(places) / name, running.get(name)) for name in _names(places)]
    return sorted((job for job in found if job is not None), key=lambda job: job.began)


def _names(places: Places) -> list[str]:
    try:
        return [path.name for path in folder_of(places).iterdir()]
    except OSError:
        return []


def _job(folder: Path, pid: int | None) -> Job | None:
    """None: it is just being begun, or removed."""
    try:
        record = json.loads((folder / "load.json").read_text())
        began = float(record.pop("began"))
        load = load_of(record)
    except (OSError, ValueError, KeyError, TypeError):
        return None
    try:
        written = json.loads((folder / "figures.json").read_text())
    except (OSError, ValueError):
        written = {"seconds": 0.0, "ended": "", "figures": {}, "charts": []}
    ended = str(written["ended"])
    if pid is None and not ended:
        ended = f"it died: {_last_line(folder)}"
    seconds = float(written["seconds"])
    figures, charts = written["figures"], written["charts"]
    return Job(folder.name, load, began, pid, ended, seconds, figures, charts)


def _last_line(folder: Path) -> str:
    with suppress(OSError):
        lines = (folder / "log").read_text(errors="replace").split("\n")
        return next((line for line in reversed(lines) if line.strip()), "its log is empty")
    return "it has no log"


def _processes(network_id: str) -> dict[str, int]:
    """Pids of a network's jobs by their names."""
    entries = [int(entry) for entry in os.listdir("/proc") if entry.isdigit()]
    named = ((_name_of(pid, network_id), pid) for pid in entries)
    return {name: pid for name, pid in named if name is not None}


def _name_of(pid: int, network_id: str) -> str | None:
    """A process that is a job of this user and this network, by its command line."""
    try:
        if os.stat(f"/proc/{pid}").st_uid != os.geteuid():
            return None
        words = Path(f"/proc/{pid}/cmdline").read_bytes().decode(errors="replace").split("\0")
    except OSError:
        return None  # it has just ended
    if MODULE not in words:
        return None
    options = words[words.index(MODULE) + 1 :]
    expected = [LABEL_OPTION, network_id, JOB_OPTION]
    return options[3] if options[:3] == expected and len(options) > 3 else None


def end_all(network_id: str) -> int:
    """End every job of a network; how many there were. Raises OperatorError."""
    found = _processes(network_id)
    for name, pid in found.items():
        end_job(network_id, name, pid)
    return len(found)


def end_job(network_id: str, name: str, pid: int) -> None:
    """Ask, then kill; returns once it has ended."""
    with _handle(network_id, name, pid) as handle:
        if handle is None:
            return
        for number, wait_s in ((signal.SIGTERM, POLITE_S), (signal.SIGKILL, END_S)):
            signal.pidfd_send_signal(handle, number)
            if _has_ended(handle, wait_s * 1000):
                return
    raise OperatorError(f"the load {name} (process {pid}) does not end")


def wait_for(network_id: str, name: str, pid: int) -> None:
    """Until it has ended."""
    with _handle(network_id, name, pid) as handle:
        if handle is not None:
            _has_ended(handle, None)


@contextmanager
def _handle(network_id: str, name: str, pid: int) -> Iterator[int | None]:
    """Of the job, and not of a stranger who got its number; None once it has ended."""
    try:
        handle = os.pidfd_open(pid)
    except ProcessLookupError:
        yield None
        return
    try:
        yield handle if _name_of(pid, network_id) == name else None
    finally:
        os.close(handle)


def _has_ended(handle: int, within_ms: float | None) -> bool:
    poll = select.poll()
    poll.register(handle, select.POLLIN)
    return bool(poll.poll(within_ms))
