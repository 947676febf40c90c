"""Groups of nodes: what may be written for each role.

Rules: those of `models`.
"""

from __future__ import annotations

from ipaddress import IPv4Interface
from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from orchestrator.applications import ServerAppField, ServiceAppField
from orchestrator.exits import ExitPolicy, ExitUses
from orchestrator.models import Parameter, Seconds, Strict

__all__ = [
    "ADDRESSES_PER_GROUP",
    "CLEARNET_ADDRESSES_PER_GROUP",
    "PARAMETERS",
    "AnyGroup",
    "ChainGroup",
    "ClientGroup",
    "Ended",
    "ExitGroup",
    "Group",
    "Hops",
    "LogFormat",
    "LogLevel",
    "OnClearnet",
    "Paths",
    "RouterGroup",
    "ServerGroup",
    "ServiceGroup",
]

ADDRESSES_PER_GROUP = 1024
"""Each group has its own block of the underlay, so that a group can grow without moving another."""
CLEARNET_ADDRESSES_PER_GROUP = 16
"""The same of the clearnet, for those groups that are on it."""
PARAMETERS = {"path-lifetime": "10 min"}
"""An example."""


def _interface(text: str) -> str:
    if "/" not in text:
        raise ValueError("must be an address with its prefix length, for example 172.16.0.1/16")
    return str(IPv4Interface(text))


Hops = Annotated[int, Field(ge=1, le=8)]
Paths = Annotated[int, Field(ge=3, le=8)]
Count = Annotated[int, Field(ge=1, le=ADDRESSES_PER_GROUP - 1)]
FewCount = Annotated[int, Field(ge=1, le=CLEARNET_ADDRESSES_PER_GROUP - 1)]
InterfaceName = Annotated[str, Field(pattern=r"^[a-zA-Z0-9_.-]{1,15}$")]
InterfaceAddress = Annotated[str, AfterValidator(_interface)]
LogLevel = Literal["trace", "debug", "info", "warn", "error", "critical", "none"]
LogFormat = Literal["text", "json"]
SRV_PATTERN = r"^_[a-z0-9-]+\._[a-z0-9-]+(\.[a-z0-9_-]+)* \d{1,5} \d{1,5} \d{1,5}( \S+)?$"
SrvLine = Annotated[str, Field(pattern=SRV_PATTERN)]


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
    exits: ExitUses = Field(default=[], examples=[["exit.loki"]])
    """What it uses to reach the clearnet: names of exits, or the keys below."""


class ServiceGroup(Ended):
    """A `.loki` address that outlives restarts, and perhaps an application behind it."""

    role: Literal["service"]
    app: Annotated[ServiceAppField | None, Field(examples=["nginx"])] = None
    """What answers at its address: `nginx`, `mumble` or the keys below; without it nothing does."""
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


class ExitGroup(Ended, ExitPolicy):
    """A `.loki` address that leads to the clearnet.

    Its machine forwards and translates addresses as an exit's admin would have it, and its packet
    filter repeats what an exit may not do.
    """

    role: Literal["exit"]
    count: Annotated[FewCount | None, Field(examples=[2])] = None
    """That many exits, called `NAME-1` and so on; without it one, called `NAME`."""


class ServerGroup(Strict):
    """A program on the clearnet: no Lokinet, no way to the links, reached through an exit alone."""

    role: Literal["server"]
    count: Annotated[FewCount | None, Field(examples=[2])] = None
    """That many servers, called `NAME-1` and so on; without it one, called `NAME`."""
    app: Annotated[ServerAppField, Field(examples=["nginx"])]
    """What it runs: `nginx`, `dnsmasq`, `aiosmtpd`, or the keys below."""


OnClearnet = ExitGroup | ServerGroup
AnyGroup = RouterGroup | ClientGroup | ServiceGroup | ChainGroup | ExitGroup | ServerGroup
Group = Annotated[AnyGroup, Field(discriminator="role")]
