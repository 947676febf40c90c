"""DNS messages: bytes to a Query, an answer to bytes. The only user of dnslib.

Rules: dnslib may raise anything on hostile bytes; only WireError leaves this module. Names are
tuples of labels, because a label may hold a dot that text would hide; `labels` are lower case,
`asked` is what the question said and what the answer echoes. Everything said here lives one
second (Lokinet's TTL), SOA records included, so that no resolver remembers us for long.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from ipaddress import IPv4Address, IPv6Address
from typing import Any, TypeAlias

import dnslib
from dnslib import QTYPE, RR, DNSHeader, DNSLabel, DNSQuestion, DNSRecord

from lokinet_node.base.addresses import format_ipv4
from lokinet_node.base.errors import WireError

TTL = 1
"""Seconds; Lokinet's, everywhere."""

UDP_SIZE = 1232
"""What we take and send over UDP: the size that no IPv6 path fragments (DNS flag day 2020)."""

PLAIN_UDP_SIZE = 512
"""What everybody takes over UDP, EDNS or not (RFC 1035, 4.2.1)."""

TEXT_SIZE = 255
"""Bytes of one string of a TXT record; longer text is cut into several."""

CLASS_IN = 1
HEADER_SIZE = 12

Labels: TypeAlias = tuple[bytes, ...]


_IPV4_HINT = 4
_IPV6_HINT = 6
"""Parameters of HTTPS records (RFC 9460, section 14.3.2)."""


class Type(IntEnum):
    """Types we have answers for; all others are numbers."""

    A = 1
    NS = 2
    CNAME = 5
    SOA = 6
    PTR = 12
    MX = 15
    TXT = 16
    AAAA = 28
    SRV = 33
    OPT = 41
    HTTPS = 65
    ANY = 255


class Code(IntEnum):
    """Response codes, RFC 1035 4.1.1 and RFC 6891 6.1.3."""

    NOERROR = 0
    SERVFAIL = 2
    NXDOMAIN = 3
    NOTIMP = 4
    REFUSED = 5
    BADVERS = 16


@dataclass(frozen=True, slots=True)
class Query:
    """One question; `asked` and `labels` are empty where there was not exactly one."""

    identity: int
    opcode: int
    wants_recursion: bool
    questions: int
    asked: Labels
    qtype: int
    qclass: int
    edns_version: int | None
    """None: the asker does not speak EDNS."""
    udp_size: int
    """Bytes the asker takes in one datagram."""
    raw: bytes

    @property
    def labels(self) -> Labels:
        """The name in lower case."""
        return tuple(label.lower() for label in self.asked)


@dataclass(frozen=True, slots=True)
class Service:
    """What an SRV record says; no target labels: there is decidedly no such service."""

    priority: int
    weight: int
    port: int
    target: Labels


@dataclass(frozen=True, slots=True)
class Record:
    """One record of an answer; `data` is an address, a name, text or service, as its type wants."""

    owner: Labels
    type: Type
    data: int | Labels | bytes | Service


def decode_query(data: bytes) -> Query:
    """The question in a message; WireError for anything that is not a query."""
    try:
        message: Any = DNSRecord.parse(data)
    except Exception as error:  # dnslib promises nothing about hostile bytes
        raise WireError(f"not a DNS message: {type(error).__name__}") from error
    header = message.header
    if header.qr:
        raise WireError("a DNS answer where a question was due")
    asked, qtype, qclass = _single_question(message)
    edns_version, edns_size = _edns(message)
    return Query(
        identity=header.id,
        opcode=header.opcode,
        wants_recursion=bool(header.rd),
        questions=len(message.questions),
        asked=asked,
        qtype=qtype,
        qclass=qclass,
        edns_version=edns_version,
        udp_size=max(PLAIN_UDP_SIZE, edns_size),
        raw=data,
    )


def new_query(name: str, qtype: int) -> Query:
    """A question of our own, as if it had been asked; WireError for a name that is none."""
    try:
        question = DNSQuestion(DNSLabel(name), qtype, CLASS_IN)
        return decode_query(bytes(DNSRecord(DNSHeader(bitmap=0, rd=1), q=question).pack()))
    except Exception as error:  # labels too long, empty or not to be encoded
        raise WireError(f"{name!r} is no name that DNS knows") from error


@dataclass(frozen=True, slots=True)
class Shown:
    """One record of an answer as people read it."""

    name: str
    type: int
    qclass: int
    ttl: int
    text: str


def show_answer(data: bytes) -> tuple[str, list[Shown]]:
    """The name of the code, and the records of the answer section; WireError if it is none."""
    try:
        message: Any = DNSRecord.parse(data)
        shown = [
            Shown(str(rr.rname), rr.rtype, rr.rclass, rr.ttl, str(rr.rdata)) for rr in message.rr
        ]
    except Exception as error:  # as above
        raise WireError(f"not a DNS message: {type(error).__name__}") from error
    return str(dnslib.RCODE.get(message.header.rcode)), shown


def encode_answer(query: Query, records: tuple[Record, ...]) -> bytes:
    """Success, with records; without any, what encode_empty says."""
    return _encode(query, Code.NOERROR, [_rr(record) for record in records], [])


def encode_empty(query: Query, zone: Labels) -> bytes:
    """The name exists and has nothing of this type: success, and the zone's SOA."""
    return _encode(query, Code.NOERROR, [], [_soa(zone)])


def encode_missing(query: Query, zone: Labels | None = None) -> bytes:
    """The name does not exist; the SOA of a zone of ours bounds how long that is believed."""
    return _encode(query, Code.NXDOMAIN, [], [_soa(zone)] if zone is not None else [])


def encode_error(query: Query, code: Code) -> bytes:
    """No answer: SERVFAIL, NOTIMP, REFUSED or BADVERS."""
    return _encode(query, code, [], [])


def fit_datagram(query: Query, answer: bytes) -> bytes:
    """The answer, or where it is too long for a datagram one that says "ask again over TCP"."""
    if len(answer) <= min(query.udp_size, UDP_SIZE):
        return answer
    return _encode(query, Code.NOERROR, [], [], truncated=True)


def addresses_in(data: bytes) -> list[IPv4Address | IPv6Address]:
    """Every address an answer leads to, hints of services included; WireError if it is none."""
    try:
        message: Any = DNSRecord.parse(data)
        return [found for record in message.rr + message.ar for found in _addresses_of(record)]
    except Exception as error:  # as above
        raise WireError(f"not a DNS message: {type(error).__name__}") from error


def _addresses_of(record: Any) -> list[IPv4Address | IPv6Address]:
    if record.rtype == Type.A:
        return [IPv4Address(bytes(record.rdata.data))]
    if record.rtype == Type.AAAA:
        return [IPv6Address(bytes(record.rdata.data))]
    found: list[IPv4Address | IPv6Address] = []
    if record.rtype == Type.HTTPS:
        for key, value in record.rdata.params:
            if key == _IPV4_HINT:
                found += [IPv4Address(bytes(value[at : at + 4])) for at in range(0, len(value), 4)]
            elif key == _IPV6_HINT:
                found += [
                    IPv6Address(bytes(value[at : at + 16])) for at in range(0, len(value), 16)
                ]
    return found


def _single_question(message: Any) -> tuple[Labels, int, int]:
    if len(message.questions) != 1:
        return (), 0, 0
    question = message.questions[0]
    return tuple(map(bytes, question.qname.label)), question.qtype, question.qclass


def _edns(message: Any) -> tuple[int | None, int]:
    """Version and size of datagrams; none and nothing for an asker without EDNS."""
    for record in message.ar:
        if record.rtype == Type.OPT:
            return int(record.ttl) >> 16 & 0xFF, int(record.rclass)
    return None, 0


def _encode(
    query: Query,
    code: Code,
    answers: list[Any],
    authority: list[Any],
    *,
    truncated: bool = False,
) -> bytes:
    """A whole message. RD is echoed by success only, AA and RA are always set: Lokinet's flags."""
    header = DNSHeader(id=query.identity, bitmap=0)
    header.qr = header.aa = header.ra = 1
    header.tc = int(truncated)
    header.opcode = query.opcode
    header.rd = int(query.wants_recursion and code is Code.NOERROR)
    header.rcode = code & 0xF
    questions = [DNSQuestion(DNSLabel(query.asked), query.qtype, query.qclass)]
    extra = []
    if query.edns_version is not None:
        extra.append(dnslib.EDNS0(DNSLabel(()), ext_rcode=code >> 4, udp_len=UDP_SIZE))
    message = DNSRecord(
        header,
        questions=questions if query.questions == 1 else [],
        rr=answers,
        auth=authority,
        ar=extra,
    )
    return bytes(message.pack())


def _rr(record: Record) -> Any:
    return RR(DNSLabel(record.owner), int(record.type), CLASS_IN, TTL, _rdata(record))


def _rdata(record: Record) -> Any:
    data = record.data
    if isinstance(data, int):
        return dnslib.A(format_ipv4(data))
    if isinstance(data, bytes):
        pieces = range(0, len(data), TEXT_SIZE)
        return dnslib.TXT([data[at : at + TEXT_SIZE] for at in pieces] or [b""])
    if isinstance(data, Service):
        return dnslib.SRV(data.priority, data.weight, data.port, DNSLabel(data.target))
    if record.type is Type.MX:
        return dnslib.MX(DNSLabel(data), preference=1)
    return {Type.CNAME: dnslib.CNAME, Type.PTR: dnslib.PTR}[record.type](DNSLabel(data))


def _soa(zone: Labels) -> Any:
    """A start of authority whose every number is one second."""
    here = DNSLabel((b"localhost", b"loki"))
    contact = DNSLabel((b"hostmaster", b"localhost", b"loki"))
    return RR(DNSLabel(zone), QTYPE.SOA, CLASS_IN, TTL, dnslib.SOA(here, contact, (1, 1, 1, 1, 1)))
