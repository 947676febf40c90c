"""docs/dns.md says what the room dns/ answers; a real node is asked in tests/integration."""

from __future__ import annotations

import os
from collections.abc import Mapping

import dnslib
import pytest

from lokinet_node.base.addresses import parse_ipv4
from lokinet_node.base.ids import LokiAddress, RouterID
from lokinet_node.base.names import encode_base32z, parse_key
from lokinet_node.base.srv import SrvRecord, parse_srv
from lokinet_node.crypto.keys import ed25519_keypair
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
from tests.dns_table import (
    BOUGHT_ROWS,
    CLIENT_ROWS,
    OWN_SERVICES,
    ROUTER_ROWS,
    SERVICES,
    Told,
    blanked,
    filled,
    on_page,
    put_on_page,
    table,
)
from tests.unit.dns.zones import KnownZone, question

WEB, NOBODY, OWN, ROUTER = (
    encode_base32z(ed25519_keypair(bytes((number,)) * 32).public) for number in range(4)
)
CONTACT = (
    f"ai_addr=10.0.0.1:1090; ai_pk={'a' * 64}; updated=1; "
    f"onion_pk={'b' * 64}; router_version=0.1.0;"
)
KNOWN = {
    "web": WEB,
    "nobody": NOBODY,
    "own": OWN,
    "router": ROUTER,
    "own ip": "1.0.16.172",
    "web ip": "2.0.16.172",
    "free ip": "9.9.16.172",
}


class Zone(KnownZone):
    """A node of which everything is known."""

    def __init__(self, top: str) -> None:
        self.own = f"{OWN}.{top}"

    def own_services(self) -> tuple[SrvRecord, ...]:
        return tuple(map(parse_srv, OWN_SERVICES))

    def name_at(self, ip: int) -> str | None:
        named = {parse_ipv4("172.16.0.1"): self.own}
        if not self.is_router():
            named[parse_ipv4("172.16.0.2")] = f"{WEB}.loki"
        return named.get(ip)

    def netid(self) -> str:
        return "testnet"


def fact(need: Need) -> Fact:
    """What a network with web, its name and one router tells."""
    match need:
        case NeedAddress(_, key):
            return None if key == parse_key(NOBODY) else parse_ipv4("172.16.0.7")
        case NeedName(name):
            return LokiAddress(parse_key(WEB)) if name == "web.loki" else None
        case NeedServices(address):
            is_web = address == parse_key(WEB)
            return tuple(map(parse_srv, SERVICES)) if is_web else None
        case NeedContact(router):
            return None if router == parse_key(NOBODY) else CONTACT
        case NeedRouter():
            return RouterID(parse_key(ROUTER))


def told(query: Query, zone: Zone, known: Mapping[str, str]) -> Told:
    found = answer(query, zone)
    while not isinstance(found, bytes):
        found = fail(query) if isinstance(found, Forward) else resume(query, found, fact(found))
    message = dnslib.DNSRecord.parse(found)
    records = tuple(
        blanked(f"{rr.rname} {dnslib.QTYPE[rr.rtype]} {rr.rdata}", known) for rr in message.rr
    )
    soa = str(message.auth[0].rname) if message.auth else ""
    return Told(dnslib.RCODE[message.header.rcode], tuple(sorted(records)), soa)


@pytest.mark.parametrize(
    ("which", "top", "rows"),
    [
        ("client", "loki", CLIENT_ROWS),
        ("bought", "loki", BOUGHT_ROWS),
        ("router", "snode", ROUTER_ROWS),
    ],
)
def test_the_page_is_current(which: str, top: str, rows: list[tuple[str, list[str]]]) -> None:
    zone = Zone(top)
    # random.snode may be any router: the table does not say which
    known = {key: text for key, text in KNOWN.items() if "ip" not in key}
    answers = {
        (name, qtype): told(
            question(filled(name, KNOWN), qtype),
            zone,
            {k: v for k, v in known.items() if name != "random.snode" or k != "router"},
        )
        for name, types in rows
        for qtype in types
    }
    made = table(rows, answers)
    if os.environ.get("UPDATE_DOCS"):
        put_on_page(which, made)
    assert on_page(which) == made, "run `make docs-dns`"
