"""The answers of Lokinet's DNS table, its bugs done right; docs/dns.md has a real node's."""

from __future__ import annotations

import dataclasses
from ipaddress import ip_address
from typing import Any

import dnslib
import pytest

from lokinet_node.base.addresses import parse_ipv4
from lokinet_node.base.ids import LokiAddress
from lokinet_node.base.names import parse_key
from lokinet_node.dns.answer import (
    Fact,
    Forward,
    Need,
    NeedAddress,
    NeedContact,
    NeedName,
    NeedRouter,
    NeedServices,
    answer,
    fail,
    resume,
)
from lokinet_node.dns.message import Query
from tests.unit.dns.zones import OWN, REMOTE, ROUTER, ROUTER_NAME, SERVICES, KnownZone, question

ZONE = KnownZone()
IP = parse_ipv4("172.16.0.9")
ADDRESS = LokiAddress(parse_key(REMOTE))


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


def need(name: str, qtype: str = "A") -> tuple[Query, Need]:
    query = question(name, qtype)
    found = answer(query, ZONE)
    assert not isinstance(found, bytes | Forward)
    return query, found


def after(query: Query, found: Need, *facts: Fact) -> tuple[str, list[str]]:
    """What is told once these facts are known, one after the other."""
    for fact in facts[:-1]:
        following = resume(query, found, fact)
        assert not isinstance(following, bytes)
        found = following
    return told(resume(query, found, facts[-1]))


@pytest.mark.parametrize(
    "name",
    [f"{REMOTE}.loki", f"{REMOTE.upper()}.LOKI", f"www.{REMOTE}.loki", f"a.b.{REMOTE}.Loki."],
)
def test_a_loki_address_is_resolved_and_answered_under_the_name_asked(name: str) -> None:
    query, found = need(name)
    assert found == NeedAddress("loki", ADDRESS)
    assert after(query, found, IP) == ("NOERROR", [f"{name.rstrip('.')}. A 172.16.0.9"])


def test_a_router_is_resolved_under_its_snode_name() -> None:
    query, found = need(ROUTER_NAME)
    assert found == NeedAddress("snode", ROUTER)
    assert after(query, found, IP) == ("NOERROR", [f"{ROUTER_NAME}. A 172.16.0.9"])


def test_an_address_nobody_has_is_no_domain_and_one_nobody_could_look_for_is_a_failure() -> None:
    query, found = need(REMOTE + ".loki")
    assert after(query, found, None) == ("NXDOMAIN", [])
    assert told(fail(query)) == ("SERVFAIL", [])


@pytest.mark.parametrize("name", ["web.loki", "Web.LOKI", "www.web.loki", "a.b.WEB.loki"])
def test_a_bought_name_is_resolved_twice_and_answered_under_the_name_asked(name: str) -> None:
    query, found = need(name)
    assert found == NeedName("web.loki")
    assert after(query, found, ADDRESS, IP) == ("NOERROR", [f"{name}. A 172.16.0.9"])
    assert after(query, found, ADDRESS, None) == ("NXDOMAIN", [])
    assert after(query, found, None) == ("NXDOMAIN", [])


def test_mail_for_a_bought_name_goes_to_the_address_and_needs_no_way_to_it() -> None:
    query, found = need("www.web.loki", "MX")
    assert after(query, found, ADDRESS) == ("NOERROR", [f"www.web.loki. MX 1 {REMOTE}.loki."])
    assert after(query, found, None) == ("NXDOMAIN", [])


def test_a_router_is_described_by_its_contact() -> None:
    query, found = need(ROUTER_NAME, "TXT")
    assert found == NeedContact(ROUTER)
    assert after(query, found, "ai_addr=x; ") == ("NOERROR", [f'{ROUTER_NAME}. TXT "ai_addr=x; "'])
    assert after(query, found, None) == ("NXDOMAIN", [])


def test_random_snode_leads_to_a_router_and_its_address() -> None:
    query, found = need("random.snode")
    assert found == NeedRouter()
    assert after(query, found, ROUTER, IP) == (
        "NOERROR",
        [f"random.snode. CNAME {ROUTER_NAME}.", f"{ROUTER_NAME}. A 172.16.0.9"],
    )
    query, found = need("Random.Snode", "CNAME")
    assert after(query, found, ROUTER) == ("NOERROR", [f"Random.Snode. CNAME {ROUTER_NAME}."])
    query, found = need("random.snode", "MX")
    assert after(query, found, ROUTER) == ("NOERROR", ["random.snode. MX 1 random.snode."])
    assert after(query, found, None) == ("NXDOMAIN", [])


SRV_OF_HTTP = ["SRV 5 6 80 {base}.", "SRV 1 2 8080 other.loki."]


@pytest.mark.parametrize(
    ("labels", "base", "expected"),
    [
        ("_http._tcp", "{}", SRV_OF_HTTP),
        ("_HTTP._Tcp", "{}", SRV_OF_HTTP),
        ("_http._tcp.www", "www.{}", ["SRV 3 4 81 {base}."]),
        ("_imap._tcp", "{}", ["SRV 0 0 0 ."]),
        ("_http._udp", "{}", []),
        ("_http._tcp.mail", "mail.{}", []),
    ],
)
def test_services_are_those_published_under_the_same_labels(
    labels: str, base: str, expected: list[str]
) -> None:
    for name in ("localhost.loki", OWN, f"{REMOTE}.loki", "web.loki"):
        base_name = base.format(name)
        asked = f"{labels}.{name}"
        records = [f"{asked}. {one.format(base=base_name)}" for one in expected]
        query = question(asked, "SRV")
        found = answer(query, ZONE)
        if name == "web.loki":
            assert found == NeedName("web.loki")
            found = resume(query, found, ADDRESS)
        if not isinstance(found, bytes):
            assert found == NeedServices(ADDRESS)
            found = resume(query, found, SERVICES)
        assert told(found) == ("NOERROR", records)


def test_services_of_an_address_that_publishes_nothing_are_no_domain() -> None:
    query, found = need(f"_http._tcp.{REMOTE}.loki", "SRV")
    assert after(query, found, None) == ("NXDOMAIN", [])


AT_ONCE = ["AAAA", "HTTPS", "NS", "ANY", "SOA", "CAA", 65280]
NAMES_WITH_ADDRESS = [
    f"{REMOTE}.loki",
    f"www.{REMOTE}.loki",
    "web.loki",
    "www.Web.loki",
    ROUTER_NAME,
    "localhost.loki",
    "mail.LocalHost.loki",
    "random.snode",
    "netid.localhost.loki",
]


@pytest.mark.parametrize("name", NAMES_WITH_ADDRESS)
@pytest.mark.parametrize("qtype", [*AT_ONCE, "SRV", "PTR"])
def test_a_name_with_an_address_has_nothing_else_and_says_so_at_once(
    name: str, qtype: str | int
) -> None:
    assert told(answer(question(name, qtype), ZONE)) == ("NOERROR", [])


@pytest.mark.parametrize("name", ["no_body.loki", "exit.localhost.loki", "www.random.snode"])
@pytest.mark.parametrize("qtype", ["AAAA", "HTTPS", "NS", "ANY"])
def test_types_nobody_has_are_no_reason_to_look_whether_somebody_is_there(
    name: str, qtype: str
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
    ("exit.localhost.loki", "TXT", "NXDOMAIN", []),
    (f"{REMOTE}.loki", "CNAME", "NOERROR", []),
    (f"{REMOTE}.loki", "TXT", "NOERROR", []),
    (f"x.{REMOTE}.loki", "MX", "NOERROR", [f"x.{REMOTE}.loki. MX 1 x.{REMOTE}.loki."]),
    (ROUTER_NAME, "MX", "NOERROR", [f"{ROUTER_NAME}. MX 1 {ROUTER_NAME}."]),
    ("web.loki", "CNAME", "NOERROR", []),
    ("web.loki", "TXT", "NOERROR", []),
    ("we_b.loki", "A", "NXDOMAIN", []),
    ("_http._tcp.loki", "SRV", "NXDOMAIN", []),
    ("snode.loki", "A", "NXDOMAIN", []),
    ("y" * 51 + "b.loki", "A", "NXDOMAIN", []),
    ("y" * 51 + ".loki", "A", "NXDOMAIN", []),
    (f"www.{ROUTER_NAME}", "A", "NXDOMAIN", []),
    (f"_http._tcp.{ROUTER_NAME}", "SRV", "NXDOMAIN", []),
    ("loki", "A", "NOERROR", []),
    ("SNODE", "NS", "NOERROR", []),
    ("use-application-dns.net", "A", "NXDOMAIN", []),
    ("use-application-dns.net", "AAAA", "NXDOMAIN", []),
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
        "x.1.0.17.172.in-addr.arpa",
        ".",
    ],
)
def test_only_names_of_nobody_here_are_forwarded(name: str) -> None:
    assert answer(question(name, "PTR"), ZONE) == Forward()


def reverse6(address: str) -> str:
    return ip_address(address).reverse_pointer


@pytest.mark.parametrize(
    ("name", "told_"),
    [
        (reverse6("fd00::ac10:1"), ("NOERROR", [f"{OWN}."])),
        (reverse6("fd00::ac10:2"), ("NOERROR", [f"{REMOTE}.loki."])),
        (reverse6("fd00::ac10:9"), ("NXDOMAIN", [])),
        ("x." + reverse6("fd00::ac10:1"), ("NXDOMAIN", [])),
    ],
)
def test_reverse_names_of_the_tuns_ipv6_are_ours(name: str, told_: tuple[str, list[str]]) -> None:
    code, records = told(answer(question(name, "PTR"), ZONE))
    assert (code, [record.rpartition(" ")[2] for record in records]) == told_


@pytest.mark.parametrize("address", ["fd00::a00:1", "fd00:1::ac10:1", "2001:db8::ac10:1"])
def test_reverse_names_of_other_ipv6_are_not(address: str) -> None:
    assert answer(question(reverse6(address), "PTR"), ZONE) == Forward()
    long = "00." + reverse6("fd00::ac10:1").partition(".")[2]
    assert answer(question(long, "PTR"), ZONE) == Forward()


@pytest.mark.parametrize(
    ("qtype", "records"),
    [
        ("A", [f"CNAME {REMOTE}.loki.", "CNAME exit.loki.", "A 172.16.0.1"]),
        ("CNAME", [f"CNAME {REMOTE}.loki.", "CNAME exit.loki."]),
        ("TXT", [f'TXT "::/0={REMOTE}.loki; 10.0.0.0/8=exit.loki; 192.0.2.0/24={REMOTE}.loki;"']),
        ("AAAA", []),
        ("MX", []),
    ],
)
def test_the_exits_in_use_have_a_name(qtype: str, records: list[str]) -> None:
    zone = KnownZone()
    remote = f"{REMOTE}.loki"
    zone.mapped = [("::/0", remote), ("10.0.0.0/8", "exit.loki"), ("192.0.2.0/24", remote)]
    found = told(answer(question("exit.localhost.loki", qtype), zone))
    assert found == ("NOERROR", [f"exit.localhost.loki. {record}" for record in records])


def test_nothing_below_a_reverse_name_of_the_tun_is_forwarded() -> None:
    assert told(answer(question("lb._dns-sd._udp.1.0.16.172.in-addr.arpa", "PTR"), ZONE))[0] == (
        "NXDOMAIN"
    )


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


ROUTER_TABLE = [
    (
        "localhost.loki",
        "A",
        "NOERROR",
        [f"localhost.loki. CNAME {ROUTER_NAME}.", f"{ROUTER_NAME}. A 172.16.0.1"],
    ),
    ("localhost.loki", "CNAME", "NOERROR", [f"localhost.loki. CNAME {ROUTER_NAME}."]),
    (ROUTER_NAME, "A", "NOERROR", [f"{ROUTER_NAME}. A 172.16.0.1"]),
    (ROUTER_NAME, "AAAA", "NOERROR", []),
    ("y" * 52 + ".snode", "AAAA", "NOERROR", []),
    (f"{REMOTE}.loki", "A", "SERVFAIL", []),
    (f"{REMOTE}.loki", "MX", "SERVFAIL", []),
    ("web.loki", "A", "SERVFAIL", []),
    ("y" * 52 + ".snode", "A", "SERVFAIL", []),
    ("we_b.loki", "A", "NXDOMAIN", []),
]


@pytest.mark.parametrize(("name", "qtype", "code", "records"), ROUTER_TABLE)
def test_a_router_answers_its_share(name: str, qtype: str, code: str, records: list[str]) -> None:
    zone = KnownZone()
    zone.own = ROUTER_NAME
    found = answer(question(name, qtype), zone)
    assert told(found) == (code, records)


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
