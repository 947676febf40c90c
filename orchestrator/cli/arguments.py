"""Every command and option of `testnet`."""

from __future__ import annotations

import argparse
import importlib
from collections.abc import Callable
from typing import Any

from orchestrator import __version__
from orchestrator.units import parse_duration

__all__ = ["parse"]

Arguments = argparse.Namespace

DESCRIPTION = "Bring up, look into and remove private Lokinet networks on this machine."
EPILOG = (
    "exit codes: 0 ok, 1 a check failed or there is no such network, 2 bad topology or usage, "
    "3 not ready in time, 4 host unfit, 5 leftovers, 130 interrupted"
)


def parse(argv: list[str]) -> Arguments:
    """Namespace with `load`, which gives the command.

    Ends the process with 2 on bad usage, with 0 after --help.
    """
    parser = argparse.ArgumentParser(
        prog="testnet", description=DESCRIPTION, epilog=EPILOG, allow_abbrev=False
    )
    parser.add_argument("--version", action="version", version=f"testnet {__version__}")
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    _add_up(commands)
    _add_down(commands)
    _add_views(commands)
    _add_inside(commands)
    return parser.parse_args(argv)


Commands = Any  # argparse gives the type of its subparsers no public name


def _command(
    commands: Commands, name: str, module: str, summary: str, json: bool = False
) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = commands.add_parser(
        name, help=summary, description=f"{summary[0].upper()}{summary[1:]}.", allow_abbrev=False
    )
    parser.add_argument("-n", "--name", metavar="NAME", help="network, if more than one is up")
    if json:
        parser.add_argument("--json", action="store_true", help="print data as JSON")
    parser.set_defaults(load=_later(module, name))
    return parser


def _later(module: str, name: str) -> Callable[[], Callable[[Arguments], int]]:
    """Gives a command; its module is imported when it is asked for."""

    def load() -> Callable[[Arguments], int]:
        found = importlib.import_module(f"orchestrator.cli.{module}")
        command: Callable[[Arguments], int] = getattr(found, name)
        return command

    return load


def _duration(text: str) -> float:
    try:
        return parse_duration(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from error


def _line_count(text: str) -> int:
    if not text.isdigit():
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of lines")
    return int(text)


def _add_up(commands: Commands) -> None:
    parser = _command(commands, "up", "up", "bring up a network and fetch its page", json=True)
    parser.add_argument(
        "topology", nargs="?", default="default", metavar="TOPOLOGY", help="file, or a bundled name"
    )
    parser.add_argument(
        "--timeout", type=_duration, default=60.0, metavar="60s", help="how long to wait for ready"
    )
    parser.add_argument("--dry-run", action="store_true", help="print the plan and do nothing")
    parser.add_argument(
        "--keep-on-failure", action="store_true", help="leave a network that did not become ready"
    )


def _add_down(commands: Commands) -> None:
    _command(commands, "down", "down", "remove a network and everything it made", json=True)


def _add_views(commands: Commands) -> None:
    _command(commands, "ps", "views", "list the nodes of a network", json=True)
    _command(commands, "status", "views", "show how far each node has come", json=True)
    inspect = _command(commands, "inspect", "views", "show everything about one node", json=True)
    inspect.add_argument("node", metavar="NODE")
    logs = _command(commands, "logs", "logs", "print the logs of one node, or of all")
    logs.add_argument("node", nargs="?", metavar="NODE")
    logs.add_argument(
        "--lines", type=_line_count, metavar="N", help="only the last N lines of each log"
    )
    logs.add_argument("-f", "--follow", action="store_true", help="go on as the logs grow")


def _add_inside(commands: Commands) -> None:
    run = _command(commands, "exec", "inside", "run a command inside a node's namespaces")
    run.set_defaults(load=_later("inside", "execute"))
    run.add_argument("-t", "--tty", action="store_true", help="give it a terminal of its own")
    run.add_argument("node", metavar="NODE")
    run.add_argument("argv", nargs=argparse.REMAINDER, metavar="-- COMMAND")
    shell = _command(commands, "shell", "inside", "open a shell inside a node's namespaces")
    shell.add_argument("node", metavar="NODE")
