"""What may be written in a topology file: its models, and what must hold between values.

Rules: those of `models`; nothing here knows of files, lines or processes. `problems()` finds what
no single value shows (3 routers for 4 hops).
"""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Interface, IPv4Network
from typing import Annotated, Literal

from pydantic import AfterValidator, BeforeValidator, Field

from orchestrator.checklist import Expectation, expectation_problems
from orchestrator.complaints import Problem
from orchestrator.models import Name, Parameter, Port, Seconds, Strict
from orchestrator.naming import Names, name_problems

__all__ = [
    "ChainGroup",
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

ADDRESSES_PER_GROUP = 1024
"""Each group has its own block of the underlay, so that a group can grow without moving another."""
PUBLIC_NETIDS = ("lokinet", "gamma")


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


def _range_size(value: int) -> int:
    if value != 0 and not 4 <= value <= 32:
        raise ValueError("must be 4 to 32, or 0 for off")
    return value


Hops = Annotated[int, Field(ge=1, le=8)]
Paths = Annotated[int, Field(ge=3, le=8)]
Count = Annotated[int, Field(ge=1, le=ADDRESSES_PER_GROUP - 1)]
ImageName = Annotated[str, Field(pattern=r"^[a-z0-9][a-zA-Z0-9._:/@-]{0,254}$")]
InterfaceName = Annotated[str, Field(pattern=r"^[a-zA-Z0-9_.-]{1,15}$")]
InterfaceAddress = Annotated[str, AfterValidator(_interface)]
PARAMETERS = {"path-lifetime": "10 min"}
"""An example."""
LogLevel = Literal["trace", "debug", "info", "warn", "error", "critical", "none"]
LogFormat = Literal["text", "json"]
SRV_PATTERN = r"^_[a-z0-9-]+\._[a-z0-9-]+(\.[a-z0-9_-]+)* \d{1,5} \d{1,5} \d{1,5}( \S+)?$"
SrvLine = Annotated[str, Field(pattern=SRV_PATTERN)]


class NginxApp(Strict):
    """The distribution's nginx, serving one page and whatever is put beside it."""

    kind: Literal["nginx"]
    port: Port = 80
    """Where it listens."""
    page: str | None = None
    """Text of its first page; without it one that says whose it is."""


class CommandApp(Strict):
    """Any foreground program, started as written; `port` is where it answers TCP, if it does."""

    kind: Literal["command"]
    run: Annotated[list[str], Field(min_length=1)]
    """The program and its arguments, one item each; no shell is involved."""
    image: Annotated[ImageName | None, Field(examples=["localhost/lokinet-testnet/voip:local"])] = (
        None
    )
    """On docker: what it is started from; without it the image of tools."""
    port: Port | None = None
    """Where it answers TCP, if it does: `up` waits for that."""


def _app(value: object) -> object:
    return {"kind": value} if isinstance(value, str) else value


App = Annotated[NginxApp | CommandApp, Field(discriminator="kind")]
AppName = Literal["nginx"]
"""All of an application that needs no further words."""


class Grouped(Strict):
    """Lokinet nodes: one of the group's name, or `count` of them, numbered from 1."""

    count: Annotated[Count | None, Field(examples=[2])] = None
    """That many nodes, called `NAME-1` and so on; without it one node, called `NAME`."""
    log: Annotated[LogLevel | None, Field(examples=["debug"])] = None
    """Log level, instead of the network's."""
    log_format: Annotated[LogFormat | None, Field(examples=["json"])] = None
    """Form of the node's log lines, instead of the network's."""
    private_network: dict[str, Parameter] = Field(default={}, examples=[PARAMETERS])
    """Over the network's."""


class RouterGroup(Grouped):
    """Relays; with `tun`, their .snode addresses answer packets."""

    role: Literal["router"]
    tun: bool = False
    """A tun device: the `.snode` address answers packets."""


class Ended(Grouped):
    """What both kinds of path owners may choose."""

    hops: Annotated[Hops | None, Field(examples=[3])] = None
    """Routers on each path, instead of the network's."""
    paths: Annotated[Paths | None, Field(examples=[6])] = None
    """Paths to keep, instead of the network's."""
    ifname: Annotated[InterfaceName | None, Field(examples=["lokitun7"])] = None
    """Name of the tun device: `[network] ifname`."""
    ifaddr: Annotated[InterfaceAddress | None, Field(examples=["172.20.0.1/16"])] = None
    """Its address with prefix length: `[network] ifaddr`."""


class ClientGroup(Ended):
    """People: a tun, a resolver and no published address."""

    role: Literal["client"]


class ServiceGroup(Ended):
    """A `.loki` address that outlives restarts, and perhaps an application behind it."""

    role: Literal["service"]
    app: Annotated[
        Annotated[App, BeforeValidator(_app, json_schema_input_type=App | AppName)] | None,
        Field(examples=["nginx"]),
    ] = None
    """What answers at its address: `nginx`, or the keys below; without it nothing does."""
    srv: list[SrvLine] = Field(default=[], examples=[["_http._tcp 10 0 80"]])
    """SRV records it publishes: `_service._proto PRIORITY WEIGHT PORT [TARGET]`."""


class ChainGroup(Strict):
    """The private chain, one node: routers take their list from it, names are bought on it."""

    role: Literal["chain"]
    blocks: Literal["timed", "on-request"] = "timed"
    """Whether blocks come by themselves, or only by `testnet chain mine`."""
    block_time: Annotated[Seconds, Field(le=86_400)] = 10.0
    """Between two blocks that come by themselves."""
    network_type: Literal["mainnet", "testnet", "fakechain"] = "mainnet"
    """How long names live: as on Lokinet's network of that kind, counted in blocks."""
    log: Annotated[LogLevel | None, Field(examples=["debug"])] = None
    """Log level, instead of the network's."""
    log_format: Annotated[LogFormat | None, Field(examples=["json"])] = None
    """Form of the node's log lines, instead of the network's."""

    @property
    def count(self) -> None:
        """A chain is one node."""


AnyGroup = RouterGroup | ClientGroup | ServiceGroup | ChainGroup
Group = Annotated[AnyGroup, Field(discriminator="role")]


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
    """One node of a group, at its fixed underlay address."""

    name: str
    group_name: str
    group: AnyGroup
    address: str


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
    tuns = {
        node.name: getattr(node.group, "tun", not isinstance(node.group, ChainGroup))
        for node in nodes
    }
    found += expectation_problems(topology.tests, tuns)
    found += _chain_problems(topology)
    services = [node.name for node in nodes if isinstance(node.group, ServiceGroup)]
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
