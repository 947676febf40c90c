"""`testnet top` and `testnet events`: a network as it goes on."""

from __future__ import annotations

import argparse
import json
import select
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from datetime import UTC, datetime

from orchestrator.backends import Backend
from orchestrator.census import Census, take_census
from orchestrator.cli.network import host_pids_of, observed_network
from orchestrator.cli.output import print_json, print_table, tell
from orchestrator.directories import Places
from orchestrator.errors import EXIT_OK, CheckFailed
from orchestrator.happenings import Happening, happenings
from orchestrator.ops import NODE_PROCESS
from orchestrator.usage import Load, Look, loads, look

__all__ = ["events", "top"]

LOOK_EVERY_S = 0.25
"""Between two looks of `events`: what lasts shorter is not seen."""
CLEAR = "\x1b[H\x1b[2J"
MIB = 1 << 20


def top(arguments: argparse.Namespace) -> int:
    """A table of loads, drawn anew until Ctrl-C, or once."""
    places, backend, observed = observed_network(arguments.name)
    before = _look(places, take_census(backend, observed))
    is_live = sys.stdout.isatty() and not arguments.once and not arguments.json
    while True:
        _pause(arguments.interval)
        census = _census(places, backend)
        after = _look(places, census)
        rows = loads(census, before, after)
        if arguments.json:
            seconds = round(after.at - before.at, 3)
            print_json({"name": places.name, "seconds": seconds, "nodes": [*map(asdict, rows)]})
            return EXIT_OK
        if is_live:
            print(CLEAR, end="")
        _print_loads(places.name, rows)
        if not is_live:
            return EXIT_OK
        before = after


def _look(places: Places, census: Census) -> Look:
    return look(census, host_pids_of(places, census.observed))


def _census(places: Places, backend: Backend) -> Census:
    observed = backend.observe()
    if not observed.exists:
        raise CheckFailed(f"network {places.name!r} went down")
    return take_census(backend, observed)


def _print_loads(name: str, rows: Sequence[Load]) -> None:
    head = ("NODE", "ROLE", "CPU %", "MEM MiB", "LINKS", "PATHS", "CELLS IN/s", "CELLS OUT/s", "")
    print_table(head, [_load_row(row) for row in rows])
    cpu, memory = sum(row.cpu_pct for row in rows), sum(row.memory_bytes for row in rows)
    print(f"{name}: {len(rows)} nodes, {cpu:.0f} % of a core, {memory / MIB:.0f} MiB", flush=True)


def _load_row(row: Load) -> tuple[str, ...]:
    return (
        row.node,
        row.role,
        f"{row.cpu_pct:.1f}",
        f"{row.memory_bytes / MIB:.0f}",
        "-" if row.links is None else str(row.links),
        "-" if row.paths is None else str(row.paths),
        f"{row.cells_in_per_s:.0f}",
        f"{row.cells_out_per_s:.0f}",
        "" if row.is_well else "silent",
    )


def events(arguments: argparse.Namespace) -> int:
    """What happens from now on, a line each, until Ctrl-C or the network is gone."""
    places, backend, observed = observed_network(arguments.name)
    deadline = None if arguments.last is None else time.monotonic() + arguments.last
    census = take_census(backend, observed)
    tell(f"watching {places.name}; Ctrl-C ends it")
    for happening in _watch(backend, census, deadline):
        _print_event(happening, arguments.json)
    return EXIT_OK


def _watch(backend: Backend, before: Census, deadline: float | None) -> Iterator[Happening]:
    while deadline is None or time.monotonic() < deadline:
        after = _next(backend, before)
        if after is not None and _may_be_ending(before, after):
            after = _next(backend, before)
        if after is None:
            yield Happening("", "network-down", "")
            return
        yield from happenings(before, after)
        before = after


def _next(backend: Backend, before: Census) -> Census | None:
    """The next look; None when the network is gone."""
    _pause(LOOK_EVERY_S)
    observed = backend.observe()
    return take_census(backend, observed, before.names) if observed.exists else None


def _may_be_ending(before: Census, after: Census) -> bool:
    """Whether somebody fell silent who ran when looked at: killed while asked, he has ended now."""
    silent = after.errors.keys() - before.errors.keys()
    processes = (after.observed.nodes[name].processes.get(NODE_PROCESS) for name in silent)
    return any(process is not None and process.exit_code is None for process in processes)


def _print_event(happening: Happening, as_json: bool) -> None:
    now = datetime.now(UTC)
    if as_json:
        stamp = now.isoformat(timespec="milliseconds").replace("+00:00", "Z")
        print(json.dumps({"time": stamp, **asdict(happening)}, ensure_ascii=False), flush=True)
        return
    words = [now.strftime("%H:%M:%S.%f")[:-3], happening.node or "-", happening.kind]
    print("  ".join([*words, happening.detail]).rstrip(), flush=True)


def _pause(seconds: float) -> None:
    select.poll().poll(seconds * 1000)
