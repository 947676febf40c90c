"""Addresses for a network of containers, which share the machine's with everybody else's.

The engine refuses what another of its networks has; what the machine itself has a way to (a VPN, a
LAN) it would silently cut off. So both are avoided.
"""

from __future__ import annotations

import socket
import struct
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from ipaddress import IPv4Network
from pathlib import Path
from typing import Any

__all__ = [
    "Taken",
    "free_clearnet",
    "free_underlay",
    "gateway_of",
    "taken_by_engine",
    "taken_by_machine",
]

ROUTES = Path("/proc/net/route")
OTHERS = tuple(IPv4Network((0x0A000000 | second << 16, 16)) for second in range(78, 128))
"""Tried in turn: 10.78.0.0/16 to 10.127.0.0/16."""
CLEARNETS = ("203.0.113.0/24", "198.51.100.0/24", "192.0.2.0/24")
"""For documentation: RFC 5737."""


@dataclass(frozen=True, slots=True)
class Taken:
    """Addresses of somebody else, and whose they are."""

    network: IPv4Network
    by: str


def free_underlay(wanted: str, taken: Iterable[Taken]) -> tuple[str | None, Taken | None]:
    """(a free /16, who has the wanted one); the wanted one and nobody if it is free.

    None where nothing is free.
    """
    everybody = list(taken)
    first = IPv4Network(wanted)
    in_the_way = _in_the_way(first, everybody)
    if in_the_way is None:
        return wanted, None
    free = (each for each in OTHERS if each != first and _in_the_way(each, everybody) is None)
    found = next(free, None)
    return (str(found) if found else None), in_the_way


def free_clearnet(wanted: str, taken: Iterable[Taken]) -> str | None:
    """The wanted range if nobody has it, or another one for documentation; None: all are taken."""
    everybody = list(taken)
    return next(
        (
            each
            for each in (wanted, *CLEARNETS)
            if _in_the_way(IPv4Network(each), everybody) is None
        ),
        None,
    )


def gateway_of(underlay: str) -> str:
    """What the engine shall take for the gateway it insists on: nobody's address, the last one."""
    return str(IPv4Network(underlay).broadcast_address - 1)


def taken_by_engine(networks: Iterable[Mapping[str, Any]], ours: str = "") -> Iterator[Taken]:
    """Of the engine's networks, by `GET /networks`; `ours` is the name of one to leave out."""
    for network in networks:
        for config in (network.get("IPAM") or {}).get("Config") or []:
            subnet = str(config.get("Subnet", ""))
            if network["Name"] != ours and subnet and ":" not in subnet:
                yield Taken(IPv4Network(subnet, strict=False), f"network {network['Name']}")


def taken_by_machine(routes: Path = ROUTES) -> Iterator[Taken]:
    """Where this machine has a way to, besides the default route."""
    try:
        lines = routes.read_text(encoding="ascii").splitlines()[1:]
    except OSError:
        return
    for line in lines:
        link, destination, *rest = line.split()
        mask = rest[5]
        if int(mask, 16):
            address = f"{_dotted(destination)}/{_dotted(mask)}"
            yield Taken(IPv4Network(address, strict=False), f"a route of this machine ({link})")


def _dotted(number: str) -> str:
    """Eight hex digits in the machine's byte order: proc(5)."""
    return socket.inet_ntoa(struct.pack("=I", int(number, 16)))


def _in_the_way(wanted: IPv4Network, taken: Iterable[Taken]) -> Taken | None:
    return next((each for each in taken if each.network.overlaps(wanted)), None)
