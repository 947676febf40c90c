"""`testnet wait`: until a network has come as far as asked, or who has not and why."""

from __future__ import annotations

import argparse
import time
from dataclasses import asdict

from orchestrator.backends.opening import open_backend
from orchestrator.cli.defined import defined
from orchestrator.cli.network import observed_network
from orchestrator.cli.output import print_json, tell
from orchestrator.cli.reporting import Reporter, reported_as, reporting
from orchestrator.errors import EXIT_OK, NotReady
from orchestrator.readiness.layers import GOALS
from orchestrator.readiness.wait import wait_until_ready
from orchestrator.units import format_seconds

__all__ = ["wait"]


def wait(arguments: argparse.Namespace) -> int:
    """Wait for layers of all nodes; changes nothing and takes no lock."""
    places, definition, desired = defined(arguments.name)
    observed_network(places.name)
    backend = open_backend(places)
    began, goal = time.monotonic(), arguments.wait_for
    data = {"name": places.name, "for": goal}
    what = reported_as(arguments)
    watch = reporting(what, places, backend, definition, desired, look_after_s=0.0)
    reporter: Reporter | None = None
    try:
        with watch as reporter:
            ready = wait_until_ready(desired, backend, arguments.timeout, tell, GOALS[goal])
    except NotReady as error:
        if arguments.json:
            missing = [asdict(one) for one in error.missing]
            page = reporter.path if reporter else None
            told = {"missing": missing, "report": str(page) if page else None}
            print_json({**data, "ready": False, **told})
        raise
    seconds = time.monotonic() - began
    if arguments.json:
        addresses = dict(ready.addresses)
        print_json({**data, "ready": True, "seconds": round(seconds, 3), "addresses": addresses})
    else:
        print(f"network {places.name}: {goal} ready after {format_seconds(seconds)}")
    return EXIT_OK
