"""Names to be bought on the network's chain: the part `names:` of a topology file. Pure.

The rules of names are Lokinet's registry's; the node has its own copy, and a test compares them.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from typing import Annotated, Literal

from pydantic import AfterValidator, BeforeValidator, Field

from orchestrator.complaints import Problem, did_you_mean
from orchestrator.models import HostName, Name, Strict

__all__ = ["NameGoal", "Names", "name_problem", "name_problems"]

ADDRESS = re.compile(r"[ybndrfg8ejkmcpqxot1uwisza345h769]{51}[yo]\.loki")
LABEL = re.compile(r"[a-z0-9]([a-z0-9-]*[a-z0-9])?")
SUFFIX = ".loki"
RESERVED = ("localhost.loki", "loki.loki", "snode.loki")
DEFAULT_OWNER = "owner"


def name_problem(name: str) -> str | None:
    """Why the registry would refuse a name; None if it takes it."""
    label = name.removesuffix(SUFFIX)
    if label == name or not LABEL.fullmatch(label):
        return "must be one label of a-z, 0-9 and '-' before .loki, for example web.loki"
    if name in RESERVED:
        return f"{name} is reserved"
    if label[2:4] == "--" and not label.startswith("xn--"):
        return "'--' in third place is kept for names in punycode (xn--)"
    most = 63 if "-" in label else 32
    if len(label) > most:
        return f"at most {most} characters before .loki" + (
            "" if most == 63 else ", or 63 with a '-'"
        )
    return None


def _ons_name(text: str) -> str:
    if problem := name_problem(text):
        raise ValueError(problem)
    return text


class NameGoal(Strict):
    """What a bought name stands for, and whose it is."""

    to: HostName
    """A service of this topology, or a `<52>.loki` address."""
    owner: Name = DEFAULT_OWNER
    """Who may change it: the name of a key, made when it is first used."""
    backup_owner: Annotated[Name | None, Field(examples=["heir"])] = None
    """Another key with the same rights."""
    years: Literal[1, 2, 5, 10] = 1
    """How long it is bought for, in Lokinet's years; the chain's `network-type` shortens them."""


def _goal(value: object) -> object:
    return {"to": value} if isinstance(value, str) else value


OnsName = Annotated[str, AfterValidator(_ons_name)]
Names = dict[
    OnsName,
    Annotated[NameGoal, BeforeValidator(_goal, json_schema_input_type=NameGoal | HostName)],
]


def name_problems(
    names: Mapping[str, NameGoal], services: Collection[str], chains: Collection[str]
) -> Iterator[Problem]:
    """Names without a chain, for nodes that are no services, or owned twice by one key."""
    if names and not chains:
        text = "there is no chain to buy them on: add `chain: {role: chain}` to nodes"
        yield Problem(("names",), text)
    for name, goal in names.items():
        if goal.backup_owner == goal.owner:
            where = ("names", name, "backup-owner")
            yield Problem(where, "is the owner already: leave it out or name another key")
        if goal.to in services or ADDRESS.fullmatch(goal.to):
            continue
        hint = did_you_mean(goal.to, services)
        text = f"{goal.to!r} is neither a service here nor a <52>.loki address{hint}"
        yield Problem(("names", name, "to"), text)
