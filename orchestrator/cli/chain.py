"""`testnet chain`: the private chain's height, whom it knows, and blocks on request."""

from __future__ import annotations

import argparse
from typing import Any

from orchestrator.chain import call
from orchestrator.cli.defined import defined
from orchestrator.cli.output import print_json, print_table
from orchestrator.directories import Places
from orchestrator.errors import EXIT_OK, CheckFailed, UsageError
from orchestrator.registry import Registry

__all__ = ["chain_of", "info", "mine"]

ATOMIC_PER_OXEN = 10**9
MOST_BLOCKS = 10_000
"""The chain closes no more in one call."""


def chain_of(arguments: argparse.Namespace) -> tuple[Places, Registry]:
    """The network meant and what its chain should hold; raises CheckFailed where it has none."""
    places, _, desired = defined(arguments.name)
    if desired.registry is None:
        raise CheckFailed(
            f"network {places.name!r} has no chain: add `chain: {{role: chain}}` to its nodes"
        )
    return places, desired.registry


def info(arguments: argparse.Namespace) -> int:
    """Height, kind, service nodes and names, and what each term lasts and costs."""
    _, registry = chain_of(arguments)
    status = call(registry.control, "llarp.get_status")
    terms = call(registry.control, "get_terms")["terms"]
    data: dict[str, Any] = {
        "node": registry.node,
        "height": status["height"],
        "top_block_hash": status["topBlockHash"],
        "network_type": status["networkType"],
        "transactions": status["transactions"],
        "service_nodes": status["serviceNodes"],
        "names": len(status["names"]),
        "terms": terms,
    }
    if arguments.json:
        print_json(data)
        return EXIT_OK
    nodes = ", ".join(f"{count} {state}" for state, count in data["service_nodes"].items())
    print(f"chain          {data['node']}, {data['network_type']}")
    print(f"height         {data['height']}, on top of {data['top_block_hash']}")
    print(f"service nodes  {nodes}")
    print(f"names          {data['names']} active, {data['transactions']} transactions in all")
    rows = [
        (
            "1 year" if years == 1 else f"{years} years",
            str(term["blocks"]),
            f"{term['burn'] / ATOMIC_PER_OXEN:g} OXEN",
        )
        for years, term in zip((1, 2, 5, 10), terms, strict=True)
    ]
    print_table(("TERM", "BLOCKS", "PRICE"), rows)
    return EXIT_OK


def mine(arguments: argparse.Namespace) -> int:
    """Close blocks now: time passes for names."""
    if not 1 <= arguments.blocks <= MOST_BLOCKS:
        raise UsageError(f"{arguments.blocks} blocks: 1 to {MOST_BLOCKS} at a time")
    _, registry = chain_of(arguments)
    done = call(registry.control, "generate_blocks", amount_of_blocks=arguments.blocks)
    if arguments.json:
        print_json({"height": done["height"], "blocks": done["blocks"]})
    else:
        print(f"height {done['height']}, {len(done['blocks'])} more")
    return EXIT_OK
