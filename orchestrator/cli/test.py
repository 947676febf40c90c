"""`testnet test`: what the topology says must hold, tried on the running network."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from orchestrator.backends import Backend
from orchestrator.checklist import Expectation
from orchestrator.checks.junit import junit
from orchestrator.checks.network import Network
from orchestrator.checks.suite import Result, chosen_tests, rounds, run_tests
from orchestrator.cli.network import observed_network, running
from orchestrator.cli.output import print_json, tell
from orchestrator.cli.reporting import Reporter, reported_as, reporter_of_running
from orchestrator.definition import kept
from orchestrator.directories import Places
from orchestrator.errors import EXIT_CHECK_FAILED, EXIT_OK, CheckFailed, UsageError
from orchestrator.load import find_topology, load
from orchestrator.report.tried import TriedTest, within_bounds
from orchestrator.scaling import topology_of
from orchestrator.topology import Topology
from orchestrator.units import format_seconds

__all__ = ["test"]

MOST_LOOKS = 20
"""At the network, each after a test that did not hold: for the report."""


def test(arguments: argparse.Namespace) -> int:
    """Run them; exit code 1 if one that was tried did not hold, 2 if there is none."""
    tests = chosen_tests(_topology(arguments).tests, arguments.k)
    if arguments.list:
        return _list(tests, arguments.json)
    places, backend, _ = observed_network(arguments.name)
    if arguments.junit:
        _check_writable(Path(arguments.junit))
    if arguments.report:
        _check_free(Path(arguments.report))
    network = Network.of(backend)
    reporter = _reporter(arguments, places, backend)
    reporter.look()
    planned = rounds(tests, arguments.repeat, arguments.seed)
    results, tried = _run(network, planned, arguments, reporter)
    failures = sum(result.has_failed for result in results)
    skipped = sum(result.held.verdict.is_skipped for result in results)
    if arguments.junit:
        Path(arguments.junit).write_bytes(junit(places.name, results, arguments.seed))
    unrun = len(planned) - len(results)
    if not arguments.json:
        held = len(results) - failures - skipped
        rest = [f"{skipped} skipped"] if skipped else []
        rest += [f"{unrun} not run"] if unrun else []
        print(", ".join([f"{held} of {len(results)} tests held", *rest]), flush=True)
    is_asked_for = arguments.report is not None
    page = reporter.write(tests=tried) if failures or is_asked_for else None
    if arguments.json:
        told: dict[str, Any] = {"not_run": unrun, "skipped": skipped, "seed": arguments.seed}
        told["tests"] = [_as_data(result) for result in results]
        told["report"] = str(page) if page else None
        passed = len(results) - failures - skipped
        print_json({"name": places.name, "passed": passed, "failed": failures, **told})
    if is_asked_for and page is None:
        raise UsageError("the report that `--report` asks for could not be written: see above")
    return EXIT_CHECK_FAILED if failures else EXIT_OK


test.__test__ = False  # type: ignore[attr-defined] # a command, not for pytest


def _run(
    network: Network,
    planned: Sequence[tuple[int, Expectation]],
    arguments: argparse.Namespace,
    reporter: Reporter,
) -> tuple[list[Result], list[TriedTest]]:
    """Each is told of when it is known; what a report says of them, with as much as it can hold."""
    results: list[Result] = []
    tried: list[TriedTest] = []
    failures = 0
    for result in run_tests(network, planned, arguments.fail_fast):
        if not result.held.verdict.is_skipped:
            tried = within_bounds([*tried, _as_tried(result)])
        results.append(_without_exhibits(result))
        if not arguments.json:
            _print(result)
        if result.has_failed:
            failures += 1
            if failures <= MOST_LOOKS:
                reporter.look()
    return results, tried


def _reporter(arguments: argparse.Namespace, places: Places, backend: Backend) -> Reporter:
    """Writes where somebody said so, if they did."""
    reporter = reporter_of_running(reported_as(arguments), places, backend)
    if arguments.report:
        reporter.directory = Path(arguments.report).absolute()
    return reporter


def _as_tried(result: Result) -> TriedTest:
    verdict = result.held.verdict
    return TriedTest(
        result.test.title,
        verdict.has_held,
        verdict.expected,
        verdict.seen,
        time.time(),
        result.held.seconds,
        result.round,
        verdict.figures,
        verdict.exhibits,
        verdict.is_skipped,
    )


def _without_exhibits(result: Result) -> Result:
    """What the list of results needs; a thousand rounds of recordings would fill the memory."""
    return replace(
        result, held=replace(result.held, verdict=replace(result.held.verdict, exhibits={}))
    )


def _topology(arguments: argparse.Namespace) -> Topology:
    """The file that was given, or what the running network was made of."""
    if arguments.topology is not None:
        return load(find_topology(arguments.topology))
    places = running(arguments.name)
    if places is None:
        raise CheckFailed("no network is up: `testnet up` brings one up")
    return topology_of(kept(places))


def _list(tests: Sequence[Expectation], as_json: bool) -> int:
    if as_json:
        print_json(
            [
                {"name": each.title, "kind": each.kind, "eventually_s": each.eventually}
                for each in tests
            ]
        )
    else:
        for each in tests:
            print(each.title)
    return EXIT_OK


def _check_writable(path: Path) -> None:
    """Before minutes of tests, not after."""
    try:
        path.open("ab").close()
    except OSError as error:
        raise UsageError(f"cannot write {path}: {error.strerror}") from error


def _check_free(directory: Path) -> None:
    from orchestrator.report.folder import check_free  # it draws: long to load, rarely needed

    check_free(directory)


def _print(result: Result) -> None:
    held, verdict = result.held, result.held.verdict
    if verdict.is_skipped:
        print(f"skip  {result.test.title}: {verdict.seen}", flush=True)
        return
    word = "ok" if held else "FAIL"
    again = f", try {held.tries}" if held.tries > 1 else ""
    seconds = f"{format_seconds(held.seconds)}{again}"
    if held:
        print(f"{word:<5} {result.test.title}: {verdict.seen} ({seconds})", flush=True)
        return
    print(f"{word:<5} {result.test.title} ({seconds})")
    print(f"      expected {verdict.expected}\n      saw      {verdict.seen}", flush=True)
    if result.test.eventually is None and sys.stderr.isatty():
        tell("      (tried once: `eventually: 20s` beside it waits for it)")


def _as_data(result: Result) -> dict[str, Any]:
    verdict = result.held.verdict
    return {
        "name": result.test.title,
        "kind": result.test.kind,
        "round": result.round,
        "held": verdict.has_held,
        "skipped": verdict.is_skipped,
        "expected": verdict.expected,
        "seen": verdict.seen,
        "figures": dict(verdict.figures),
        "seconds": round(result.held.seconds, 3),
        "tries": result.held.tries,
    }
