"""Answers to DNS questions, without sockets and without waiting.

    answer(query, zone)           a finished message, or
                                  NeedAddress: have it resolved, then finish(query, need, ip), or
                                  Forward: ask an upstream resolver, or SERVFAIL without one

Rules, beside Lokinet's table: a name that has an address exists for every type, so a type it
lacks is answered at once with success, no record, and a SOA of one second, never NXDOMAIN and
never a lookup; in answers with a CNAME the address belongs to the CNAME's target (DIFFERS:
Lokinet gives both the name asked for, which resolvers that check owners ignore).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, TypeAlias

from lokinet_node.base.names import encode_base32z
from lokinet_node.dns.message import (
    CLASS_IN,
    Code,
    Labels,
    Query,
    Record,
    Type,
    encode_answer,
    encode_empty,
    encode_error,
    encode_missing,
)
from lokinet_node.dns.route import (
    SNODE,
    Remote,
    Reverse,
    Router,
    Special,
    Target,
    route,
    zone_of,
)

if TYPE_CHECKING:
    from lokinet_node.base.addresses import Range
    from lokinet_node.base.ids import RouterID

__all__ = ["Answer", "Forward", "NeedAddress", "Zone", "answer", "fail", "finish"]


class Zone(Protocol):
    """What a node can say at once about itself and its addresses."""

    def own_name(self) -> str:
        """`<52>.loki`, or `<52>.snode` on a router."""

    def own_ip(self) -> int | None:
        """The tun address; None without a tun."""

    def tun_range(self) -> Range | None:
        """The range whose reverse names are ours; None without a tun."""

    def name_at(self, ip: int) -> str | None:
        """The name a tun address is mapped to, the own one included."""

    def random_router(self) -> RouterID | None:
        """Some router the node knows."""

    def netid(self) -> str:
        """The network's name."""


@dataclass(frozen=True, slots=True)
class NeedAddress:
    """The question can be answered once an identity has a tun address."""

    kind: str
    """`loki` or `snode`."""
    key: bytes
    """The 32 bytes of the identity."""
    alias: Labels | None = None
    """The identity's own name, where the question used another: a CNAME leads to it."""


@dataclass(frozen=True, slots=True)
class Forward:
    """The name is nobody's here."""


Answer: TypeAlias = bytes | NeedAddress | Forward


def answer(query: Query, zone: Zone) -> Answer:
    """What a question deserves now."""
    if query.opcode != 0:
        return encode_error(query, Code.NOTIMP)
    if query.edns_version:
        return encode_error(query, Code.BADVERS)
    if query.questions != 1:
        return encode_error(query, Code.SERVFAIL)
    target = route(query.labels, zone.tun_range())
    if target is Special.ELSEWHERE:
        return Forward()
    if query.qclass != CLASS_IN:
        return encode_error(query, Code.REFUSED)
    return _answer_ours(query, target, zone)


def finish(query: Query, need: NeedAddress, ip: int | None) -> bytes:
    """The answer to a question that waited; no address: the name does not exist."""
    if ip is None:
        return encode_missing(query, zone_of(query.labels))
    if need.alias is None:
        return encode_answer(query, (Record(query.asked, Type.A, ip),))
    alias = Record(query.asked, Type.CNAME, need.alias)
    return encode_answer(query, (alias, Record(need.alias, Type.A, ip)))


def fail(query: Query) -> bytes:
    """The answer to a question that nobody could look into."""
    return encode_error(query, Code.SERVFAIL)


def _answer_ours(query: Query, target: Target, zone: Zone) -> Answer:
    match target:
        case Remote() | Router():
            return _answer_remote(query, target)
        case Reverse():
            return _answer_reverse(query, target.ip, zone)
        case Special.LOCALHOST | Special.NETID:
            return _answer_localhost(query, target, zone)
        case Special.RANDOM_ROUTER:
            return _answer_random(query, zone.random_router())
        case Special.TOP:
            return _empty(query)
        case _:  # no exits yet, unknown names, the canary (which lies in no zone of ours)
            zone_name = None if target is Special.CANARY else zone_of(query.labels)
            return encode_missing(query, zone_name)


def _answer_remote(query: Query, target: Remote | Router) -> Answer:
    if query.qtype == Type.A:
        if isinstance(target, Remote):
            return NeedAddress("loki", target.address)
        return NeedAddress("snode", target.router)
    return _mail(query) if query.qtype == Type.MX else _empty(query)


def _answer_reverse(query: Query, ip: int, zone: Zone) -> bytes:
    name = zone.name_at(ip)
    if name is None:
        return encode_missing(query, zone_of(query.labels))
    if query.qtype != Type.PTR:
        return _empty(query)
    return encode_answer(query, (Record(query.asked, Type.PTR, _labels(name)),))


def _answer_localhost(query: Query, target: Special, zone: Zone) -> bytes:
    name = _labels(zone.own_name())
    alias = Record(query.asked, Type.CNAME, name)
    ip = zone.own_ip()
    if query.qtype == Type.CNAME:
        return encode_answer(query, (alias,))
    if query.qtype == Type.A and ip is None:
        return fail(query)
    if query.qtype == Type.A and ip is not None:
        return encode_answer(query, (alias, Record(name, Type.A, ip)))
    if query.qtype == Type.TXT and target is Special.NETID:
        text = f"netid={zone.netid()};".encode()
        return encode_answer(query, (Record(query.asked, Type.TXT, text),))
    return _mail(query) if query.qtype == Type.MX else _empty(query)


def _answer_random(query: Query, router: RouterID | None) -> Answer:
    if router is None:
        return encode_missing(query, zone_of(query.labels))
    name = (encode_base32z(router).encode(), SNODE)
    if query.qtype == Type.A:
        return NeedAddress("snode", router, alias=name)
    if query.qtype == Type.CNAME:
        return encode_answer(query, (Record(query.asked, Type.CNAME, name),))
    return _mail(query) if query.qtype == Type.MX else _empty(query)


def _mail(query: Query) -> bytes:
    """Mail for a name goes to the name itself."""
    return encode_answer(query, (Record(query.asked, Type.MX, query.asked),))


def _empty(query: Query) -> bytes:
    return encode_empty(query, zone_of(query.labels))


def _labels(name: str) -> Labels:
    return tuple(name.encode("ascii").split(b"."))
