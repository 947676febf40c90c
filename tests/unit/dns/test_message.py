"""DNS bytes: every message is a query or a WireError, every answer reads as it was meant."""

from __future__ import annotations

import dnslib
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from lokinet_node.base.errors import WireError
from lokinet_node.dns.inside import Inside
from lokinet_node.dns.message import (
    Code,
    Labels,
    Record,
    Service,
    Type,
    addresses_in,
    decode_query,
    encode_answer,
    encode_empty,
    encode_error,
    encode_missing,
    fit_datagram,
)
from lokinet_node.dns.upstream import decode_forwarded

QUESTION = dnslib.DNSRecord.question("WwW.Example", "A").pack()

MUTATED = st.builds(
    lambda at, piece: QUESTION[:at] + piece + QUESTION[at + len(piece) :],
    st.integers(0, len(QUESTION)),
    st.binary(max_size=8),
)


@given(st.binary(max_size=120) | MUTATED)
@example(QUESTION[:12] + b"\xc0\x0c" + b"\0\1\0\1")
def test_any_bytes_are_a_query_or_a_wire_error(data: bytes) -> None:
    try:
        query = decode_query(data)
    except WireError:
        return
    for reply in (
        encode_error(query, Code.SERVFAIL),
        encode_missing(query, query.labels[-1:]),
        encode_empty(query, query.labels[-1:]),
        encode_answer(query, (Record(query.asked, Type.A, 1),)),
    ):
        assert reply[:2] == data[:2]
        dnslib.DNSRecord.parse(reply)


@given(st.binary(max_size=120) | MUTATED)
def test_any_bytes_are_an_upstream_answer_or_a_wire_error(data: bytes) -> None:
    query = decode_query(QUESTION)
    for received in (data, QUESTION[:2] + data[2:], QUESTION[:2] + b"\x80" + data[3:]):
        try:
            decode_forwarded(query, QUESTION, received, Inside())
        except WireError:
            continue
    try:
        addresses_in(data)
    except WireError:
        return


def test_a_query_keeps_its_spelling_and_knows_its_lower_case() -> None:
    query = decode_query(QUESTION)
    assert query.asked == (b"WwW", b"Example")
    assert query.labels == (b"www", b"example")
    assert (query.questions, query.qtype, query.qclass) == (1, 1, 1)
    assert query.wants_recursion
    assert query.edns_version is None


def test_a_dot_inside_a_label_stays_inside() -> None:
    data = dnslib.DNSRecord(q=dnslib.DNSQuestion(dnslib.DNSLabel((b"a.loki", b"x")))).pack()
    assert decode_query(data).labels == (b"a.loki", b"x")


@pytest.mark.parametrize("data", [b"", b"\0" * 11, dnslib.DNSRecord().reply().pack()])
def test_what_is_no_question_is_refused(data: bytes) -> None:
    with pytest.raises(WireError):
        decode_query(data)


OWNER: Labels = (b"A", b"b")
RECORDS = [
    (Record(OWNER, Type.A, 0xAC100102), "A. 172.16.1.2"),
    (Record(OWNER, Type.CNAME, (b"x", b"loki")), "x.loki."),
    (Record(OWNER, Type.PTR, (b"x", b"loki")), "x.loki."),
    (Record(OWNER, Type.MX, (b"x", b"loki")), "1 x.loki."),
    (Record(OWNER, Type.TXT, b"netid=x;"), '"netid=x;"'),
    (Record(OWNER, Type.TXT, b"x" * 255 + b"yz"), '"' + "x" * 255 + '","yz"'),
    (Record(OWNER, Type.SRV, Service(1, 2, 3, (b"x", b"loki"))), "1 2 3 x.loki."),
    (Record(OWNER, Type.SRV, Service(0, 0, 0, ())), "0 0 0 ."),
]


@pytest.mark.parametrize(("record", "text"), RECORDS)
def test_records_live_one_second_and_read_back(record: Record, text: str) -> None:
    message = dnslib.DNSRecord.parse(encode_answer(decode_query(QUESTION), (record,)))
    (rr,) = message.rr
    assert (str(rr.rname), rr.rtype, rr.ttl) == ("A.b.", record.type, 1)
    assert str(rr.rdata) == text.removeprefix("A. ")


def test_flags_and_sections_are_lokinets() -> None:
    query = decode_query(QUESTION)
    good = dnslib.DNSRecord.parse(encode_empty(query, (b"loki",)))
    assert (good.header.qr, good.header.aa, good.header.ra, good.header.rd) == (1, 1, 1, 1)
    assert (good.header.rcode, good.rr, len(good.auth)) == (0, [], 1)
    assert str(good.auth[0].rname) == "loki."
    assert (good.auth[0].rtype, good.auth[0].ttl) == (Type.SOA, 1)
    assert good.auth[0].rdata.times[-1] == 1
    missing = dnslib.DNSRecord.parse(encode_missing(query, (b"loki",)))
    assert (missing.header.rcode, missing.header.rd, len(missing.auth)) == (3, 0, 1)
    failed = dnslib.DNSRecord.parse(encode_error(query, Code.SERVFAIL))
    assert (failed.header.rcode, failed.header.aa, failed.header.rd, failed.auth) == (2, 1, 0, [])
    assert str(failed.q.qname) == "WwW.Example."


def test_edns_is_answered_with_edns_and_only_then() -> None:
    plain = dnslib.DNSRecord.question("a.b")
    assert dnslib.DNSRecord.parse(encode_error(decode_query(plain.pack()), Code.REFUSED)).ar == []
    plain.add_ar(dnslib.EDNS0(udp_len=4096))
    query = decode_query(plain.pack())
    assert query.edns_version == 0
    (opt,) = dnslib.DNSRecord.parse(encode_error(query, Code.BADVERS)).ar
    assert (opt.rtype, opt.rclass, opt.ttl >> 24) == (41, 1232, 1)


@pytest.mark.parametrize(
    ("announced", "taken"), [(None, 512), (0, 512), (600, 600), (1232, 1232), (4096, 1232)]
)
def test_an_answer_too_long_for_the_asker_says_so_and_has_no_records(
    announced: int | None, taken: int
) -> None:
    question = dnslib.DNSRecord.question("a.loki", "SRV")
    if announced is not None:
        question.add_ar(dnslib.EDNS0(udp_len=announced))
    query = decode_query(question.pack())
    sizes = set()
    for count in range(80):
        record = Record(query.asked, Type.SRV, Service(1, 2, 3, (b"x", b"loki")))
        answer = encode_answer(query, (record,) * count) if count else encode_empty(query, OWNER)
        fitted = fit_datagram(query, answer)
        message = dnslib.DNSRecord.parse(fitted)
        if message.header.tc:
            assert (message.rr, message.header.rcode) == ([], 0)
            assert len(answer) > taken
        else:
            assert fitted == answer
            sizes.add(len(fitted))
    assert taken - 30 < max(sizes) <= taken


def test_the_longest_answer_fits_the_smallest_datagram() -> None:
    asked = (*(b"x" * 63,) * 3, b"y" * 50, b"loki")
    question = dnslib.DNSRecord(q=dnslib.DNSQuestion(dnslib.DNSLabel(asked)))
    question.add_ar(dnslib.EDNS0())
    query = decode_query(question.pack())
    own = (b"z" * 52, b"loki")
    records = (Record(asked, Type.CNAME, own), Record(own, Type.A, 1))
    assert len(encode_answer(query, records)) <= 512
    assert len(encode_missing(query, (b"loki",))) <= 512
