"""The words of `testnet load`, declared."""

from __future__ import annotations

import argparse
import math
from collections.abc import Callable

from orchestrator.cli.options import Commands, declare, duration, later, some

__all__ = ["add_load"]

MOST_CLIENTS = 1000
MOST_CALLS = 500
MOST_RPS = 10_000.0
"""More than one process of Python can make."""


def add_load(commands: Commands) -> None:
    """It has commands of its own."""
    load = commands.add_parser(
        "load",
        help="make requests or calls in the background, and measure them",
        description="Make requests or calls in the background, and measure them.",
        allow_abbrev=False,
    )
    verbs = load.add_subparsers(metavar="VERB", required=True, help="what to do")
    _add_http(verbs)
    _add_voip(verbs)
    listing = declare(verbs, "ls", "load", "list loads, running or not", json=True)
    listing.set_defaults(load=later("load", "list_jobs"))
    stop = declare(verbs, "stop", "load", "end loads, and show their figures", json=True)
    _add_jobs(stop, "which; else all that run")
    report = declare(verbs, "report", "load", "show figures", json=True)
    _add_jobs(report, "which; else the youngest")


def _add_http(verbs: Commands) -> None:
    http = declare(verbs, "http", "load", "begin requests for a page", json=True)
    http.add_argument(
        "--clients",
        type=_up_to("clients", MOST_CLIENTS),
        default=10,
        metavar="N",
        help="so many at once, a connection each (10)",
    )
    http.add_argument(
        "--rps", type=_rate, default=10.0, metavar="R", help="requests a second, on average (10)"
    )
    http.add_argument("--to", metavar="HOST", help="a node or a name; else the first nginx")
    http.add_argument(
        "--port", type=_up_to("a port", 65_535), metavar="P", help="else the node's, or 80"
    )
    http.add_argument("--path", default="/", metavar="PATH", help="of the page (/)")
    http.add_argument(
        "--timeout",
        type=duration,
        default=10.0,
        metavar="10s",
        help="after which who waits for an answer has gone",
    )
    _add_common(http)


def _add_voip(verbs: Commands) -> None:
    voip = declare(verbs, "voip", "load", "begin calls", json=True)
    voip.add_argument(
        "--calls",
        type=_up_to("calls", MOST_CALLS),
        default=1,
        metavar="N",
        help="so many at once (1)",
    )
    voip.add_argument(
        "--to",
        action="append",
        metavar="NODE",
        help="is called, may be repeated; else all services",
    )
    _add_common(voip)


def _add_common(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--from",
        dest="callers",
        action="append",
        metavar="NODE",
        help="who begins, may be repeated; else all clients",
    )
    parser.add_argument(
        "--for", dest="lasts", type=duration, metavar="10s", help="end by itself after that time"
    )
    parser.add_argument(
        "--wait", action="store_true", help="until it has ended, then show its figures"
    )


def _add_jobs(parser: argparse.ArgumentParser, text: str) -> None:
    parser.add_argument("jobs", nargs="*", metavar="LOAD", help=text)


def _rate(text: str) -> float:
    """Requests a second."""
    try:
        rate = float(text)
    except ValueError:
        rate = math.nan
    if not 0 < rate <= MOST_RPS:
        raise argparse.ArgumentTypeError(f"{text!r}: more than 0 and at most {MOST_RPS:g} a second")
    return rate


def _up_to(noun: str, most: int) -> Callable[[str], int]:
    """A type: 1 to `most`."""

    def parse(text: str) -> int:
        number = some(noun)(text)
        if number > most:
            raise argparse.ArgumentTypeError(f"{text} {noun}: at most {most}")
        return number

    return parse
