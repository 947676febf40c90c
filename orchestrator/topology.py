"""What may be written in a topology file: its models, and what must hold between values.

Rules: those of `models`; nothing here knows of files, lines or processes. `problems()` finds what
no single value shows (3 routers for 4 hops).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network
from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from orchestrator.checklist import Expectation, expectation_problems
from orchestrator.complaints import Problem
from orchestrator.exits import policy_problems, use_problems
from orchestrator.groups import (
    ADDRESSES_PER_GROUP,
    CLEARNET_ADDRESSES_PER_GROUP,
    PARAMETERS,
    AnyGroup,
    ChainGroup,
    ClientGroup,
    Ended,
    ExitGroup,
    Group,
    Hops,
    LogFormat,
    LogLevel,
    OnClearnet,
    Paths,
    RouterGroup,
    ServerGroup,
    ServiceGroup,
)
from orchestrator.models import Name, Parameter, Strict
from orchestrator.naming import Names, name_problems

__all__ = ["Member", "Problem", "Topology", "members", "problems"]

ClearnetRange = Literal["192.0.2.0/24", "198.51.100.0/24", "203.0.113.0/24"]
"""RFC 5737: for documentation, so nobody's."""
CLEARNET_GROUPS = 15
"""Of 16 addresses each; the last block has none to give: the engine wants one of it."""
PUBLIC_NETIDS = ("lokinet", "gamma")


def _underlay(text: str) -> str:
    network = IPv4Network(text)
    if network.prefixlen != 16 or not network.is_private:
        raise ValueError("must be a private /16, for example 10.77.0.0/16")
    return str(network)


def _private_netid(text: str) -> str:
    if text in PUBLIC_NETIDS:
        raise ValueError(f"{text!r} is a public network; a private one needs its own id")
    return text


def _range_size(value: int) -> int:
    if value != 0 and not 4 <= value <= 32:
        raise ValueError("must be 4 to 32, or 0 for off")
    return value


class Topology(Strict):
    """One private network."""

    name: Name
    """The network's name; `testnet -n` picks it."""
    netid: Annotated[str, Field(pattern=r"^[a-z0-9-]{1,8}$"), AfterValidator(_private_netid)] = (
        "testnet"
    )
    """Lokinet's network id; the public ones are refused."""
    backend: Literal["auto", "netns", "docker"] = "auto"
    """Where it lives; auto: in namespaces where this machine is fit for them, else containers."""
    underlay: Annotated[str, AfterValidator(_underlay)] = "10.77.0.0/16"
    """Private /16 of the links. A group has 1024 addresses of its own: growing it moves nobody."""
    clearnet: ClearnetRange = "203.0.113.0/24"
    """Where the servers are, and the exits with one foot: reached over exits alone."""
    hops: Hops = 4
    """Routers on each path, for all path owners."""
    paths: Annotated[Paths | None, Field(examples=[6])] = None
    """Paths each path owner keeps; without it as many as the node thinks right."""
    seeds: Annotated[int, Field(ge=1)] = 1
    """How many routers, from the first, are in everybody's bootstrap."""
    unique_range_size: Annotated[int, AfterValidator(_range_size)] = 32
    """Hops of a path are in distinct IPv4 networks of this size (4 to 32); 0 is off."""
    log: LogLevel = "info"
    """Log level of all nodes."""
    log_format: LogFormat = "text"
    """Form of all nodes' log lines: words, or a JSON object each."""
    private_network: dict[str, Parameter] = Field(default={}, examples=[PARAMETERS])
    """Values for the nodes' section `[private-network]`, such as `path-lifetime: 10 min`."""
    nodes: Annotated[dict[Name, Group], Field(min_length=1, max_length=62)]
    """Groups of nodes by name."""
    names: Names = Field(default={}, examples=[{"web.loki": "web"}])
    """Names to buy on the chain, and what they stand for: a service, or the keys below."""
    tests: list[Expectation] = Field(
        default=[], examples=[[{"http": {"from": "alice", "to": "web"}}]]
    )
    """What must hold of the network: `testnet test` checks it."""


@dataclass(frozen=True, slots=True)
class Member:
    """One node of a group, at its fixed address."""

    name: str
    group_name: str
    group: AnyGroup
    address: str
    """On the underlay; a server's is on the clearnet."""
    clearnet: str = ""
    """A server's address again, or an exit's other one."""


def members(topology: Topology) -> tuple[Member, ...]:
    """Every node in file order; the same file always gives the same addresses."""
    base = int(IPv4Network(topology.underlay).network_address)
    clearnet = int(IPv4Network(topology.clearnet).network_address)
    found: list[Member] = []
    clearnet_block = -1
    for block, (group_name, group) in enumerate(topology.nodes.items()):
        on_clearnet = isinstance(group, OnClearnet)
        clearnet_block += on_clearnet
        for index in range(1, (group.count or 1) + 1):
            name = group_name if group.count is None else f"{group_name}-{index}"
            address = str(IPv4Address(base + block * ADDRESSES_PER_GROUP + index))
            other = ""
            if on_clearnet:
                offset = clearnet_block * CLEARNET_ADDRESSES_PER_GROUP + index
                other = str(IPv4Address(clearnet + offset))
            if isinstance(group, ServerGroup):
                address = other
            found.append(Member(name, group_name, group, address, other))
    return tuple(found)


def problems(topology: Topology) -> list[Problem]:
    """Everything that is wrong between values; empty when the network can be built."""
    nodes = members(topology)
    routers = [node for node in nodes if isinstance(node.group, RouterGroup)]
    found = _name_problems(nodes)
    tuns = {
        node.name: getattr(node.group, "tun", not isinstance(node.group, ChainGroup | ServerGroup))
        for node in nodes
    }
    servers = [node.name for node in nodes if isinstance(node.group, ServerGroup)]
    found += expectation_problems(topology.tests, tuns, servers)
    found += _chain_problems(topology)
    found += _clearnet_problems(topology)
    services = [node.name for node in nodes if isinstance(node.group, ServiceGroup | ExitGroup)]
    chains = [node.name for node in nodes if isinstance(node.group, ChainGroup)]
    found += name_problems(topology.names, services, chains)
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
        if not isinstance(group, Ended):
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


def _chain_problems(topology: Topology) -> list[Problem]:
    """There is at most one chain."""
    chains = [name for name, group in topology.nodes.items() if isinstance(group, ChainGroup)]
    return [
        Problem(("nodes", name), f"a network has one chain: this one has {chains[0]!r} already")
        for name in chains[1:]
    ]


def _clearnet_problems(topology: Topology) -> Iterator[Problem]:
    """What is on the clearnet has room there, and a way to it."""
    there = [name for name, group in topology.nodes.items() if isinstance(group, OnClearnet)]
    for name in there[CLEARNET_GROUPS:]:
        text = f"the clearnet has room for {CLEARNET_GROUPS} groups of exits and servers"
        yield Problem(("nodes", name), text)
    exits = [name for name in there if isinstance(topology.nodes[name], ExitGroup)]
    servers = [node.name for node in members(topology) if isinstance(node.group, ServerGroup)]
    for name, group in topology.nodes.items():
        if isinstance(group, ExitGroup):
            yield from policy_problems(("nodes", name), group, servers)
        elif isinstance(group, ClientGroup):
            yield from use_problems(("nodes", name), group.exits, topology.names)
    if there and not exits:
        text = "nobody can reach it without an exit: add `exit: {role: exit}` to nodes"
        yield Problem(("nodes", there[0]), text)


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
