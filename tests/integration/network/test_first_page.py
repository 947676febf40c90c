"""What a person at alice's keyboard sees: Debian's own programs and a `.loki` name.

Faults that turn these red stand in docs/testing.md, each with how it was seen.
"""

from __future__ import annotations

import re
from ipaddress import ip_address, ip_network

import pytest

from tests.integration.network.pages import WEB_ROOT, Downloading, offer
from tests.integration.network.real import Network
from tests.integration.orchestrator.command import until

pytestmark = pytest.mark.anywhere

UNMAPPED = "172.16.200.200"
"""In the range of alice's tun, and given to nobody."""
TUN_RANGE = ip_network("172.16.0.0/16")
ECHO_PORT = "7007"
RATE = "8M"
"""Bytes a second: slow enough that a download can be looked at while it runs."""
DATAGRAMS = ("1", "160", "1232", "1252", "4000", "20000")
"""Bytes; 1252 just fits the tun's MTU of 1280, the last two travel in fragments."""


def test_curl_gets_the_page_by_its_52_character_name(testnet: Network) -> None:
    assert re.fullmatch(r"[a-z0-9]{52}\.loki", testnet.addresses["web"])
    served = testnet.execute("web", "cat", f"{WEB_ROOT}/index.html").stdout
    assert "<h1>" in served
    got = testnet.execute("alice", "curl", "-sS", "-w", "%{http_code} %{remote_ip}", testnet.url())
    assert got.returncode == 0, got.stderr
    assert got.stdout.startswith(served)
    status, address = got.stdout.removeprefix(served).split()
    assert status == "200"
    assert ip_address(address) in TUN_RANGE


def test_ping_by_name_gets_every_answer(testnet: Network) -> None:
    result = testnet.execute("alice", "ping", "-c5", "-i0.2", "-W5", testnet.addresses["web"])
    assert "5 packets transmitted, 5 received, 0% packet loss" in result.stdout, result.stdout


def test_dig_finds_an_address_and_the_name_behind_it(testnet: Network) -> None:
    name = testnet.addresses["web"]
    address = testnet.execute("alice", "dig", "+short", name).stdout.strip()
    assert ip_address(address) in TUN_RANGE
    assert testnet.execute("alice", "dig", "+short", "-x", address).stdout == f"{name}.\n"


def test_a_name_without_an_ipv6_address_exists_all_the_same(testnet: Network) -> None:
    """NXDOMAIN here makes resolvers that ask for both give up the IPv4 address as well."""
    answer = testnet.execute("alice", "dig", "AAAA", testnet.addresses["web"]).stdout
    assert "status: NOERROR" in answer
    assert "ANSWER: 0" in answer


def test_udp_datagrams_of_every_size_come_back_unchanged(testnet: Network) -> None:
    with testnet.running("web", "echo.py", ECHO_PORT):
        name = testnet.addresses["web"]
        asked = testnet.run_script("alice", "ask.py", name, ECHO_PORT, *DATAGRAMS)
    assert asked.stdout.splitlines() == [f"{size} same" for size in DATAGRAMS], asked.stderr


def test_a_router_answers_ping_by_its_snode_name(testnet: Network) -> None:
    name = testnet.addresses["router-5"]
    assert re.fullmatch(r"[a-z0-9]{52}\.snode", name)
    result = testnet.execute("alice", "ping", "-c3", "-i0.2", "-W5", name)
    assert "3 packets transmitted, 3 received, 0% packet loss" in result.stdout, result.stdout


def test_an_address_that_maps_to_nobody_is_unreachable_at_once(testnet: Network) -> None:
    ping = testnet.execute("alice", "ping", "-c1", "-W5", UNMAPPED)
    assert ping.returncode == 1
    assert "Destination Host Unknown" in ping.stdout
    curl = testnet.execute("alice", "curl", "-sS", "-m", "5", f"http://{UNMAPPED}/")
    assert curl.returncode == 7, f"refused at once is 7, a timeout 28: {curl.stderr}"


@pytest.mark.timeout(300)
def test_a_download_of_100_mb_arrives_unchanged(testnet: Network) -> None:
    page = offer(testnet, "large", 100)
    with Downloading(testnet, "alice", page) as download:
        download.finish(within_s=200)


@pytest.mark.timeout(300)
def test_two_clients_download_at_once(testnet: Network) -> None:
    page = offer(testnet, "shared", 20)
    with (
        Downloading(testnet, "alice", page, RATE) as alices,
        Downloading(testnet, "bob", page, RATE) as bobs,
    ):
        until(
            "both have some, neither has all",
            lambda: alices.is_under_way() and bobs.is_under_way(),
            within_s=30,
        )
        alices.finish(within_s=60)
        bobs.finish(within_s=60)
