"""One question, one answer; oracle: dnslib."""

from __future__ import annotations

import dnslib
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.dns import Answer, encode_query, parse_answer

NAME = f"{'y' * 52}.loki"


def test_a_query_is_what_dnslib_reads() -> None:
    record = dnslib.DNSRecord.parse(encode_query(0x1234, NAME))
    assert record.header.id == 0x1234
    assert record.header.rd == 1
    assert (str(record.q.qname), record.q.qtype) == (f"{NAME}.", dnslib.QTYPE.A)


def test_the_first_address_is_found_behind_other_records() -> None:
    question = dnslib.DNSRecord.parse(encode_query(7, NAME))
    reply = question.reply()
    reply.add_answer(*dnslib.RR.fromZone(f"{NAME}. 1 CNAME other.loki."))
    reply.add_answer(*dnslib.RR.fromZone("other.loki. 1 A 172.16.0.5"))
    assert parse_answer(7, reply.pack()) == Answer("172.16.0.5", "NOERROR")


def test_an_answer_without_an_address_says_why() -> None:
    for rcode in ("NXDOMAIN", "SERVFAIL", "REFUSED"):
        reply = dnslib.DNSRecord.parse(encode_query(7, NAME)).reply()
        reply.header.rcode = getattr(dnslib.RCODE, rcode)
        assert parse_answer(7, reply.pack()) == Answer(None, rcode)


def test_questions_and_replies_to_others_are_not_answers() -> None:
    question = encode_query(7, NAME)
    assert parse_answer(7, question) is None
    assert parse_answer(8, dnslib.DNSRecord.parse(question).reply().pack()) is None


@given(st.binary(max_size=80))
def test_any_bytes_are_an_answer_or_nothing(data: bytes) -> None:
    found = parse_answer(0, b"\0\0\x80\0" + data)
    assert found is None or isinstance(found, Answer)
