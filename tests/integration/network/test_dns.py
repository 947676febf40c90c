"""The table of docs/dns.md, asked of a real client and a real router by programs of others."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator, Mapping

import pytest

from lokinet_node.base.names import encode_base32z
from lokinet_node.crypto.keys import ed25519_keypair
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
from tests.integration.network.real import Network, new_network

pytestmark = pytest.mark.anywhere

TOPOLOGY = f"""\
name: dns
hops: 3
log-format: json
nodes:
  router: {{role: router, count: 5, tun: true}}
  web: {{role: service, app: nginx, srv: {json.dumps(SERVICES)}}}
  alice: {{role: service, srv: {json.dumps(OWN_SERVICES)}}}
  chain: {{role: chain}}
names:
  web.loki: web
"""
NOBODY = encode_base32z(ed25519_keypair(b"nobody at all".ljust(32)).public)
OWN_IP, FREE_IP = "1.0.16.172", "250.250.16.172"
STATUS = re.compile(r"status: (\w+)")


@pytest.fixture(scope="module")
def network() -> Iterator[Network]:
    with new_network("dns") as made:
        path = made.root / "dns.yaml"
        path.write_text(TOPOLOGY)
        made.up(str(path))
        yield made


def told(text: str, known: Mapping[str, str]) -> Told:
    """One answer as dig or kdig print it."""
    (code,) = STATUS.findall(text)
    records, soa = [], ""
    for line in text.splitlines():
        if line.startswith(";") or not line.strip():
            continue
        owner, ttl, _, kind, data = line.split(None, 4)
        assert ttl == "1", line
        if kind == "SOA":
            soa = owner
        else:
            records.append(blanked(f"{owner} {kind} {data}", known))
    return Told(code, tuple(sorted(records)), soa)


def answers(
    network: Network, node: str, rows: list[tuple[str, list[str]]], known: Mapping[str, str]
) -> dict[tuple[str, str], Told]:
    """What all four ways of asking a node agree upon."""
    asked = [(name, qtype) for name, types in rows for qtype in types]
    questions = json.dumps([(filled(name, known), qtype) for name, qtype in asked])
    done = network.run_script(node, "lookups.py", questions)
    assert done.returncode == 0, done.stderr
    found = {}
    for (name, qtype), texts in zip(asked, json.loads(done.stdout), strict=True):
        hidden = {
            key: text
            for key, text in known.items()
            if "ip" not in key and (name != "random.snode" or key != "router")
        }
        ways = {way: told(text, hidden) for way, text in texts.items()}
        if name == "random.snode":  # each time another one
            ways = dict.fromkeys(ways, ways["dig udp"])
        # kdig asks in lower case
        assert len({str(one).lower() for one in ways.values()}) == 1, (name, qtype, ways)
        found[name, qtype] = ways["dig udp"]
    return found


def reverse(ip: str) -> str:
    return ".".join(reversed(ip.split(".")))


def check(which: str, made: str) -> None:
    if os.environ.get("UPDATE_DOCS"):
        put_on_page(which, made)
    assert on_page(which) == made, "run `make docs-dns`"


def known_to_alice(network: Network) -> dict[str, str]:
    web = network.addresses["web"]
    first = network.execute("alice", "dig", "@127.3.2.1", "+short", web)
    return {
        "web": web.removesuffix(".loki"),
        "nobody": NOBODY,
        "own": network.addresses["alice"].removesuffix(".loki"),
        "router": network.addresses["router-3"].removesuffix(".snode"),
        "own ip": OWN_IP,
        "web ip": reverse(first.stdout.strip()),
        "free ip": FREE_IP,
    }


def test_a_client_answers_dig_and_kdig_as_the_page_says(network: Network) -> None:
    known = known_to_alice(network)
    made = table(CLIENT_ROWS, answers(network, "alice", CLIENT_ROWS, known))
    check("client", made.replace(known["web ip"], "2.0.16.172"))


def test_bought_names_and_free_ones_are_answered_as_the_page_says(network: Network) -> None:
    known = known_to_alice(network)
    check("bought", table(BOUGHT_ROWS, answers(network, "alice", BOUGHT_ROWS, known)))


def test_a_router_answers_its_share_as_the_page_says(network: Network) -> None:
    known = {
        "web": network.addresses["web"].removesuffix(".loki"),
        "own": network.addresses["router-1"].removesuffix(".snode"),
        "router": network.addresses["router-3"].removesuffix(".snode"),
        "own ip": OWN_IP,
        "free ip": FREE_IP,
    }
    check("router", table(ROUTER_ROWS, answers(network, "router-1", ROUTER_ROWS, known)))
