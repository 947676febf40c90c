"""Where a network shall live: asked for, chosen, told, and checked."""

from __future__ import annotations

import os
import sys

from orchestrator.backends.opening import home_of
from orchestrator.capacity import Demand, neighbour_warning
from orchestrator.choice import (
    VARIABLE,
    asked_for,
    choose,
    engine_problem,
    settle,
    user_problem,
)
from orchestrator.cli.output import tell
from orchestrator.content import Film
from orchestrator.definition import Definition
from orchestrator.directories import Places
from orchestrator.errors import HostUnfit, UsageError
from orchestrator.findings import Machine, Verdict
from orchestrator.groups import OnClearnet
from orchestrator.homes import Home
from orchestrator.ops import CHAIN_PROCESS, NODE_PROCESS, Desired
from orchestrator.preflight import check_host, check_proc, check_programs, essentials
from orchestrator.render import render
from orchestrator.scaling import topology_of
from orchestrator.topology import Topology
from orchestrator.world.maps import choose_maps

__all__ = ["check_home", "choose_home", "desired_in", "programs_of"]


def choose_home(flag: str | None, places: Places, definition: Definition) -> Home:
    """A network's own, or the one a new network gets, which is told with its reason."""
    topology = topology_of(definition)
    variable = os.environ.get(VARIABLE)
    wish, by = asked_for(flag, variable, topology.backend)
    home = home_of(places)
    if home is not None:
        if flag not in (None, "auto", home.backend):
            raise UsageError(
                f"network {places.name!r} lives on {home.backend}: `testnet down --name "
                f"{places.name}` first, or give another --name"
            )
        return home

    def netns_problem() -> str | None:
        desired = desired_in(definition, places, Home())
        for finding in essentials(programs_of(desired)):
            if finding.verdict is Verdict.FATAL:
                return finding.message
        return user_problem()

    choice = choose(wish, by, netns_problem, engine_problem)
    tell(f"backend  {choice.backend}: {choice.why}")
    home, in_the_way = settle(choice.backend, topology.underlay, clearnet_of(topology))
    if in_the_way is not None:
        tell(f"         links at {home.underlay}: {in_the_way.by} has {in_the_way.network}")
    if home.clearnet and home.clearnet != topology.clearnet:
        tell(f"         clearnet at {home.clearnet}: somebody has {topology.clearnet}")
    return home


def clearnet_of(topology: Topology) -> str:
    """Its clearnet, if anything is on it."""
    groups = topology.nodes.values()
    return topology.clearnet if any(isinstance(group, OnClearnet) for group in groups) else ""


def check_home(home: Home, desired: Desired) -> None:
    """Raise HostUnfit for the first thing that is missing there; tell what is tight."""
    check_proc()
    if home.backend == "netns":
        check_host(programs_of(desired))
        if choose_maps().one_id:
            tell("only one user id can be mapped: applications run as root of their namespace")
    else:
        if problem := engine_problem():
            raise HostUnfit(problem)
        check_programs(makers_of(desired))
    routers = sum(node.role == "router" for node in desired.nodes)
    demand = Demand(routers, len(desired.nodes) - routers)
    if warning := neighbour_warning(demand, Machine()):
        tell(warning)


def programs_of(desired: Desired) -> list[str]:
    """What the nodes start besides themselves, and what fetches the page."""
    applications = {
        process.argv[0]
        for node in desired.nodes
        for process in node.processes
        if process.name not in (NODE_PROCESS, CHAIN_PROCESS)
    }
    if any(node.rules for node in desired.nodes):
        applications.add("nft")
    return sorted({*applications, *makers_of(desired), "curl"})


def makers_of(desired: Desired) -> list[str]:
    """What this machine makes content with, wherever the nodes are."""
    films = (
        content
        for node in desired.nodes
        for process in node.processes
        for content in process.content
        if isinstance(content, Film)
    )
    return ["ffmpeg"] if any(films) else []


def desired_in(definition: Definition, places: Places, home: Home) -> Desired:
    """The network a definition asks for, as it is made there; raises OperatorError."""
    topology = topology_of(definition)
    if home.backend == "netns":
        return render(topology, places, sys.executable, choose_maps().one_id)
    from orchestrator.engine.client import Engine
    from orchestrator.engine.images import PYTHON, finder

    engine = Engine()
    try:
        moved = {"underlay": home.underlay, "clearnet": home.clearnet or topology.clearnet}
        there = topology.model_copy(update=moved)
        return render(there, places, PYTHON, one_id=True, image_of=finder(engine))
    finally:
        engine.close()
