"""`testnet doctor`: is this machine fit, and for how much."""

from __future__ import annotations

import argparse
import os
from dataclasses import asdict
from pathlib import Path

from orchestrator.applications import AnyApp, CommandApp, MumbleApp, NginxApp
from orchestrator.capacity import Demand, Supply
from orchestrator.choice import VARIABLE, asked_for
from orchestrator.cli.output import print_json, print_table, tell
from orchestrator.directories import Places
from orchestrator.doctor import diagnose, diagnose_engine
from orchestrator.engine.client import Engine
from orchestrator.engine.images import OURS, PYTHON
from orchestrator.errors import EXIT_OK, HostUnfit
from orchestrator.findings import Finding, Verdict
from orchestrator.groups import ExitGroup, ServerGroup, ServiceGroup
from orchestrator.load import find_topology, load
from orchestrator.ops import Image
from orchestrator.render import render
from orchestrator.topology import Topology, members

__all__ = ["doctor"]


def doctor(arguments: argparse.Namespace) -> int:
    """Print every finding; exit code 4 if one is fatal."""
    topology = load(find_topology(arguments.topology or "default"))
    demand = _demand(topology, arguments.routers)
    wish, _ = asked_for(arguments.backend, os.environ.get(VARIABLE), topology.backend)
    if wish == "docker":
        found = _of_engine(topology, demand)
    else:
        found = diagnose(demand, _programs(topology), Supply())
    is_fit = all(finding.verdict is not Verdict.FATAL for finding in found)
    if arguments.json:
        print_json({"fit": is_fit, "findings": [asdict(finding) for finding in found]})
    else:
        _print(found)
        if not is_fit:
            tell("this machine cannot run the network: see what is fatal")
    return EXIT_OK if is_fit else HostUnfit.exit_code


def _of_engine(topology: Topology, demand: Demand) -> list[Finding]:
    engine = Engine()
    try:
        return diagnose_engine(demand, topology.underlay, _images(topology), Supply(), engine)
    finally:
        engine.close()


def _images(topology: Topology) -> list[str]:
    """Names of those it would be made of."""
    found: dict[str, str] = {}

    def image_of(word: str) -> Image:
        found[word] = OURS.get(word, word)
        return Image(found[word], "")

    nowhere = Places(topology.name, Path("/nowhere/state"), Path("/nowhere/run"))
    render(topology, nowhere, PYTHON, one_id=True, image_of=image_of)
    return sorted(found.values())


def _demand(topology: Topology, routers: int | None) -> Demand:
    nodes = members(topology)
    own = sum(node.group.role == "router" for node in nodes)
    return Demand(own if routers is None else routers, len(nodes) - own)


def _programs(topology: Topology) -> list[str]:
    """What the topology starts, and what its page and its tests are asked with."""
    programs = {"curl", "ping"}
    for group in topology.nodes.values():
        if isinstance(group, ExitGroup):
            programs.add("nft")
        elif isinstance(group, ServiceGroup | ServerGroup) and group.app is not None:
            app = group.app
            programs.add(_program_of(app))
            if isinstance(app, NginxApp) and app.video is not None:
                programs.add("ffmpeg")
    return sorted(programs)


def _program_of(app: AnyApp | MumbleApp) -> str:
    match app:
        case CommandApp(run=run):
            return run[0]
        case MumbleApp():
            return "murmurd"
        case _:
            return app.kind


def _print(found: list[Finding]) -> None:
    rows = []
    for finding in found:
        rows.append((finding.subject, str(finding.verdict), finding.seen))
        if finding.instead:
            rows.append(("", "", f"so {finding.instead}"))
        if finding.fix:
            rows.append(("", "", f"fix: {finding.fix}"))
    print_table(("SUBJECT", "VERDICT", "SEEN"), rows)
