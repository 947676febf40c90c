"""Everything a report is made of, gathered from a network in any condition, bounded and harmless.

What cannot be had is told as such; nothing that is missing hinders the rest.
"""

from __future__ import annotations

import importlib.metadata
import json
import os
import platform
import sys
import time
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path, PurePosixPath
from typing import Any

import yaml

from orchestrator.backends.chain import look
from orchestrator.backends.opening import home_of
from orchestrator.census import Census
from orchestrator.definition import Definition
from orchestrator.directories import Places
from orchestrator.errors import OperatorError
from orchestrator.journal import read_entries
from orchestrator.ops import CHAIN_PROCESS, NODE_PROCESS, Observed
from orchestrator.plan import plan
from orchestrator.report.history import Line, history_of
from orchestrator.report.loads import LoadSeen, loads_of
from orchestrator.report.occasion import Occasion, Subject
from orchestrator.report.redact import Redactor, key_values, printable, token_values
from orchestrator.report.tried import TriedTest, within_bounds
from orchestrator.report.troubles import Act, Traces, Trouble, nobody_there, troubles
from orchestrator.report.witness import Event, Witness
from orchestrator.scaling import topology_of

__all__ = ["Evidence", "LogTail", "gather"]

LOG_BYTES = 1 << 16
"""Of each log, its end."""
ALL_LOGS_BYTES = 16 << 20
STATUS_CHARACTERS = 1 << 18
MOST_ACTS = 2000
MOST_HISTORY = 20_000
TEXTS = {".json", ".txt", ".csv", ".log", ".xml", ".html", ".sdp"}
"""Endings of exhibits in which a secret can be found; pictures and sounds stay as they are."""
DISTRIBUTION = "lokinet-testnet"


@dataclass(frozen=True, slots=True)
class LogTail:
    """The end of one log."""

    node: str
    program: str
    lines: tuple[str, ...]
    bytes_left_out: int
    wrote_at: float


@dataclass(frozen=True, slots=True)
class Evidence:
    """All of it; no text in here holds a secret or a control character."""

    name: str
    at: float
    occasion: Occasion
    condition: str
    backend: str
    troubles: tuple[Trouble, ...]
    census: Census | None
    statuses: Mapping[str, Any]
    """What nodes said of themselves, without secrets; of the silent ones why."""
    kernel_states: Mapping[tuple[str, str], str]
    acts: tuple[Act, ...]
    events: tuple[Event, ...]
    history: tuple[Line, ...]
    """What nodes wrote of links, paths and sessions, in order of time."""
    logs: tuple[LogTail, ...]
    topology: str
    """Resolved, as YAML; or why there is none."""
    plan: str
    """What `up` would change now; or why nobody knows."""
    versions: Mapping[str, str]
    loads: tuple[LoadSeen, ...] = ()
    """What was asked of it by `testnet load`, the oldest first."""


def gather(subject: Subject, occasion: Occasion, witness: Witness) -> Evidence:
    """Look once more and collect; the network is not changed."""
    redactor = Redactor([*key_values(subject.places.state), *_tokens(subject.definition)])
    census = _without_their_secrets(_looked(witness), redactor)
    observed = census.observed if census else Observed()
    logs = tuple(_log_tails(subject, redactor))
    acts = tuple(_acts(subject.places, redactor))
    kernel_states = subject.kernel_states(observed) if census else {}
    main = {log.node: log for log in logs if log.program in (NODE_PROCESS, CHAIN_PROCESS)}
    traces = Traces(
        now=time.time(),
        acts=acts,
        started=_started(observed),
        wrote={node: log.wrote_at for node, log in main.items()},
        illnesses=witness.illnesses,
        last_lines={node: log.lines[-1] for node, log in main.items() if log.lines},
    )
    home = home_of(subject.places)
    wrong = troubles(occasion.missing, traces)
    if census is None and not wrong:
        wrong = [nobody_there(subject.condition, traces)]
    return Evidence(
        name=subject.places.name,
        at=traces.now,
        occasion=_without_secrets(occasion, redactor),
        condition=subject.condition,
        backend=home.backend if home else "netns",
        troubles=tuple(_without(each, redactor) for each in wrong),
        census=census,
        statuses=_statuses(census),
        kernel_states=kernel_states,
        acts=acts,
        events=tuple(_clean(event, redactor) for event in witness.events),
        history=tuple(history_of(((node, log.lines) for node, log in main.items()), MOST_HISTORY)),
        logs=logs,
        topology=_topology(subject.definition, redactor),
        plan=redactor.text(_plan(subject)),
        versions=_versions(),
        loads=loads_of(subject.places, redactor),
    )


def _looked(witness: Witness) -> Census | None:
    try:
        return witness.look()
    except (OperatorError, OSError):
        return None  # no engine, or a world that ends just now: the rest can still be told


def _without_their_secrets(census: Census | None, redactor: Redactor) -> Census | None:
    """Everything that is drawn or listed later comes from this one."""
    if census is None:
        return None
    errors = {node: printable(redactor.text(said)) for node, said in census.errors.items()}
    return replace(census, statuses=redactor.data(dict(census.statuses)), errors=errors)


def _clean(event: Event, redactor: Redactor) -> Event:
    detail = printable(redactor.text(event.happening.detail))
    return replace(event, happening=replace(event.happening, detail=detail))


def _without_secrets(occasion: Occasion, redactor: Redactor) -> Occasion:
    tests = [_cleaned(test, redactor) for test in within_bounds(occasion.tests)]
    error = "\n".join(printable(line) for line in redactor.text(occasion.error).splitlines())
    return Occasion(occasion.what, error, (), tests)


def _cleaned(test: TriedTest, redactor: Redactor) -> TriedTest:
    """Without secrets and control characters."""

    def text(said: str) -> str:
        return printable(redactor.text(said))

    return replace(
        test,
        title=text(test.title),
        expected=text(test.expected),
        seen=text(test.seen),
        exhibits={
            name: _clean_exhibit(name, data, redactor) for name, data in test.exhibits.items()
        },
    )


def _clean_exhibit(name: str, data: bytes, redactor: Redactor) -> bytes:
    if PurePosixPath(name).suffix not in TEXTS:
        return data
    return redactor.text(data.decode(errors="replace")).encode()


def _without(trouble: Trouble, redactor: Redactor) -> Trouble:
    return Trouble(
        trouble.subject,
        trouble.layer,
        printable(redactor.text(trouble.seen)),
        trouble.since,
        trouble.last_act,
        printable(redactor.text(trouble.last_log_line)),
    )


def _tokens(definition: Definition | None) -> list[str]:
    if definition is None:
        return []
    try:
        raw = yaml.load(definition.text, Loader=yaml.CSafeLoader)
    except (yaml.YAMLError, UnicodeError):
        return []
    return list(token_values(raw))


def _topology(definition: Definition | None, redactor: Redactor) -> str:
    if definition is None:
        return "# unknown: the network was never brought up to its end\n"
    try:
        topology = topology_of(definition)
    except OperatorError as error:
        return f"# {redactor.text(str(error))}\n"
    data = topology.model_dump(mode="json", by_alias=True, exclude_none=True)
    return yaml.safe_dump(redactor.data(data), sort_keys=False, allow_unicode=True)


def _plan(subject: Subject) -> str:
    if subject.desired is None:
        return "unknown: the network was never brought up to its end"
    try:
        return str(plan(subject.desired, look(subject.backend, subject.desired)))
    except (OperatorError, OSError) as error:
        return f"unknown: {error}"


def _started(observed: Observed) -> dict[str, float]:
    """When the main program of each node was started."""
    boot = time.time() - time.monotonic()
    return {
        name: boot + state.started_us / 1e6
        for name, node in observed.nodes.items()
        for program, state in node.processes.items()
        if program in (NODE_PROCESS, CHAIN_PROCESS)
    }


def _statuses(census: Census | None) -> dict[str, Any]:
    if census is None:
        return {}
    said: dict[str, Any] = {}
    for node in census.observed.nodes:
        found = census.statuses.get(node) or {"error": census.errors.get(node, "")}
        size = len(json.dumps(found))
        too_large = {"error": f"{size} characters are too many for a report"}
        said[node] = found if size <= STATUS_CHARACTERS else too_large
    return said


def _acts(places: Places, redactor: Redactor) -> list[Act]:
    try:
        entries = deque(read_entries(places.journal), MOST_ACTS)
    except OSError:
        return []
    return [
        Act(at, redactor.text(str(entry["begin"])), redactor.text(str(entry.get("reason", ""))))
        for entry in entries
        if "begin" in entry and (at := _instant(str(entry.get("at", "")))) is not None
    ]


def _instant(text: str) -> float | None:
    try:
        return datetime.strptime(text, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC).timestamp()
    except ValueError:
        return None


def _log_tails(subject: Subject, redactor: Redactor) -> list[LogTail]:
    """The ends of all logs, until that is too much."""
    found = [
        (node, program, Path(path))
        for node in _nodes(subject.places)
        for program, path in sorted(subject.backend.logs(node).items())
    ]
    found.append(("(the network)", "world", subject.places.world_log))
    tails, total = [], 0
    for node, program, path in islice(found, ALL_LOGS_BYTES // 64):
        tail = _tail(node, program, path, redactor)
        if tail is None:
            continue
        total += sum(map(len, tail.lines))
        if total > ALL_LOGS_BYTES:
            tail = LogTail(node, program, (), tail.bytes_left_out + LOG_BYTES, tail.wrote_at)
        tails.append(tail)
    return tails


def _nodes(places: Places) -> list[str]:
    try:
        return sorted(entry.name for entry in (places.state / "nodes").iterdir() if entry.is_dir())
    except OSError:
        return []


def _tail(node: str, program: str, path: Path, redactor: Redactor) -> LogTail | None:
    """Opened as it is: a node that puts a link or a pipe there shows nothing."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        with os.fdopen(descriptor, "rb") as file:
            found = os.fstat(file.fileno())
            left_out = max(0, found.st_size - LOG_BYTES)
            file.seek(left_out)
            raw = file.read(LOG_BYTES)
    except OSError:
        return None
    lines = redactor.text(raw.decode(errors="replace")).split("\n")
    if left_out:
        lines = lines[1:]  # the first one has no beginning
    shown = tuple(printable(line) for line in lines if line.strip())
    return LogTail(node, program, shown, left_out, found.st_mtime)


def _versions() -> dict[str, str]:
    """Of everything that has a say here."""
    found = {
        "python": sys.version.split()[0],
        "kernel": f"{platform.system()} {platform.release()}",
    }
    try:
        found["system"] = platform.freedesktop_os_release().get("PRETTY_NAME", "")
    except OSError:
        found["system"] = "unknown"
    found["machine"] = f"{platform.machine()}, {os.cpu_count()} processors"
    found["load"] = " ".join(f"{each:.2f}" for each in os.getloadavg())
    try:
        found[DISTRIBUTION] = importlib.metadata.version(DISTRIBUTION)
        needed = importlib.metadata.requires(DISTRIBUTION) or []
    except importlib.metadata.PackageNotFoundError:
        return found
    for line in needed:
        if "extra ==" not in line:
            name = "".join(char if char.isalnum() or char in "-_." else " " for char in line)
            try:
                found[name.split()[0]] = importlib.metadata.version(name.split()[0])
            except importlib.metadata.PackageNotFoundError:
                found[name.split()[0]] = "missing"
    return found
