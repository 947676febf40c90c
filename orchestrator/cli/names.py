"""The words of `testnet ons` and `testnet chain`, declared."""

from __future__ import annotations

import argparse

from orchestrator.cli.options import Commands, count, declare, later

__all__ = ["add_names"]

YEARS = (1, 2, 5, 10)
DEFAULT_OWNER = "owner"


def add_names(commands: Commands) -> None:
    """Both have commands of their own."""
    _add_ons(commands)
    _add_chain(commands)


def _add_ons(commands: Commands) -> None:
    ons = commands.add_parser(
        "ons",
        help="buy, change, renew and look up names",
        description="Buy, change, renew and look up names on the network's chain.",
        allow_abbrev=False,
    )
    verbs = ons.add_subparsers(metavar="VERB", required=True, help="what to do")
    buy = declare(verbs, "buy", "ons", "buy a name", json=True)
    _add_name(buy)
    buy.add_argument("to", metavar="TO", help="a service of the network, or a <52>.loki address")
    buy.add_argument(
        "--owner", default=DEFAULT_OWNER, metavar="WHO", help="a key's name, or a key in hex"
    )
    buy.add_argument("--backup-owner", metavar="WHO", help="another with the same rights")
    _add_years(buy)
    update = declare(
        verbs, "update", "ons", "change what a name stands for, or its backup owner", json=True
    )
    _add_name(update)
    update.add_argument("--to", metavar="TO", help="a service, or a <52>.loki address")
    update.add_argument("--backup-owner", metavar="WHO", help="a key's name, or a key in hex")
    _add_signer(update)
    transfer = declare(verbs, "transfer", "ons", "give a name to another owner", json=True)
    _add_name(transfer)
    transfer.add_argument("owner", metavar="WHO", help="a key's name, or a key in hex")
    _add_signer(transfer)
    renew = declare(verbs, "renew", "ons", "add a term to a name; anybody may", json=True)
    _add_name(renew)
    _add_years(renew)
    _add_name(declare(verbs, "lookup", "ons", "say what the chain says about a name", json=True))
    listing = declare(verbs, "list", "ons", "list names and whom they belong to", json=True)
    listing.set_defaults(load=later("ons", "list_names"))
    listing.add_argument("--expired", action="store_true", help="expired ones, too")
    history = declare(verbs, "history", "ons", "tell what happened, by height", json=True)
    history.add_argument("ons_name", nargs="?", metavar="ONS-NAME", help="one name; else all")
    history.add_argument(
        "--since", type=count("blocks"), default=0, metavar="HEIGHT", help="not what was before"
    )


def _add_chain(commands: Commands) -> None:
    chain = commands.add_parser(
        "chain",
        help="look at the private chain, close blocks",
        description="Look at the private chain, close blocks.",
        allow_abbrev=False,
    )
    verbs = chain.add_subparsers(metavar="VERB", required=True, help="what to do")
    declare(verbs, "info", "chain", "print height, service nodes, names and terms", json=True)
    mine = declare(verbs, "mine", "chain", "close blocks now: time passes for names", json=True)
    mine.add_argument(
        "blocks", nargs="?", type=count("blocks"), default=1, metavar="N", help="how many; else 1"
    )


def _add_name(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("ons_name", metavar="ONS-NAME", help="such as web.loki")


def _add_years(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--years", type=int, choices=YEARS, default=1, help="Lokinet's terms (default: 1)"
    )


def _add_signer(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--as", dest="as_owner", metavar="WHO", help="who signs; else whoever of its owners is here"
    )
