"""The folder: the page and, beside it, each thing as a file for programs. Whole or not at all."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from orchestrator.errors import UsageError
from orchestrator.graph import graph_of
from orchestrator.report.evidence import Evidence
from orchestrator.report.page import all_troubles, render_page
from orchestrator.report.tried import TriedTest, place_of
from orchestrator.report.troubles import Since, Trouble

__all__ = ["PAGE", "VARIABLE", "check_free", "place_for", "summary", "write_folder"]

PAGE = "index.html"
VARIABLE = "TESTNET_REPORTS"
"""Where reports go that nobody named a place for."""


def place_for(name: str, at: float) -> Path:
    """A new folder's path: outside of the network's own directories, so that `down` leaves it."""
    base = os.environ.get(VARIABLE)
    if base:
        root = Path(base).absolute()
    else:
        state = os.environ.get("XDG_STATE_HOME") or str(Path.home() / ".local" / "state")
        root = Path(state).absolute() / "lokinet-testnet-reports"
    stamp = f"{datetime.fromtimestamp(at, UTC):%Y%m%dT%H%M%SZ}"
    found, number = root / f"{name}-{stamp}", 1
    while os.path.lexists(found):
        number += 1
        found = root / f"{name}-{stamp}-{number}"
    return found


def write_folder(evidence: Evidence, directory: Path) -> Path:
    """Write all; the page's path. Raises UsageError where there is something or nothing can be.

    Everything is private to the user, as names and logs of a test may be.
    """
    draft = directory.with_name(f".{directory.name}.draft-{os.getpid()}")
    try:
        directory.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        check_free(directory)
        draft.mkdir(mode=0o700)
        try:
            for name, text in _files(evidence):
                _write(draft / name, text.encode(errors="replace"))
            for name, data in _exhibits(evidence):
                _write(draft / name, data)
            draft.replace(directory)  # over an empty directory, too
        except BaseException:
            shutil.rmtree(draft, ignore_errors=True)
            raise
    except OSError as error:
        raise UsageError(f"cannot write {directory}: {error.strerror}") from error
    return directory / PAGE


def check_free(directory: Path) -> None:
    """Raises UsageError if there is something, as a report takes nobody's place."""
    try:
        in_the_way = os.path.lexists(directory) and (
            not directory.is_dir() or any(directory.iterdir())
        )
    except OSError as error:
        raise UsageError(f"cannot read {directory}: {error.strerror}") from error
    if in_the_way:
        raise UsageError(f"{directory} is in the way: name a new or an empty directory")


def _write(path: Path, data: bytes) -> None:
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(data)


def _files(evidence: Evidence) -> Iterator[tuple[str, str]]:
    """Path and text of each; names of nodes are checked by the topology."""
    yield PAGE, render_page(evidence)
    yield "report.json", _json(summary(evidence))
    yield "topology.yaml", evidence.topology
    yield "plan.txt", f"{evidence.plan}\n"
    yield "versions.json", _json(evidence.versions)
    yield "acts.json", _json([asdict(act) for act in evidence.acts])
    events = ({**asdict(e.happening), "after": e.after, "by": e.by} for e in evidence.events)
    yield "events.json", _json(list(events))
    yield "history.json", _json([asdict(line) for line in evidence.history])
    if evidence.census is not None:
        yield "graph.json", _json(asdict(graph_of(evidence.census)))
    for node, status in evidence.statuses.items():
        yield f"nodes/{node}.json", _json(status)
    for load in evidence.loads:
        yield f"load/{load.name}.json", _json(load.record)
    for log in evidence.logs:
        head = f"[{log.bytes_left_out} bytes left out]\n" if log.bytes_left_out else ""
        folder = log.node.strip("()").replace(" ", "-")
        yield f"logs/{folder}/{log.program}.log", head + "".join(f"{x}\n" for x in log.lines)


def _exhibits(evidence: Evidence) -> Iterator[tuple[str, bytes]]:
    """Path and content of each; the names are checked where verdicts are made."""
    for number, test in enumerate(evidence.occasion.tests, 1):
        for name, data in test.exhibits.items():
            yield f"{place_of(number, test)}/{name}", data


def _json(value: Any) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False) + "\n"


def summary(evidence: Evidence) -> dict[str, Any]:
    """The first screen, for programs. Instants are UTC, ISO 8601."""
    return {
        "name": evidence.name,
        "at": _iso(evidence.at),
        "written_by": evidence.occasion.what,
        "condition": evidence.condition,
        "backend": evidence.backend,
        "error": evidence.occasion.error,
        "troubles": [_trouble(each) for each in all_troubles(evidence)],
        "tests": [_test(number, each) for number, each in enumerate(evidence.occasion.tests, 1)],
    }


def _test(number: int, test: TriedTest) -> dict[str, Any]:
    return {
        "name": test.title,
        "round": test.round,
        "held": test.has_held,
        "skipped": test.is_skipped,
        "expected": test.expected,
        "seen": test.seen,
        "at": _iso(test.at),
        "seconds": round(test.seconds, 3),
        "figures": dict(test.figures),
        "exhibits": [f"{place_of(number, test)}/{name}" for name in test.exhibits],
    }


def _trouble(trouble: Trouble) -> dict[str, Any]:
    return {
        "layer": trouble.layer,
        "who": trouble.subject,
        "since": _since(trouble.since),
        "seen": trouble.seen,
        "last_act": trouble.last_act,
        "last_log_line": trouble.last_log_line,
    }


def _since(since: Since) -> dict[str, Any]:
    earliest = None if since.earliest is None else _iso(since.earliest)
    return {"not_before": earliest, "not_after": _iso(since.latest), "why": since.why}


def _iso(instant: float) -> str:
    return datetime.fromtimestamp(instant, UTC).isoformat(timespec="milliseconds")
