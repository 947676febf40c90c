"""Which upstream answers are believed and handed on."""

from __future__ import annotations

from ipaddress import ip_network

import dnslib
import pytest

from lokinet_node.base.addresses import parse_range
from lokinet_node.base.errors import WireError
from lokinet_node.dns.inside import Inside
from lokinet_node.dns.upstream import decode_forwarded, encode_forward
from tests.unit.dns.zones import question

QUERY = question("Www.Example")
SENT = encode_forward(QUERY, lambda size: b"\x12\x34"[:size])
INSIDE = Inside(parse_range("203.0.113.1/24"))


def reply(*records: str, name: str = "Www.Example", identity: int = 0x1234) -> bytes:
    message = dnslib.DNSRecord(
        dnslib.DNSHeader(id=identity, qr=1, ra=1), q=dnslib.DNSQuestion(name)
    )
    for record in records:
        message.add_answer(*dnslib.RR.fromZone(record))
    return bytes(message.pack())


def test_the_question_goes_out_unchanged_under_another_number() -> None:
    assert SENT[:2] == b"\x12\x34"
    assert SENT[2:] == QUERY.raw[2:]


def test_an_answer_comes_back_under_the_askers_number() -> None:
    received = reply("www.example 60 A 192.0.2.7")
    found = decode_forwarded(QUERY, SENT, received, INSIDE)
    assert found == QUERY.raw[:2] + received[2:]


@pytest.mark.parametrize(
    "received",
    [
        b"",
        SENT,
        reply(identity=0x1235),
        reply(name="www.example"),
        reply(name="www.examplf"),
        reply()[:-1],
        reply()[:4] + b"\0\0" + reply()[6:],
    ],
)
def test_anything_but_the_answer_to_this_question_is_ignored(received: bytes) -> None:
    with pytest.raises(WireError):
        decode_forwarded(QUERY, SENT, received, INSIDE)


@pytest.mark.parametrize(
    "record",
    [
        "A 127.0.0.1",
        "A 10.1.2.3",
        "A 192.168.0.1",
        "A 169.254.169.254",
        "A 0.0.0.0",
        "A 203.0.113.200",
        "AAAA ::1",
        "AAAA ::",
        "AAAA fe80::1",
        "AAAA febf::1",
        "AAAA fd00::1",
        "AAAA ::ffff:a00:1",
        "AAAA ::a00:1",
        "AAAA 64:ff9b::a00:1",
        "AAAA 2002:a00:1::1",
        "AAAA fec0::1",
        "HTTPS 1 . ipv4hint=192.0.2.1,10.0.0.1",
        "HTTPS 1 . ipv6hint=2001:db8::1,fd00::1",
    ],
)
def test_answers_that_point_inside_are_not_handed_on(record: str) -> None:
    received = reply("www.example 60 A 192.0.2.7", f"www.example 60 {record}")
    assert decode_forwarded(QUERY, SENT, received, INSIDE) is None


@pytest.mark.parametrize(
    "record",
    [
        "AAAA 2001:db8::1",
        "AAAA ::ffff:c000:201",
        "AAAA 2002:c000:201::1",
        "TXT 127.0.0.1",
        "HTTPS 1 . alpn=h3 ipv4hint=192.0.2.1",
    ],
)
def test_answers_that_point_outside_are(record: str) -> None:
    assert decode_forwarded(QUERY, SENT, reply(f"www.example 60 {record}"), INSIDE) is not None


@pytest.mark.parametrize(
    ("record", "mapped", "is_handed_on"),
    [
        ("A 10.8.0.1", "10.8.0.0/16", True),
        ("A 10.9.0.1", "10.8.0.0/16", False),
        ("A 10.8.0.1", "10.0.0.0/8", True),
        ("A 10.8.0.1", "0.0.0.0/0", False),
        ("A 10.8.0.1", "8.0.0.0/5", False),
        ("A 203.0.113.9", "203.0.113.0/24", False),
        ("AAAA fd00:8::1", "fd00:8::/32", True),
        ("AAAA fd00:8::1", "::/0", False),
    ],
)
def test_private_ranges_that_were_declared_are_handed_on_but_never_the_tuns(
    record: str, mapped: str, is_handed_on: bool
) -> None:
    inside = Inside(parse_range("203.0.113.1/24"), (ip_network(mapped),))
    found = decode_forwarded(QUERY, SENT, reply(f"www.example 60 {record}"), inside)
    assert (found is not None) == is_handed_on
