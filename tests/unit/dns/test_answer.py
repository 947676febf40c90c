"""The answers of Lokinet's DNS table, its bugs done right."""

from __future__ import annotations

import dataclasses
from typing import Any

import dnslib
import pytest

from lokinet_node.base.addresses import parse_ipv4
from lokinet_node.base.ids import LokiAddress
from lokinet_node.base.names import parse_key
from lokinet_node.dns.answer import Forward, NeedAddress, answer, fail, finish
from lokinet_node.dns.message import Query
from tests.unit.dns.zones import OWN, REMOTE, ROUTER, ROUTER_NAME, KnownZone, question

ZONE = KnownZone()
IP = parse_ipv4("172.16.0.9")


def read(found: object) -> Any:
    assert isinstance(found, bytes)
    return dnslib.DNSRecord.parse(found)


def told(found: object) -> tuple[str, list[str]]:
    """(rcode, `owner TYPE data` of every answer); the SOA is checked on the way."""
    message = read(found)
    code = dnslib.RCODE[message.header.rcode]
    if code == "NOERROR":
        assert bool(message.rr) != bool(message.auth)
    for soa in message.auth:
        assert (soa.rtype, soa.ttl) == (6, 1)
        assert message.q.qname.matchSuffix(soa.rname)
    records = [f"{rr.rname} {dnslib.QTYPE[rr.rtype]} {rr.rdata}" for rr in message.rr]
    assert all(rr.ttl == 1 for rr in message.rr)
    return code, records


def need(name: str) -> tuple[Query, NeedAddress]:
    query = question(name)
    found = answer(query, ZONE)
    assert isinstance(found, NeedAddress)
    return query, found


@pytest.mark.parametrize(
    "name",
    [f"{REMOTE}.loki", f"{REMOTE.upper()}.LOKI", f"www.{REMOTE}.loki", f"a.b.{REMOTE}.Loki."],
)
def test_a_loki_address_is_resolved_and_answered_under_the_name_asked(name: str) -> None:
    query, found = need(name)
    assert found == NeedAddress("loki", LokiAddress(parse_key(REMOTE)))
    assert told(finish(query, found, IP)) == ("NOERROR", [f"{name.rstrip('.')}. A 172.16.0.9"])


def test_a_router_is_resolved_under_its_snode_name() -> None:
    query, found = need(ROUTER_NAME)
    assert found == NeedAddress("snode", ROUTER)
    assert told(finish(query, found, IP)) == ("NOERROR", [f"{ROUTER_NAME}. A 172.16.0.9"])


def test_an_address_nobody_has_is_no_domain_and_one_nobody_could_look_for_is_a_failure() -> None:
    query, found = need(REMOTE + ".loki")
    assert told(finish(query, found, None)) == ("NXDOMAIN", [])
    assert told(fail(query)) == ("SERVFAIL", [])


def test_random_snode_leads_to_a_router_and_its_address() -> None:
    query, found = need("random.snode")
    assert told(finish(query, found, IP)) == (
        "NOERROR",
        [f"random.snode. CNAME {ROUTER_NAME}.", f"{ROUTER_NAME}. A 172.16.0.9"],
    )


NONE_OF_IT = ["AAAA", "HTTPS", "NS", "ANY", "SOA", "SRV", "CAA", 65280]
NAMES_WITH_ADDRESS = [
    f"{REMOTE}.loki",
    f"www.{REMOTE}.loki",
    ROUTER_NAME,
    "localhost.loki",
    "mail.LocalHost.loki",
    "random.snode",
    "netid.localhost.loki",
]


@pytest.mark.parametrize("name", NAMES_WITH_ADDRESS)
@pytest.mark.parametrize("qtype", NONE_OF_IT)
def test_a_name_with_an_address_has_nothing_else_and_says_so_at_once(
    name: str, qtype: str | int
) -> None:
    assert told(answer(question(name, qtype), ZONE)) == ("NOERROR", [])


TABLE = [
    (
        "localhost.loki",
        "A",
        "NOERROR",
        [f"localhost.loki. CNAME {OWN}.", f"{OWN}. A 172.16.0.1"],
    ),
    (
        "a.B.localhost.loki",
        "A",
        "NOERROR",
        [f"a.B.localhost.loki. CNAME {OWN}.", f"{OWN}. A 172.16.0.1"],
    ),
    ("localhost.loki", "CNAME", "NOERROR", [f"localhost.loki. CNAME {OWN}."]),
    ("localhost.loki", "MX", "NOERROR", ["localhost.loki. MX 1 localhost.loki."]),
    ("localhost.loki", "TXT", "NOERROR", []),
    ("netid.localhost.loki", "TXT", "NOERROR", ['netid.localhost.loki. TXT "netid=mynet;"']),
    ("exit.localhost.loki", "A", "NXDOMAIN", []),
    ("exit.localhost.loki", "CNAME", "NXDOMAIN", []),
    ("random.snode", "CNAME", "NOERROR", [f"random.snode. CNAME {ROUTER_NAME}."]),
    ("random.snode", "MX", "NOERROR", ["random.snode. MX 1 random.snode."]),
    (f"{REMOTE}.loki", "CNAME", "NOERROR", []),
    (f"x.{REMOTE}.loki", "MX", "NOERROR", [f"x.{REMOTE}.loki. MX 1 x.{REMOTE}.loki."]),
    ("web.loki", "A", "NXDOMAIN", []),
    ("web.loki", "AAAA", "NXDOMAIN", []),
    ("y" * 51 + "b.loki", "A", "NXDOMAIN", []),
    ("y" * 51 + ".loki", "A", "NXDOMAIN", []),
    (f"www.{ROUTER_NAME}", "A", "NXDOMAIN", []),
    ("loki", "A", "NOERROR", []),
    ("SNODE", "NS", "NOERROR", []),
    ("use-application-dns.net", "A", "NXDOMAIN", []),
    ("1.0.16.172.in-addr.arpa", "PTR", "NOERROR", [f"1.0.16.172.in-addr.arpa. PTR {OWN}."]),
    (
        "2.0.16.172.In-Addr.Arpa",
        "PTR",
        "NOERROR",
        [f"2.0.16.172.In-Addr.Arpa. PTR {REMOTE}.loki."],
    ),
    ("3.0.16.172.in-addr.arpa", "PTR", "NOERROR", [f"3.0.16.172.in-addr.arpa. PTR {ROUTER_NAME}."]),
    ("2.0.16.172.in-addr.arpa", "A", "NOERROR", []),
    ("4.0.16.172.in-addr.arpa", "PTR", "NXDOMAIN", []),
]


@pytest.mark.parametrize(("name", "qtype", "code", "records"), TABLE)
def test_the_table(name: str, qtype: str, code: str, records: list[str]) -> None:
    assert told(answer(question(name, qtype), ZONE)) == (code, records)


@pytest.mark.parametrize(
    "name",
    [
        "example.com",
        "loki.example",
        "xloki",
        "1.0.17.172.in-addr.arpa",
        "256.0.16.172.in-addr.arpa",
        "0.16.172.in-addr.arpa",
        "x.1.0.16.172.in-addr.arpa",
        ".",
    ],
)
def test_only_names_of_nobody_here_are_forwarded(name: str) -> None:
    assert answer(question(name, "PTR"), ZONE) == Forward()


def test_hidden_dots_do_not_make_a_name_ours_nor_let_ours_out() -> None:
    inside = question(dnslib.DNSLabel((b"a.loki", b"example")))
    assert answer(inside, ZONE) == Forward()
    ours = question(dnslib.DNSLabel((b"a.example", b"loki")))
    assert told(answer(ours, ZONE)) == ("NXDOMAIN", [])


def test_a_node_without_tun_has_no_reverse_names_and_no_own_address() -> None:
    zone = KnownZone()
    zone.ip, zone.has_tun = None, False
    assert answer(question("1.0.16.172.in-addr.arpa", "PTR"), zone) == Forward()
    assert told(answer(question("localhost.loki"), zone)) == ("SERVFAIL", [])
    assert told(answer(question("localhost.loki", "CNAME"), zone))[0] == "NOERROR"


def test_a_node_that_knows_no_router_has_no_random_one() -> None:
    zone = KnownZone()
    zone.router = None
    assert told(answer(question("random.snode"), zone)) == ("NXDOMAIN", [])


def test_what_is_not_one_plain_internet_question_gets_its_code() -> None:
    query = question(REMOTE + ".loki")
    for change, code in [
        ({"questions": 2, "asked": ()}, "SERVFAIL"),
        ({"questions": 0, "asked": ()}, "SERVFAIL"),
        ({"opcode": 4}, "NOTIMP"),
        ({"qclass": 3}, "REFUSED"),
    ]:
        assert told(answer(dataclasses.replace(query, **change), ZONE)) == (code, [])  # type: ignore[arg-type]
    newer = read(answer(dataclasses.replace(query, edns_version=1), ZONE))
    assert (newer.header.rcode, newer.ar[0].ttl >> 24) == (0, 1)
