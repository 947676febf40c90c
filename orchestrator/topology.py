"""What may be written in a topology file: strict models, and what must hold between values.

Rules: keys are written with hyphens; unknown keys are refused; every value has one type; the models
know nothing of files, lines or processes. `problems()` finds what no single value shows (3 routers
for 4 hops).
"""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Interface, IPv4Network
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field

from orchestrator.units import parse_duration

__all__ = [
    "ClientGroup",
    "CommandApp",
    "Group",
    "Member",
    "NginxApp",
    "Problem",
    "RouterGroup",
    "ServiceGroup",
    "Topology",
    "members",
    "problems",
]

NAME_PATTERN = r"^[a-z0-9][a-z0-9-]{0,30}$"
ADDRESSES_PER_GROUP = 1024
"""Each group has its own block of the underlay, so that a group can grow without moving another."""
PUBLIC_NETIDS = ("lokinet", "gamma")


def _to_kebab(name: str) -> str:
    return name.replace("_", "-")


def _underlay(text: str) -> str:
    network = IPv4Network(text)
    if network.prefixlen != 16 or not network.is_private:
        raise ValueError("must be a private /16, for example 10.77.0.0/16")
    return str(network)


def _interface(text: str) -> str:
    if "/" not in text:
        raise ValueError("must be an address with its prefix length, for example 172.16.0.1/16")
    return str(IPv4Interface(text))


def _private_netid(text: str) -> str:
    if text in PUBLIC_NETIDS:
        raise ValueError(f"{text!r} is a public network; a private one needs its own id")
    return text


def _parameter(value: object) -> object:
    """Durations of extension parameters become seconds; numbers, booleans and other text stay."""
    if isinstance(value, str) and value[:1].isdigit():
        seconds = parse_duration(value)
        return int(seconds) if seconds.is_integer() else seconds
    return value


Name = Annotated[str, Field(pattern=NAME_PATTERN)]
Parameter = Annotated[bool | int | float | str, BeforeValidator(_parameter)]
Hops = Annotated[int, Field(ge=1, le=8)]
Paths = Annotated[int, Field(ge=3, le=8)]
Port = Annotated[int, Field(ge=1, le=65535)]
LogLevel = Literal["trace", "debug", "info", "warn", "error", "critical", "none"]


class Strict(BaseModel):
    """Unknown keys and values of another type are errors; written with hyphens; never changed."""

    model_config = ConfigDict(
        extra="forbid", strict=True, frozen=True, alias_generator=_to_kebab, validate_by_name=False
    )


class NginxApp(Strict):
    """The distribution's nginx, serving one page and whatever is put beside it."""

    kind: Literal["nginx"]
    port: Port = 80
    page: str | None = None


class CommandApp(Strict):
    """Any foreground program, started as written; `port` is where it answers TCP, if it does."""

    kind: Literal["command"]
    run: Annotated[list[str], Field(min_length=1)]
    port: Port | None = None


def _app(value: object) -> object:
    return {"kind": value} if isinstance(value, str) else value


App = Annotated[NginxApp | CommandApp, Field(discriminator="kind")]


class Grouped(Strict):
    """What every role shares: one node of the group's name, or `count` of them, numbered from 1."""

    count: Annotated[int, Field(ge=1, le=ADDRESSES_PER_GROUP - 1)] | None = None
    log: LogLevel | None = None
    private_network: dict[str, Parameter] = {}


class RouterGroup(Grouped):
    """Relays; with `tun`, their .snode addresses answer packets."""

    role: Literal["router"]
    tun: bool = False


class Ended(Grouped):
    """What both kinds of path owners may choose."""

    hops: Hops | None = None
    paths: Paths | None = None
    ifname: Annotated[str, Field(pattern=r"^[a-zA-Z0-9_.-]{1,15}$")] | None = None
    ifaddr: Annotated[str, AfterValidator(_interface)] | None = None


class ClientGroup(Ended):
    """People: a tun, a resolver and no published address."""

    role: Literal["client"]


class ServiceGroup(Ended):
    """A `.loki` address that outlives restarts, and perhaps an application behind it."""

    role: Literal["service"]
    app: Annotated[App, BeforeValidator(_app)] | None = None


Group = Annotated[RouterGroup | ClientGroup | ServiceGroup, Field(discriminator="role")]


class Topology(Strict):
    """One private network."""

    name: Name
    netid: Annotated[str, Field(pattern=r"^[a-z0-9-]{1,8}$"), AfterValidator(_private_netid)] = (
        "testnet"
    )
    underlay: Annotated[str, AfterValidator(_underlay)] = "10.77.0.0/16"
    hops: Hops = 4
    paths: Paths | None = None
    seeds: Annotated[int, Field(ge=1)] = 1
    unique_range_size: Annotated[int, Field(ge=4, le=32)] | Literal[0] = 32
    log: LogLevel = "info"
    private_network: dict[str, Parameter] = {}
    nodes: Annotated[dict[Name, Group], Field(min_length=1, max_length=62)]


@dataclass(frozen=True, slots=True)
class Member:
    """One node of a group, at its fixed underlay address."""

    name: str
    group_name: str
    group: RouterGroup | ClientGroup | ServiceGroup
    address: str


@dataclass(frozen=True, slots=True)
class Problem:
    """What is wrong and where: `location` is the path of keys to the culprit."""

    location: tuple[str, ...]
    message: str


def members(topology: Topology) -> tuple[Member, ...]:
    """Every node in file order; the same file always gives the same addresses."""
    base = int(IPv4Network(topology.underlay).network_address)
    found: list[Member] = []
    for block, (group_name, group) in enumerate(topology.nodes.items()):
        for index in range(1, (group.count or 1) + 1):
            name = group_name if group.count is None else f"{group_name}-{index}"
            address = str(IPv4Address(base + block * ADDRESSES_PER_GROUP + index))
            found.append(Member(name, group_name, group, address))
    return tuple(found)


def problems(topology: Topology) -> list[Problem]:
    """Everything that is wrong between values; empty when the network can be built."""
    nodes = members(topology)
    routers = [node for node in nodes if isinstance(node.group, RouterGroup)]
    found = _name_problems(nodes)
    if not routers:
        found.append(
            Problem(("nodes",), "no group has role router: add `router: {role: router, count: 4}`")
        )
        return found
    found += _hop_problems(topology, len(routers), routers[0].group_name)
    if topology.seeds > len(routers):
        found.append(
            Problem(
                ("seeds",),
                f"{topology.seeds} seeds but {_count(len(routers), 'router')}: "
                f"set seeds to {len(routers)} or fewer",
            )
        )
    return found


def _hop_problems(topology: Topology, routers: int, router_group: str) -> list[Problem]:
    found = []
    for name, group in topology.nodes.items():
        if isinstance(group, RouterGroup):
            continue
        hops = group.hops or topology.hops
        if hops <= routers:
            continue
        where = ("nodes", name, "hops") if group.hops else ("nodes", router_group, "count")
        found.append(
            Problem(
                where,
                f"{_count(routers, 'router')} cannot make the {hops}-hop paths of {name}, hops "
                f"are all different: add routers (count: {hops}) or set hops to {routers} or fewer",
            )
        )
        if not group.hops:
            break  # the same shortage once, not once for each client
    return found


def _name_problems(nodes: tuple[Member, ...]) -> list[Problem]:
    found = []
    owners: dict[str, str] = {}
    for node in nodes:
        if len(node.name) > 31:
            found.append(
                Problem(
                    ("nodes", node.group_name),
                    f"the name {node.name!r} is longer than 31 characters: shorten the group's",
                )
            )
        if node.name in owners:
            found.append(
                Problem(
                    ("nodes", node.group_name),
                    f"two nodes would be called {node.name!r} (the other is of group "
                    f"{owners[node.name]!r}): rename one group",
                )
            )
        owners[node.name] = node.group_name
    return found


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
