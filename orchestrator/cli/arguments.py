"""Every command and option of `testnet`."""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable
from typing import Any

from orchestrator import __version__
from orchestrator.cli.life import add_life
from orchestrator.cli.names import add_names
from orchestrator.cli.options import (
    Arguments,
    Commands,
    add_node,
    count,
    declare,
    later,
)
from orchestrator.cli.tools import add_tools

__all__ = ["new_parser", "parse"]

DESCRIPTION = "Bring up, look into and remove private Lokinet networks on this machine."
EPILOG = (
    "exit codes: 0 ok, 1 a check failed or there is no such network, 2 bad topology or usage, "
    "3 not ready in time, 4 host unfit, 5 leftovers, 130 interrupted"
)


def parse(argv: list[str]) -> Arguments:
    """Namespace with `load`, which gives the command.

    Ends the process with 2 on bad usage, with 0 after --help.
    """
    if "_ARGCOMPLETE" in os.environ:  # a shell asks what may come next
        from orchestrator.cli.completion import answer

        answer(new_parser())
    return new_parser(*argv[:1]).parse_args(argv)


class _Only:
    """Where one command is added for good: all of them take a tenth of a short command's time."""

    def __init__(self, commands: Commands, name: str) -> None:
        self._commands = commands
        self._name = name

    def add_parser(self, name: str, **words: Any) -> Any:
        return self._commands.add_parser(name, **words) if name == self._name else _Nobody()


class _Nobody:
    """A parser nobody will ask."""

    def __getattr__(self, _: str) -> Callable[..., _Nobody]:
        return lambda *_, **__: self


def new_parser(only: str = "") -> argparse.ArgumentParser:
    """All commands in the order in which people meet them, or only one; all if it is none."""
    parser = argparse.ArgumentParser(
        prog="testnet", description=DESCRIPTION, epilog=EPILOG, allow_abbrev=False
    )
    parser.add_argument("--version", action="version", version=f"testnet {__version__}")
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    if only:
        _add_all(_Only(commands, only))
    if not commands.choices:
        _add_all(commands)
    return parser


def _add_all(commands: Commands) -> None:
    add_life(commands)
    _add_views(commands)
    _add_inside(commands)
    add_names(commands)
    add_tools(commands)


def _add_views(commands: Commands) -> None:
    declare(commands, "ps", "views", "list the nodes of a network", json=True)
    declare(commands, "status", "views", "show how far each node has come", json=True)
    inspect = declare(commands, "inspect", "views", "show everything about one node", json=True)
    add_node(inspect, optional=True, text="which; with --paths all if none is named")
    inspect.add_argument("--paths", action="store_true", help="only its paths, hop by hop")
    logs = declare(commands, "logs", "logs", "print the logs of one node, or of all")
    add_node(logs, optional=True)
    logs.add_argument(
        "--lines", type=count("lines"), metavar="N", help="only the last N lines of each log"
    )
    logs.add_argument("-f", "--follow", action="store_true", help="go on as the logs grow")


def _add_inside(commands: Commands) -> None:
    run = declare(commands, "exec", "inside", "run a command inside a node's namespaces")
    run.set_defaults(load=later("inside", "execute"))
    run.add_argument("-t", "--tty", action="store_true", help="give it a terminal of its own")
    add_node(run)
    run.add_argument("argv", nargs=argparse.REMAINDER, metavar="-- COMMAND")
    add_node(declare(commands, "shell", "inside", "open a shell inside a node's namespaces"))
