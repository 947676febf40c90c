"""`testnet test`: what the topology says must hold, tried on the running network."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from orchestrator.backends import Backend
from orchestrator.checklist import Expectation
from orchestrator.checks.junit import junit
from orchestrator.checks.network import Network
from orchestrator.checks.suite import Result, chosen_tests, rounds, run_tests
from orchestrator.cli.defined import desired_of
from orchestrator.cli.network import observed_network, running
from orchestrator.cli.output import print_json, tell
from orchestrator.cli.reporting import Reporter, reported_as, reporter_of
from orchestrator.definition import is_promised, kept
from orchestrator.directories import Places
from orchestrator.errors import EXIT_CHECK_FAILED, EXIT_OK, CheckFailed, UsageError
from orchestrator.load import find_topology, load
from orchestrator.report.occasion import FailedTest
from orchestrator.scaling import topology_of
from orchestrator.topology import Topology
from orchestrator.units import format_seconds

__all__ = ["test"]

MOST_LOOKS = 20
"""At the network, each after a test that did not hold: for the report."""


def test(arguments: argparse.Namespace) -> int:
    """Run them; exit code 1 if one did not hold, 2 if there is none."""
    tests = chosen_tests(_topology(arguments).tests, arguments.k)
    if arguments.list:
        return _list(tests, arguments.json)
    places, backend, _ = observed_network(arguments.name)
    if arguments.junit:
        _check_writable(Path(arguments.junit))
    network = Network.of(backend)
    reporter = _reporter(arguments, places, backend)
    reporter.look()
    results: list[Result] = []
    failed: list[FailedTest] = []
    planned = rounds(tests, arguments.repeat, arguments.seed)
    for result in run_tests(network, planned, arguments.fail_fast):
        results.append(result)
        if not arguments.json:
            _print(result)
        if not result.held:
            failed.append(_as_failed(result))
            if len(failed) <= MOST_LOOKS:
                reporter.look()
    failures = sum(not result.held for result in results)
    if arguments.junit:
        Path(arguments.junit).write_bytes(junit(places.name, results, arguments.seed))
    if arguments.json:
        rows = [_as_data(result) for result in results]
        passed = len(results) - failures
        page = reporter.write(tests=failed) if failed else None
        told: dict[str, Any] = {"not_run": len(planned) - len(results), "seed": arguments.seed}
        told |= {"tests": rows, "report": str(page) if page else None}
        print_json({"name": places.name, "passed": passed, "failed": failures, **told})
    else:
        left = len(planned) - len(results)
        unrun = f", {left} not run" if left else ""
        print(f"{len(results) - failures} of {len(results)} tests held{unrun}", flush=True)
        if failed:
            reporter.write(tests=failed)
    return EXIT_CHECK_FAILED if failures else EXIT_OK


test.__test__ = False  # type: ignore[attr-defined] # a command, not for pytest


def _reporter(arguments: argparse.Namespace, places: Places, backend: Backend) -> Reporter:
    """Of a network that was brought up to its end all is known, of another what it shows."""
    if not is_promised(places):
        return reporter_of(reported_as(arguments), places, backend, None, None)
    definition = kept(places)
    return reporter_of(
        reported_as(arguments), places, backend, definition, desired_of(definition, places)
    )


def _as_failed(result: Result) -> FailedTest:
    verdict, seconds = result.held.verdict, result.held.seconds
    return FailedTest(result.test.title, verdict.expected, verdict.seen, time.time(), seconds)


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


def _print(result: Result) -> None:
    held, verdict = result.held, result.held.verdict
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
        "expected": verdict.expected,
        "seen": verdict.seen,
        "figures": dict(verdict.figures),
        "seconds": round(result.held.seconds, 3),
        "tries": result.held.tries,
    }
