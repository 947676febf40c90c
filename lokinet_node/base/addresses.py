"""IPv4 addresses, ranges and endpoints as values; which addresses the public internet routes.

Addresses are integers of 32 bits where they are computed with and dotted text at the edges.
An Endpoint is a tuple that sockets take as it is.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from lokinet_node.base.errors import NameSyntaxError
from lokinet_node.base.special import GROUPS, LOCAL, PRIVATE, UNROUTED

MAX_PORT = 0xFFFF
_BITS = 32
_ALL_ONES = 0xFFFFFFFF


class Endpoint(NamedTuple):
    """Where a UDP or TCP socket is: dotted IPv4 address and port (0: any free one)."""

    ip: str
    port: int

    def __str__(self) -> str:
        """`ip:port`."""
        return f"{self.ip}:{self.port}"


@dataclass(frozen=True, slots=True)
class Range:
    """An address and the network around it, as `10.0.0.1/16` says both."""

    address: int
    prefix: int

    def __str__(self) -> str:
        """`address/prefix`."""
        return f"{format_ipv4(self.address)}/{self.prefix}"

    @property
    def mask(self) -> int:
        """Ones where the network's bits are."""
        return _ALL_ONES << (_BITS - self.prefix) & _ALL_ONES

    @property
    def first(self) -> int:
        """Lowest address of the network."""
        return self.address & self.mask

    @property
    def last(self) -> int:
        """Highest address of the network: its broadcast address."""
        return self.first | (_ALL_ONES ^ self.mask)

    def __contains__(self, address: int) -> bool:
        """Whether an address lies in the network."""
        return self.first <= address <= self.last


def parse_ipv4(text: str) -> int:
    """`192.0.2.1` as an integer; NameSyntaxError for everything but four plain decimals."""
    parts = text.split(".")
    if len(parts) != 4 or not all(_is_octet(part) for part in parts):
        raise NameSyntaxError(f"{text!r} is not an IPv4 address")
    return int.from_bytes(bytes(map(int, parts)), "big")


def format_ipv4(address: int) -> str:
    """Dotted text of an address."""
    return ".".join(map(str, address.to_bytes(4, "big")))


def parse_range(text: str) -> Range:
    """`address/prefix`; NameSyntaxError otherwise."""
    address, slash, prefix = text.partition("/")
    if not slash or not _is_number(prefix, 2) or int(prefix) > _BITS:
        raise NameSyntaxError(f"{text!r} is not an IPv4 range such as 10.0.0.1/16")
    return Range(parse_ipv4(address), int(prefix))


def parse_endpoint(text: str, ip: str | None = None, port: int | None = None) -> Endpoint:
    """`ip:port`; the defaults given stand in for a part left out; NameSyntaxError otherwise."""
    host, colon, number = text.partition(":")
    host = host or ip or ""
    if not host or (not colon and port is None):
        raise NameSyntaxError(f"{text!r} is not ip:port")
    parse_ipv4(host)
    if not colon and port is not None:
        return Endpoint(host, port)
    if not _is_number(number, 5) or int(number) > MAX_PORT:
        raise NameSyntaxError(f"{number!r} is not a port")
    return Endpoint(host, int(number))


def is_bogon(address: int) -> bool:
    """True for addresses the public internet does not route (Lokinet's list, IPv4 part)."""
    return any(address in range_ for range_ in _BOGONS)


def is_loopback(address: int) -> bool:
    """True for 127.0.0.0/8."""
    return address >> 24 == 127


def _is_number(text: str, digits: int) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= digits


def _is_octet(text: str) -> bool:
    return _is_number(text, 3) and str(int(text)) == text and int(text) <= 0xFF


_BOGONS = tuple(map(parse_range, (*LOCAL, *GROUPS, *PRIVATE, *UNROUTED)))
