"""`testnet load`: requests and calls that go on in the background, and their figures."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from orchestrator.checks.network import Network
from orchestrator.cli.network import node_of, observed_network, running
from orchestrator.cli.output import print_json, print_table, tell
from orchestrator.directories import Places
from orchestrator.errors import EXIT_OK, CheckFailed, UsageError
from orchestrator.journal import read_owner
from orchestrator.ops import Observed
from orchestrator.traffic.jobs import Job, end_job, find_jobs, start, wait_for
from orchestrator.traffic.loads import HttpLoad, Load, VoipLoad, described, kind_of
from orchestrator.traffic.telling import short, told

__all__ = ["http", "list_jobs", "report", "stop", "voip"]


def http(arguments: argparse.Namespace) -> int:
    """Begin requests."""
    places, backend, observed = observed_network(arguments.name)
    callers = _nodes(observed, arguments.callers, ("client",))
    to = arguments.to or _page_server(observed)
    if "." not in to:
        node_of(observed, to)
    if not arguments.path.startswith("/"):
        raise UsageError(f"--path {arguments.path!r} does not begin with /")
    port = arguments.port or Network(backend, observed).port(to)
    load = HttpLoad(
        arguments.clients,
        arguments.rps,
        callers,
        to,
        port,
        arguments.path,
        arguments.timeout,
        arguments.lasts,
    )
    return _begin(arguments, places, load)


def voip(arguments: argparse.Namespace) -> int:
    """Begin calls."""
    places, _, observed = observed_network(arguments.name)
    callers = _nodes(observed, arguments.callers, ("client",))
    callees = _nodes(observed, arguments.to, ("service",))
    for callee in callees:
        if observed.nodes[callee].labels.get("role") == "client":
            raise UsageError(f"{callee} is a client, which nobody can find: call a service")
    for caller in callers:
        if all(callee == caller for callee in callees):
            raise UsageError(f"{caller} has nobody to call: name somebody else with --to")
    return _begin(arguments, places, VoipLoad(arguments.calls, callers, callees, arguments.lasts))


def _nodes(
    observed: Observed, names: Sequence[str] | None, roles: Sequence[str]
) -> tuple[str, ...]:
    """Those named, or all of these roles; raises UsageError."""
    if names:
        for name in names:
            node_of(observed, name)
        return tuple(dict.fromkeys(names))
    found = [name for name, node in observed.nodes.items() if node.labels.get("role") in roles]
    if not found:
        raise UsageError(f"the network has no {' or '.join(roles)}: name nodes")
    return tuple(found)


def _page_server(observed: Observed) -> str:
    """The first service that serves pages."""
    for name, node in observed.nodes.items():
        if node.labels.get("role") == "service" and "port.nginx" in node.labels:
            return name
    raise UsageError("no service of the network runs nginx: name a host with --to")


def _begin(arguments: argparse.Namespace, places: Places, load: Load) -> int:
    name = start(places, _number(places), load)
    if arguments.wait:
        return _await(arguments, places, name)
    if arguments.json:
        print_json({"name": name, "kind": kind_of(load), "load": asdict(load)})
        return EXIT_OK
    print(f"{name}: {described(load)}")
    tell(f"`testnet load report {name}` shows figures, `testnet load stop {name}` ends it")
    return EXIT_OK


def _await(arguments: argparse.Namespace, places: Places, name: str) -> int:
    """Until it ended; Ctrl-C ends it."""
    job, number = _named(places, name), _number(places)
    if job.pid is not None:
        try:
            wait_for(number, name, job.pid)
        except KeyboardInterrupt:
            end_job(number, name, job.pid)
            _show(arguments, [_named(places, name)])
            raise
    return _show(arguments, [_named(places, name)])


def list_jobs(arguments: argparse.Namespace) -> int:
    """All of a network, the oldest first."""
    jobs = _jobs(_places(arguments))
    if arguments.json:
        print_json([_as_data(job) for job in jobs])
        return EXIT_OK
    rows = [(job.name, job.state, described(job.load), short(job)) for job in jobs]
    print_table(("NAME", "STATE", "LOAD", "FIGURES"), rows)
    return EXIT_OK


def stop(arguments: argparse.Namespace) -> int:
    """End some, or all that run."""
    places = _places(arguments)
    jobs = [_named(places, name) for name in arguments.jobs] or [
        job for job in _jobs(places) if job.pid is not None
    ]
    for job in jobs:
        if job.pid is not None:
            end_job(_number(places), job.name, job.pid)
    return _show(arguments, [_named(places, job.name) for job in jobs])


def report(arguments: argparse.Namespace) -> int:
    """The figures of some; of none named the youngest's."""
    places = _places(arguments)
    names = arguments.jobs or [job.name for job in _jobs(places)[-1:]]
    if not names:
        raise CheckFailed(f"network {places.name!r} has had no load: `testnet load http`, `voip`")
    return _show(arguments, [_named(places, name) for name in names])


def _places(arguments: argparse.Namespace) -> Places:
    """Of a network that is up or stopped: figures outlive its programs."""
    places = running(arguments.name)
    if places is None or read_owner(places.journal) is None:
        raise CheckFailed("there is no such network: `testnet up` brings one up")
    return places


def _number(places: Places) -> str:
    owner = read_owner(places.journal)
    if owner is None:
        raise CheckFailed(f"network {places.name!r} is not up")
    return owner.network_id


def _jobs(places: Places) -> list[Job]:
    return find_jobs(places, _number(places))


def _named(places: Places, name: str) -> Job:
    jobs = _jobs(places)
    for job in jobs:
        if job.name == name:
            return job
    known = ", ".join(job.name for job in jobs) or "none"
    raise UsageError(f"no load {name!r} in network {places.name!r}: there are {known}")


def _as_data(job: Job) -> dict[str, Any]:
    return {
        "name": job.name,
        "kind": kind_of(job.load),
        "load": asdict(job.load),
        "began": job.began,
        "running": job.pid is not None,
        "ended": job.ended or None,
        "seconds": job.seconds,
        "figures": job.figures,
        "charts": job.charts,
    }


def _show(arguments: argparse.Namespace, jobs: Sequence[Job]) -> int:
    if arguments.json:
        print_json([_as_data(job) for job in jobs])
        return EXIT_OK
    for job in jobs:
        print(f"{job.name}: {described(job.load)}; {job.state}")
        for line in told(job):
            print(f"  {line}")
    return EXIT_OK
