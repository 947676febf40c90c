"""IPv4 text and values, against the standard library's slow and obvious ipaddress."""

from __future__ import annotations

import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lokinet_node.base.addresses import (
    Endpoint,
    format_ipv4,
    is_bogon,
    is_loopback,
    parse_endpoint,
    parse_ipv4,
    parse_range,
)
from lokinet_node.base.errors import NameSyntaxError


@given(st.ip_addresses(v=4))
def test_addresses_agree_with_the_standard_library(address: ipaddress.IPv4Address) -> None:
    assert parse_ipv4(str(address)) == int(address)
    assert format_ipv4(int(address)) == str(address)


@given(st.text("0123456789. /-x", max_size=16))
def test_what_the_standard_library_refuses_is_refused(text: str) -> None:
    try:
        expected = int(ipaddress.IPv4Address(text))
    except ValueError:
        with pytest.raises(NameSyntaxError):
            parse_ipv4(text)
    else:
        assert parse_ipv4(text) == expected


@given(st.ip_addresses(v=4), st.integers(0, 32), st.ip_addresses(v=4))
def test_ranges_agree_with_the_standard_library(
    own: ipaddress.IPv4Address, prefix: int, other: ipaddress.IPv4Address
) -> None:
    expected = ipaddress.IPv4Network((int(own), prefix), strict=False)
    found = parse_range(f"{own}/{prefix}")
    assert (found.first, found.last) == (int(expected[0]), int(expected[-1]))
    assert (int(other) in found) == (other in expected)
    assert str(found) == f"{own}/{prefix}"


@pytest.mark.parametrize("text", ["", "10.0.0.1", "10.0.0.1/", "10.0.0.1/33", "10.0.0/8", "a/8"])
def test_malformed_ranges_are_refused(text: str) -> None:
    with pytest.raises(NameSyntaxError):
        parse_range(text)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("192.0.2.1:99", Endpoint("192.0.2.1", 99)),
        ("192.0.2.1", Endpoint("192.0.2.1", 53)),
        (":99", Endpoint("127.0.0.1", 99)),
    ],
)
def test_endpoint_parts_left_out_take_their_defaults(text: str, expected: Endpoint) -> None:
    assert parse_endpoint(text, ip="127.0.0.1", port=53) == expected


@pytest.mark.parametrize("text", ["", "1.2.3.4", ":1", "1.2.3.4:", "1.2.3.4:65536", "h:1", "1:2:3"])
def test_malformed_endpoints_are_refused(text: str) -> None:
    with pytest.raises(NameSyntaxError):
        parse_endpoint(text)


@pytest.mark.parametrize(
    "text", ["10.1.2.3", "172.31.0.1", "203.0.113.9", "127.3.2.1", "224.0.0.1"]
)
def test_private_and_reserved_addresses_are_bogons(text: str) -> None:
    assert is_bogon(parse_ipv4(text))


@pytest.mark.parametrize("text", ["9.9.9.9", "172.32.0.1", "100.128.0.1", "223.255.255.255"])
def test_routed_addresses_are_not_bogons(text: str) -> None:
    assert not is_bogon(parse_ipv4(text))


def test_loopback_is_the_whole_of_127() -> None:
    assert is_loopback(parse_ipv4("127.3.2.1"))
    assert not is_loopback(parse_ipv4("128.0.0.1"))
