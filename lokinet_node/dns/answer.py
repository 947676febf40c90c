"""Answers to DNS questions, without sockets and without waiting.

    found = answer(query, zone)     a finished message; or Forward: ask an upstream resolver; or
                                    a need: find it out, then found = resume(query, found, fact),
                                    which may be another need
    fail(query)                     the message where nobody could find it out

Rules, beside Lokinet's table (docs/dns.md has ours):
- a type that nothing here can have (AAAA, HTTPS, NS, ANY, ...) is answered at once with success, no
  record and a SOA of one second, never with NXDOMAIN and never after a search;
- NXDOMAIN is for names that have no address, whatever type was asked for;
- in answers with a CNAME the address belongs to the CNAME's target (DIFFERS: Lokinet gives both
  the name asked for, which resolvers that check owners ignore);
- a router opens no ways to others: what would need one is SERVFAIL.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, TypeAlias

from lokinet_node.base.ids import LokiAddress, RouterID
from lokinet_node.base.names import encode_base32z
from lokinet_node.base.srv import NO_SERVICE, SrvRecord
from lokinet_node.dns.message import (
    CLASS_IN,
    Code,
    Labels,
    Query,
    Record,
    Service,
    Type,
    encode_answer,
    encode_empty,
    encode_error,
    encode_missing,
)
from lokinet_node.dns.route import (
    LOKI,
    SNODE,
    Bought,
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

_FOR_NOBODY = frozenset({Type.AAAA, Type.HTTPS, Type.NS, Type.SOA, Type.ANY})
"""Types no name here has; which other types have nothing to say depends on the name."""


class Zone(Protocol):
    """What a node can say at once about itself and its addresses."""

    def own_key(self) -> bytes:
        """The 32 bytes of its `.loki` address, or on a router of its `.snode` address."""

    def is_router(self) -> bool:
        """Whether it is a router: those open no ways to others."""

    def own_ip(self) -> int | None:
        """The tun address; None without a tun."""

    def own_services(self) -> tuple[SrvRecord, ...]:
        """SRV records of the own address."""

    def tun_range(self) -> Range | None:
        """The range whose reverse names are ours; None without a tun."""

    def tun_prefix6(self) -> bytes | None:
        """The 12 bytes before a tun address in IPv6; None without IPv6."""

    def exits(self) -> list[tuple[str, str]]:
        """What is mapped to exits: range and the exit's name."""

    def name_at(self, ip: int) -> str | None:
        """The name a tun address is mapped to, the own one included."""

    def netid(self) -> str:
        """The network's name."""


@dataclass(frozen=True, slots=True)
class NeedAddress:
    """The tun address of an identity, with a way to it. Fact: int; None: no such remote."""

    kind: str
    """`loki` or `snode`."""
    key: bytes
    """The 32 bytes of the identity."""
    alias: Labels | None = None
    """The identity's own name, where the question used another: a CNAME leads to it."""


@dataclass(frozen=True, slots=True)
class NeedName:
    """Whose a bought name is. Fact: LokiAddress; None: nobody's."""

    name: str
    """`web.loki`"""


@dataclass(frozen=True, slots=True)
class NeedServices:
    """The SRV records of an address. Fact: a tuple of them; None: no such address."""

    address: LokiAddress


@dataclass(frozen=True, slots=True)
class NeedContact:
    """The summary of a router's contact. Fact: its text; None: no such router."""

    router: RouterID


@dataclass(frozen=True, slots=True)
class NeedRouter:
    """Some router of the network. Fact: RouterID; None: there is none."""


@dataclass(frozen=True, slots=True)
class Forward:
    """The name is nobody's here."""


Need: TypeAlias = NeedAddress | NeedName | NeedServices | NeedContact | NeedRouter
Fact: TypeAlias = "int | LokiAddress | RouterID | tuple[SrvRecord, ...] | str | None"
Answer: TypeAlias = bytes | Need | Forward


def answer(query: Query, zone: Zone) -> Answer:
    """What a question deserves now."""
    refused = _refused(query)
    if refused is not None:
        return encode_error(query, refused)
    target = route(query.labels, zone.tun_range(), zone.tun_prefix6())
    if target is Special.ELSEWHERE:
        return Forward()
    if query.qclass != CLASS_IN:
        return encode_error(query, Code.REFUSED)
    if target is Special.CANARY:
        return encode_missing(query)
    if query.qtype in _FOR_NOBODY:
        return _empty(query)
    return _answer_ours(query, target, zone)


def _refused(query: Query) -> Code | None:
    """What is wrong with a question, whatever its name is."""
    if query.opcode != 0:
        return Code.NOTIMP
    if query.edns_version:
        return Code.BADVERS
    return Code.SERVFAIL if query.questions != 1 else None


def resume(query: Query, need: Need, fact: Fact) -> bytes | Need:
    """The answer, or the next need, once a fact is known; None: what was needed does not exist."""
    if fact is None:
        return _missing(query)
    match need, fact:
        case NeedAddress(alias=alias), int():
            return _address(query, alias, fact)
        case NeedName(), bytes():
            return _bought_by(query, LokiAddress(fact))
        case NeedServices(), tuple():
            return _services(query, fact)
        case NeedContact(), str():
            return encode_answer(query, (Record(query.asked, Type.TXT, fact.encode()),))
        case NeedRouter(), bytes():
            return _answer_random(query, RouterID(fact))
        case _:
            raise AssertionError("a fact of another need")


def fail(query: Query) -> bytes:
    """The answer to a question that nobody could look into."""
    return encode_error(query, Code.SERVFAIL)


def _answer_ours(query: Query, target: Target, zone: Zone) -> bytes | Need:
    match target:
        case Remote() | Bought():
            return fail(query) if zone.is_router() else _answer_loki(query, target, zone)
        case Router():
            return _answer_router(query, target.router, zone)
        case Reverse():
            return _answer_reverse(query, target.ip, zone)
        case _:
            return _answer_special(query, target, zone)


def _answer_special(query: Query, target: Special, zone: Zone) -> bytes | Need:
    if target in (Special.LOCALHOST, Special.NETID):
        return _answer_localhost(query, target, zone)
    if target is Special.EXITS:
        return _answer_exits(query, zone)
    if target is Special.RANDOM_ROUTER and query.qtype in _OF_RANDOM:
        return NeedRouter()
    if target in (Special.RANDOM_ROUTER, Special.TOP):
        return _empty(query)
    return _missing(query)  # names that nobody can have


# --- .loki


def _answer_loki(query: Query, target: Remote | Bought, zone: Zone) -> bytes | Need:
    is_service = query.qtype == Type.SRV and _asks_service(query)
    if isinstance(target, Bought):
        is_wanted = is_service or query.qtype in (Type.A, Type.MX)
        return NeedName(target.name) if is_wanted else _empty(query)
    if is_service and target.address == zone.own_key():
        return _services(query, zone.own_services())
    if is_service:
        return NeedServices(target.address)
    if query.qtype == Type.A:
        return NeedAddress("loki", target.address)
    return _mail(query, query.asked) if query.qtype == Type.MX else _empty(query)


def _bought_by(query: Query, address: LokiAddress) -> bytes | Need:
    """Mail for a bought name goes to the address; an A belongs to the name that was asked for."""
    if query.qtype == Type.SRV:
        return NeedServices(address)
    if query.qtype == Type.MX:
        return _mail(query, _long_name(address, LOKI))
    return NeedAddress("loki", address)


def _asks_service(query: Query) -> bool:
    """Whether the name begins as those of services do; others have no SRV records."""
    return len(query.labels) >= 4 and all(label[:1] == b"_" for label in query.labels[:2])


def _services(query: Query, services: tuple[SrvRecord, ...]) -> bytes:
    """Those whose labels stand before the last two of the name that was asked for."""
    before = b".".join(query.labels[:-2])
    base = query.asked[2:]
    records = tuple(
        Record(query.asked, Type.SRV, _service(one, base))
        for one in services
        if one.service.encode() == before
    )
    return encode_answer(query, records) if records else _empty(query)


def _service(record: SrvRecord, base: Labels) -> Service:
    target = base
    if record.target:
        target = () if record.target == NO_SERVICE else _labels(record.target)
    return Service(record.priority, record.weight, record.port, target)


# --- .snode


def _answer_router(query: Query, router: RouterID, zone: Zone) -> bytes | Need:
    if query.qtype == Type.TXT:
        return NeedContact(router)
    if query.qtype == Type.A and zone.is_router():
        ip = zone.own_ip() if router == zone.own_key() else None
        return fail(query) if ip is None else _address(query, None, ip)
    if query.qtype == Type.A:
        return NeedAddress("snode", router)
    return _mail(query, query.asked) if query.qtype == Type.MX else _empty(query)


_OF_RANDOM = (Type.A, Type.CNAME, Type.MX)


def _answer_random(query: Query, router: RouterID) -> bytes | Need:
    name = _long_name(router, SNODE)
    if query.qtype == Type.A:
        return NeedAddress("snode", router, alias=name)
    if query.qtype == Type.CNAME:
        return encode_answer(query, (Record(query.asked, Type.CNAME, name),))
    return _mail(query, query.asked)


# --- this node


def _answer_localhost(query: Query, target: Special, zone: Zone) -> bytes:
    name = _long_name(zone.own_key(), SNODE if zone.is_router() else LOKI)
    ip = zone.own_ip()
    if query.qtype == Type.CNAME:
        return encode_answer(query, (Record(query.asked, Type.CNAME, name),))
    if query.qtype == Type.A:
        return fail(query) if ip is None else _address(query, name, ip)
    if query.qtype == Type.TXT and target is Special.NETID:
        text = f"netid={zone.netid()};".encode()
        return encode_answer(query, (Record(query.asked, Type.TXT, text),))
    if query.qtype == Type.SRV and _asks_service(query):
        return _services(query, zone.own_services())
    return _mail(query, query.asked) if query.qtype == Type.MX else _empty(query)


def _answer_exits(query: Query, zone: Zone) -> bytes:
    """Lokinet's: a CNAME for each exit, with the own address to an A; as a text, ranges too."""
    exits = zone.exits()
    if not exits:
        return _missing(query)
    if query.qtype == Type.TXT:
        text = " ".join(f"{range_}={name};" for range_, name in exits).encode()
        return encode_answer(query, (Record(query.asked, Type.TXT, text),))
    if query.qtype not in (Type.A, Type.CNAME):
        return _empty(query)
    names = dict.fromkeys(name for _, name in exits)
    records = [Record(query.asked, Type.CNAME, _labels(name)) for name in names]
    ip = zone.own_ip()
    if query.qtype == Type.A and ip is not None:
        records.append(Record(query.asked, Type.A, ip))
    return encode_answer(query, tuple(records))


def _answer_reverse(query: Query, ip: int, zone: Zone) -> bytes:
    name = zone.name_at(ip)
    if name is None:
        return _missing(query)
    if query.qtype != Type.PTR:
        return _empty(query)
    return encode_answer(query, (Record(query.asked, Type.PTR, _labels(name)),))


# --- messages


def _address(query: Query, alias: Labels | None, ip: int) -> bytes:
    """An A of the name asked for, or a CNAME and the A of the name it leads to."""
    if alias is None:
        return encode_answer(query, (Record(query.asked, Type.A, ip),))
    records = Record(query.asked, Type.CNAME, alias), Record(alias, Type.A, ip)
    return encode_answer(query, records)


def _mail(query: Query, exchange: Labels) -> bytes:
    return encode_answer(query, (Record(query.asked, Type.MX, exchange),))


def _empty(query: Query) -> bytes:
    return encode_empty(query, zone_of(query.labels))


def _missing(query: Query) -> bytes:
    return encode_missing(query, zone_of(query.labels))


def _long_name(key: bytes, zone: bytes) -> Labels:
    return (encode_base32z(key).encode(), zone)


def _labels(name: str) -> Labels:
    return tuple(name.encode("ascii").split(b"."))
