"""How one command is declared: its parser, the module that runs it, and the types of its values.

A command's module is imported when the command is called, never to declare it.
"""

from __future__ import annotations

import argparse
import importlib
from collections.abc import Callable
from typing import Any

from orchestrator.units import parse_duration

__all__ = [
    "Arguments",
    "Commands",
    "add_backend",
    "add_node",
    "add_report",
    "add_topology",
    "count",
    "declare",
    "duration",
    "later",
    "some",
]

Arguments = argparse.Namespace
Commands = Any  # argparse gives the type of its subparsers no public name


def declare(
    commands: Commands,
    name: str,
    module: str,
    summary: str,
    json: bool = False,
    network: bool = True,
) -> argparse.ArgumentParser:
    """A command: its function is called `name`, in `orchestrator.cli.MODULE`.

    Args:
        commands: where it is added.
        name: the word people type.
        module: where its function is.
        summary: a line for `--help`, in lower case and without a full stop.
        json: it prints data, so it takes `--json`.
        network: it is about a network, so it takes `--name`.
    """
    parser: argparse.ArgumentParser = commands.add_parser(
        name, help=summary, description=f"{summary[0].upper()}{summary[1:]}.", allow_abbrev=False
    )
    if network:
        parser.add_argument("-n", "--name", metavar="NAME", help="network, if more than one is up")
    if json:
        parser.add_argument("--json", action="store_true", help="print data as JSON")
    parser.set_defaults(load=later(module, name), command=name)
    return parser


def later(module: str, name: str) -> Callable[[], Callable[[Arguments], int]]:
    """Gives a command; its module is imported when it is asked for."""

    def load() -> Callable[[Arguments], int]:
        found = importlib.import_module(f"orchestrator.cli.{module}")
        command: Callable[[Arguments], int] = getattr(found, name)
        return command

    return load


def add_topology(parser: argparse.ArgumentParser, text: str = "") -> None:
    """`[TOPOLOGY]`; None where it is not given: the default network, if nothing else is meant."""
    parser.add_argument(
        "topology", nargs="?", metavar="TOPOLOGY", help=text or "file, or a bundled name"
    )


def add_node(parser: argparse.ArgumentParser, optional: bool = False, text: str = "") -> None:
    """`NODE`, or `[NODE]`."""
    if optional:
        parser.add_argument("node", nargs="?", metavar="NODE", help=text or "one node; else all")
    else:
        parser.add_argument("node", metavar="NODE", help=text or "name of the node")


def duration(text: str) -> float:
    """Seconds."""
    try:
        return parse_duration(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from error


def count(noun: str) -> Callable[[str], int]:
    """A type for `--lines N`: a number of something, 0 included."""

    def parse(text: str) -> int:
        if not text.isdigit():
            raise argparse.ArgumentTypeError(f"{text!r} is not a number of {noun}")
        return int(text)

    return parse


def some(noun: str) -> Callable[[str], int]:
    """The same of at least 1."""

    def parse(text: str) -> int:
        if (number := count(noun)(text)) < 1:
            raise argparse.ArgumentTypeError(f"{text} {noun}: there must be at least 1")
        return number

    return parse


def add_backend(parser: argparse.ArgumentParser) -> None:
    """`--backend`."""
    parser.add_argument(
        "--backend",
        choices=("auto", "netns", "docker"),
        help="where a new network lives; else TESTNET_BACKEND, else what the topology says",
    )


def add_report(parser: argparse.ArgumentParser, is_always_possible: bool = False) -> None:
    """`--no-report`; where a report can be wanted of what did not fail, `--report [DIR]`, too."""
    choice = parser.add_mutually_exclusive_group()
    if is_always_possible:
        choice.add_argument(
            "--report",
            nargs="?",
            const="",
            metavar="DIR",
            help="write a report also when it does not fail, into that new or empty directory",
        )
    choice.add_argument(
        "--no-report", action="store_true", help="write no report when it fails (see `report`)"
    )
