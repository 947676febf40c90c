"""Which name is whose: the labels of a question to what they mean here.

A name under `loki` or `snode` never leaves the node, however it is written; neither does the
reverse of an address in the tun's range. Labels are lower case when they come here.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, auto
from typing import TYPE_CHECKING, TypeAlias

from lokinet_node.base.errors import NameSyntaxError
from lokinet_node.base.ids import LokiAddress, RouterID
from lokinet_node.base.names import LOKI_SUFFIX, parse_key
from lokinet_node.crypto.ons import validate_name

if TYPE_CHECKING:
    from lokinet_node.base.addresses import Range
    from lokinet_node.dns.message import Labels

LOKI, SNODE = b"loki", b"snode"
_LOCALHOST = (b"localhost", LOKI)
_REVERSE = (b"in-addr", b"arpa")
_REVERSE_LABELS = 6
_REVERSE6 = (b"ip6", b"arpa")
_REVERSE6_LABELS = 34
_PREFIX_NIBBLES = 24
_NIBBLES = frozenset(b"0123456789abcdef")
_CANARY = (b"use-application-dns", b"net")
"""The name browsers ask for to learn whether they may go round the system's resolver."""


class Special(Enum):
    """Names with one meaning each."""

    LOCALHOST = auto()
    """`localhost.loki` and everything under it but the two below: the node itself."""
    EXITS = auto()
    """`exit.localhost.loki`: the exits that are mapped."""
    NETID = auto()
    """`netid.localhost.loki`."""
    RANDOM_ROUTER = auto()
    """`random.snode`."""
    TOP = auto()
    """`loki` and `snode` themselves."""
    NOBODY = auto()
    """Ours by its ending, and a name that nobody can have."""
    CANARY = auto()
    """Denied, so that browsers keep using this resolver."""
    ELSEWHERE = auto()
    """Not ours."""


@dataclass(frozen=True, slots=True)
class Remote:
    """A `.loki` address."""

    address: LokiAddress


@dataclass(frozen=True, slots=True)
class Bought:
    """A name that may be registered, without what stood before it."""

    name: str
    """`web.loki`"""


@dataclass(frozen=True, slots=True)
class Router:
    """A `.snode` address."""

    router: RouterID


@dataclass(frozen=True, slots=True)
class Reverse:
    """The reverse name of an address in the tun's range."""

    ip: int


Target: TypeAlias = Special | Remote | Bought | Router | Reverse


def route(labels: Labels, tun_range: Range | None, prefix6: bytes | None = None) -> Target:
    """What a name means; never an error, as any name may be asked for.

    `prefix6` are the 12 bytes that stand before a tun address in IPv6.
    """
    if labels[-1:] == (LOKI,):
        return _route_loki(labels)
    if labels[-1:] == (SNODE,):
        return _route_snode(labels)
    if labels[-2:] == _REVERSE and tun_range is not None:
        ip = _reversed(labels[-6:-2])
        if ip is not None and ip in tun_range:
            return Reverse(ip) if len(labels) == _REVERSE_LABELS else Special.NOBODY
    if labels[-2:] == _REVERSE6 and tun_range is not None and prefix6 is not None:
        ip = _reversed6(labels[-_REVERSE6_LABELS:-2], prefix6)
        if ip is not None and ip in tun_range:
            return Reverse(ip) if len(labels) == _REVERSE6_LABELS else Special.NOBODY
    return Special.CANARY if labels == _CANARY else Special.ELSEWHERE


def zone_of(labels: Labels) -> Labels:
    """The zone of ours a name lies in: its last label, or for reverse names the /8."""
    if labels[-2:] == _REVERSE6:
        return labels[-4:]
    return labels[-3:] if labels[-2:] == _REVERSE else labels[-1:]


def _route_loki(labels: Labels) -> Target:
    if len(labels) == 1:
        return Special.TOP
    if labels[-2:] == _LOCALHOST:
        words: dict[Labels, Special] = {(b"exit",): Special.EXITS, (b"netid",): Special.NETID}
        return words.get(labels[:-2], Special.LOCALHOST)
    key = _key(labels[-2])
    return _bought(labels[-2]) if key is None else Remote(LokiAddress(key))


def _bought(label: bytes) -> Target:
    try:
        name = f"{label.decode('ascii')}{LOKI_SUFFIX}"
        validate_name(name)
    except (NameSyntaxError, UnicodeDecodeError):
        return Special.NOBODY
    return Bought(name)


def _route_snode(labels: Labels) -> Target:
    if len(labels) == 1:
        return Special.TOP
    if labels == (b"random", SNODE):
        return Special.RANDOM_ROUTER
    key = _key(labels[0]) if len(labels) == 2 else None
    return Special.NOBODY if key is None else Router(RouterID(key))


def _key(label: bytes) -> bytes | None:
    try:
        return parse_key(label.decode("ascii"))
    except (NameSyntaxError, UnicodeDecodeError):
        return None


def _reversed(labels: Labels) -> int | None:
    """The address whose octets are written backwards, if it is one."""
    if len(labels) != 4 or not all(label.isdigit() and len(label) <= 3 for label in labels):
        return None
    octets = [int(label) for label in reversed(labels)]
    return int.from_bytes(bytes(octets), "big") if max(octets) <= 0xFF else None


def _reversed6(labels: Labels, prefix: bytes) -> int | None:
    """The IPv4 address in the low 32 bits of one with this prefix, written backwards."""
    digits = b"".join(labels[::-1])
    if len(labels) != len(digits) or len(digits) != _REVERSE6_LABELS - 2:
        return None
    if not _NIBBLES.issuperset(digits) or bytes.fromhex(digits.decode())[:12] != prefix:
        return None
    return int(digits[_PREFIX_NIBBLES:], 16)
