"""`testnet test`: what the topology says must hold, tried on the running network."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from orchestrator.checklist import Expectation
from orchestrator.checks.junit import junit
from orchestrator.checks.network import Network
from orchestrator.checks.suite import Result, chosen_tests, run_tests
from orchestrator.cli.network import observed_network, running
from orchestrator.cli.output import print_json, tell
from orchestrator.definition import kept
from orchestrator.errors import EXIT_CHECK_FAILED, EXIT_OK, CheckFailed, UsageError
from orchestrator.load import find_topology, load
from orchestrator.scaling import topology_of
from orchestrator.topology import Topology
from orchestrator.units import format_seconds

__all__ = ["test"]


def test(arguments: argparse.Namespace) -> int:
    """Run them; exit code 1 if one did not hold, 2 if there is none."""
    tests = chosen_tests(_topology(arguments).tests, arguments.k)
    if arguments.list:
        return _list(tests, arguments.json)
    places, backend, _ = observed_network(arguments.name)
    if arguments.junit:
        _check_writable(Path(arguments.junit))
    network = Network.of(backend)
    results: list[Result] = []
    for result in run_tests(network, tests):
        results.append(result)
        if not arguments.json:
            _print(result)
    failures = sum(not result.held for result in results)
    if arguments.junit:
        Path(arguments.junit).write_bytes(junit(places.name, results))
    if arguments.json:
        rows = [_as_data(result) for result in results]
        passed = len(results) - failures
        print_json({"name": places.name, "passed": passed, "failed": failures, "tests": rows})
    else:
        print(f"{len(results) - failures} of {len(results)} tests held")
    return EXIT_CHECK_FAILED if failures else EXIT_OK


test.__test__ = False  # type: ignore[attr-defined] # a command, not for pytest


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
        "held": verdict.has_held,
        "expected": verdict.expected,
        "seen": verdict.seen,
        "figures": dict(verdict.figures),
        "seconds": round(result.held.seconds, 3),
        "tries": result.held.tries,
    }
