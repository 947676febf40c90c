"""Which upstream answers are believed and handed on."""

from __future__ import annotations

import dnslib
import pytest

from lokinet_node.base.addresses import parse_range
from lokinet_node.base.errors import WireError
from lokinet_node.dns.upstream import decode_forwarded, encode_forward
from tests.unit.dns.zones import question

QUERY = question("Www.Example")
SENT = encode_forward(QUERY, lambda size: b"\x12\x34"[:size])
TUN = parse_range("203.0.113.1/24")


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
    found = decode_forwarded(QUERY, SENT, received, TUN)
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
        decode_forwarded(QUERY, SENT, received, TUN)


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
    ],
)
def test_answers_that_point_inside_are_not_handed_on(record: str) -> None:
    received = reply("www.example 60 A 192.0.2.7", f"www.example 60 {record}")
    assert decode_forwarded(QUERY, SENT, received, TUN) is None


@pytest.mark.parametrize("record", ["AAAA 2001:db8::1", "AAAA ::ffff:c000:201", "TXT 127.0.0.1"])
def test_answers_that_point_outside_are(record: str) -> None:
    assert decode_forwarded(QUERY, SENT, reply(f"www.example 60 {record}"), TUN) is not None
