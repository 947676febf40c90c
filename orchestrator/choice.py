"""Which backend a new network gets, and why. Who has a network already keeps its own.

What was asked for beats everything: `--backend`, then TESTNET_BACKEND, then the topology. `auto`
takes namespaces where this machine is fit for them, as they need neither daemon nor image.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from orchestrator.engine.client import Engine
from orchestrator.engine.subnets import (
    Taken,
    free_clearnet,
    free_underlay,
    taken_by_engine,
    taken_by_machine,
)
from orchestrator.errors import HostUnfit, OperatorError, UsageError
from orchestrator.homes import BACKENDS, BackendName, Home
from orchestrator.world import syscalls

__all__ = ["VARIABLE", "Choice", "asked_for", "choose", "engine_problem", "settle", "user_problem"]

VARIABLE = "TESTNET_BACKEND"
Wish = Literal["auto", "netns", "docker"]
Problem = Callable[[], str | None]


@dataclass(frozen=True, slots=True)
class Choice:
    """A backend and the reason for it."""

    backend: BackendName
    why: str


def asked_for(flag: str | None, variable: str | None, topology: Wish) -> tuple[Wish, str]:
    """What was asked for and by what; raises UsageError for a variable that makes no sense."""
    for value, by in ((flag, "--backend"), (variable, VARIABLE), (topology, "the topology")):
        if not value:
            continue
        if value == "auto":
            return "auto", by
        for name in BACKENDS:
            if value == name:
                return name, by
        raise UsageError(f"{by}={value}: there are auto, {', '.join(BACKENDS)}")
    return "auto", ""


def choose(wish: Wish, by: str, netns_problem: Problem, docker_problem: Problem) -> Choice:
    """The backend to take; raises HostUnfit where `auto` finds none.

    Args:
        wish: what was asked for.
        by: by what.
        netns_problem: why this machine cannot have namespaces; None: it can.
        docker_problem: the same of containers; asked only if it matters.
    """
    if wish != "auto":
        return Choice(wish, f"{by} says so")
    problem = netns_problem()
    if problem is None:
        return Choice("netns", "this machine is fit for it")
    other = docker_problem()
    if other is None:
        return Choice("docker", f"no namespaces here: {problem}")
    raise HostUnfit(f"{problem} (containers will not do either: {other})")


def settle(backend: BackendName, underlay: str, clearnet: str = "") -> tuple[Home, Taken | None]:
    """Where exactly; containers may have to give way to others' addresses, and to whose.

    Raises HostUnfit where every /16 is taken, or every range for a clearnet.

    Args:
        backend: the kind of place.
        underlay: the /16 that is wanted for the links.
        clearnet: the range that is wanted for the clearnet; empty: there is none.
    """
    if backend == "netns":
        return Home(), None
    engine = Engine()
    try:
        taken = [*taken_by_engine(engine.networks()), *taken_by_machine()]
    finally:
        engine.close()
    free, in_the_way = free_underlay(underlay, taken)
    if free is None:
        raise HostUnfit(
            f"no free addresses for the links: {underlay} has {in_the_way and in_the_way.by}, and "
            "others have 10.78.0.0/16 to 10.127.0.0/16: `docker network ls` shows the engine's"
        )
    return Home("docker", free, _free_clearnet(clearnet, taken)), in_the_way


def _free_clearnet(wanted: str, taken: list[Taken]) -> str:
    if not wanted:
        return ""
    free = free_clearnet(wanted, taken)
    if free is None:
        raise HostUnfit(
            "no free addresses for the clearnet: the engine has networks at all three ranges "
            "for documentation: take a network with exits down: `testnet list` shows them"
        )
    return free


def user_problem() -> str | None:
    """Why this user may not have namespaces; tried by a child, as nothing else tells for sure."""
    child = os.fork()
    if child == 0:
        try:
            syscalls.unshare(syscalls.CLONE_NEWUSER | syscalls.CLONE_NEWNET)
        except OSError as error:
            os._exit(error.errno or 1)
        os._exit(0)
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    return None if code == 0 else f"the kernel refuses user namespaces ({os.strerror(abs(code))})"


def engine_problem() -> str | None:
    """Why there can be no containers."""
    try:
        engine = Engine()
        try:
            engine.version()
        finally:
            engine.close()
    except OperatorError as error:
        return str(error)
    return None
