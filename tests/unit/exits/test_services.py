"""Protocols, ports and countries as people write them."""

from __future__ import annotations

import pytest

from lokinet_node.base.errors import NameSyntaxError, OperatorError
from lokinet_node.exits.countries import parse_country, ranges_of_countries
from lokinet_node.exits.exit_range import parse_exit_range
from lokinet_node.exits.services import ANY_PORT, Service, parse_service


@pytest.mark.parametrize(
    ("text", "service", "shown"),
    [
        ("tcp", Service(6, ANY_PORT), "tcp"),
        ("tcp/443", Service(6, 443), "tcp/443"),
        ("udp/domain", Service(17, 53), "udp/53"),
        ("icmp", Service(1, ANY_PORT), "icmp"),
        ("0x2f", Service(47, ANY_PORT), "gre"),
        ("0xfd", Service(253, ANY_PORT), "0xfd"),
        ("sctp/65535", Service(132, 65535), "sctp/65535"),
    ],
)
def test_a_service_is_read_and_written(text: str, service: Service, shown: str) -> None:
    assert parse_service(text) == service
    assert str(service) == shown


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "neither"),
        ("tpc", "neither"),
        ("6", "neither"),
        ("0x100", "neither"),
        ("0x-1", "neither"),
        ("0xzz", "neither"),
        ("TCP", "neither"),
        ("icmp/8", "no ports"),
        ("tcp/", "no port"),
        ("tcp/0", "no port"),
        ("tcp/65536", "no port"),
        ("tcp/wwww", "no port"),
        ("tcp/80/81", "no port"),
    ],
)
def test_what_is_no_service_is_explained(text: str, words: str) -> None:
    with pytest.raises(NameSyntaxError, match=words):
        parse_service(text)


LIST = """# who is where
203.0.113.0/24 NL
198.51.100.0/25,de  # a comment
198.51.100.128/25;nl

2001:db8::/32\tDE
"""


def test_a_country_list_is_read_for_the_countries_that_matter() -> None:
    found = ranges_of_countries(LIST, "list", {"NL", "DE"})
    assert {name: list(map(str, ranges)) for name, ranges in found.items()} == {
        "NL": ["203.0.113.0/24", "198.51.100.128/25"],
        "DE": ["198.51.100.0/25", "2001:db8::/32"],
    }
    assert ranges_of_countries(LIST, "list", {"NL"}) == {"NL": found["NL"]}
    assert ranges_of_countries(LIST, "list", ()) == {}


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("203.0.113.0/24", "a range and a country"),
        ("203.0.113.0/24 NL more", "a range and a country"),
        ("203.0.113.0/33 NL", "not a range"),
        ("203.0.113.0/24 NLD", "two letters"),
    ],
)
def test_a_bad_line_of_a_list_is_named(line: str, words: str) -> None:
    with pytest.raises(OperatorError, match=rf"^list:2: .*{words}"):
        ranges_of_countries(f"# head\n{line}\n", "list", {"NL"})


def test_a_list_that_does_not_know_a_country_decides_nothing() -> None:
    with pytest.raises(OperatorError, match=r"^list:1: no line names the country FR$"):
        ranges_of_countries(LIST, "list", {"NL", "FR"})


def test_countries_are_two_letters() -> None:
    assert parse_country("nl") == "NL"
    for text in ("", "n", "nld", "n1", "ñl"):
        with pytest.raises(NameSyntaxError):
            parse_country(text)
    assert parse_exit_range("203.0.113.7/24") == parse_exit_range("203.0.113.0/24")
