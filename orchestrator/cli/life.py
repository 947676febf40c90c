"""The commands of a network's life, declared: from `plan` to `gc`."""

from __future__ import annotations

import argparse
import signal

from orchestrator.cli.options import (
    Commands,
    add_backend,
    add_report,
    add_topology,
    count,
    declare,
    duration,
)

__all__ = ["WAIT_FOR", "add_life"]

WAIT_FOR = ("nodes", "links", "paths", "names", "services", "all")
"""As in `readiness.layers`, which is not imported only to print help."""


KEPT = "file, or a bundled name; without it what the network of -n was brought up with, or default"


def add_life(commands: Commands) -> None:
    """In the order of a network's life."""
    up = declare(commands, "up", "up", "bring up a network and fetch its page", json=True)
    add_topology(up, KEPT)
    add_backend(up)
    _add_waiting(up)
    up.add_argument("--dry-run", action="store_true", help="the same as `plan`")
    up.add_argument(
        "--keep-on-failure", action="store_true", help="leave a network that did not become ready"
    )
    add_report(up)
    plan = declare(commands, "plan", "up", "print what up would change, and why", json=True)
    add_topology(plan, KEPT)
    add_backend(plan)
    wait = declare(commands, "wait", "waiting", "wait until a network is ready", json=True)
    _add_waiting(wait)
    add_report(wait)
    _add_nodes(commands)
    _add_networks(commands)


def _add_nodes(commands: Commands) -> None:
    stop = declare(commands, "stop", "nodes", "stop nodes, or the network", json=True)
    _add_names(stop, "nodes; else the whole network")
    start = declare(commands, "start", "nodes", "start what is stopped", json=True)
    _add_names(start, "nodes; else the whole network")
    _add_waiting(start)
    restart = declare(
        commands, "restart", "nodes", "stop and start the programs of nodes", json=True
    )
    _add_names(restart, "nodes; else all")
    _add_waiting(restart)
    kill = declare(commands, "kill", "nodes", "send the programs of nodes a signal", json=True)
    _add_names(kill, "nodes", needed=True)
    kill.add_argument(
        "-s", "--signal", type=_signal, default=9, metavar="KILL", help="name or number"
    )
    kill.add_argument("--program", metavar="NAME", help="only this one, as `ps` calls it")
    replace = declare(commands, "replace", "nodes", "make nodes anew", json=True)
    _add_names(replace, "nodes", needed=True)
    replace.add_argument("--new-identity", action="store_true", help="with other keys, too")
    _add_waiting(replace)
    scale = declare(commands, "scale", "nodes", "change how many nodes groups have", json=True)
    scale.add_argument(
        "sizes", nargs="+", type=_size, metavar="ROLE=N", help="a group, or the role of one"
    )
    _add_waiting(scale)
    copy = declare(commands, "cp", "copy", "copy files into a node or out of it")
    copy.add_argument("source", metavar="SOURCE", help="a path, or NODE:/PATH")
    copy.add_argument("target", metavar="TARGET", help="a path, or NODE:/PATH")


def _add_networks(commands: Commands) -> None:
    declare(commands, "down", "down", "remove a network and everything it made", json=True)
    ls = declare(commands, "ls", "networks", "list networks", json=True, network=False)
    ls.add_argument("--all", action="store_true", help="also those that are stopped or left over")
    gc = declare(
        commands, "gc", "networks", "remove what killed commands left", json=True, network=False
    )
    gc.add_argument("--dry-run", action="store_true", help="only say what would be removed")


def _add_names(parser: argparse.ArgumentParser, text: str, needed: bool = False) -> None:
    parser.add_argument("nodes", nargs="+" if needed else "*", metavar="NODE", help=text)


def _add_waiting(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--wait-for", choices=WAIT_FOR, default="all", help="how far to wait: all layers up to this"
    )
    parser.add_argument(
        "--timeout", type=duration, default=60.0, metavar="60s", help="how long to wait for ready"
    )


def _size(text: str) -> tuple[str, int]:
    """`router=12`."""
    name, _, number = text.partition("=")
    if not name or not number.isdigit():
        raise argparse.ArgumentTypeError(f"{text!r} is not ROLE=N")
    return name, count("nodes")(number)


def _signal(text: str) -> int:
    """`KILL`, `SIGKILL` or `9`."""
    name = text.upper().removeprefix("SIG")
    try:
        return int(signal.Signals(int(name)) if name.isdigit() else signal.Signals[f"SIG{name}"])
    except (KeyError, ValueError):
        raise argparse.ArgumentTypeError(f"{text!r} is no signal: KILL, STOP, CONT, …") from None
