"""Ranges of destinations, against the standard library's."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lokinet_node.base.errors import NameSyntaxError
from lokinet_node.exits.exit_range import EVERYTHING, number_of, parse_exit_range

ADDRESSES = st.one_of(st.ip_addresses(v=4), st.ip_addresses(v=6))
MAPPED = IPv6Network("::ffff:0:0/96")


@st.composite
def networks(draw: st.DrawFn) -> IPv4Network | IPv6Network:
    address = draw(ADDRESSES)
    prefix = draw(st.integers(0, address.max_prefixlen))
    return ip_network((address, prefix), strict=False)


def holds(network: IPv4Network | IPv6Network, address: IPv4Address | IPv6Address) -> bool:
    """As the library says it, IPv4 being a part of IPv6."""
    if isinstance(network, IPv4Network):
        network = IPv6Network((f"::ffff:{network.network_address}", network.prefixlen + 96))
    if isinstance(address, IPv4Address):
        address = IPv6Address(f"::ffff:{address}")
    return address in network


@given(networks(), ADDRESSES)
def test_a_range_holds_what_the_library_says(
    network: IPv4Network | IPv6Network, address: IPv4Address | IPv6Address
) -> None:
    range_ = parse_exit_range(str(network))
    for one in (address, network[0], network[-1]):
        assert range_.holds(number_of(one.packed)) == holds(network, one)
    inside = isinstance(network, IPv4Network) or network.subnet_of(MAPPED)
    assert range_.is_ipv4 == inside
    assert parse_exit_range(str(range_)) == range_


@given(networks(), networks())
def test_a_range_covers_another_when_it_holds_both_its_ends(
    one: IPv4Network | IPv6Network, other: IPv4Network | IPv6Network
) -> None:
    wide, narrow = parse_exit_range(str(one)), parse_exit_range(str(other))
    ends = holds(one, other[0]) and holds(one, other[-1])
    assert wide.covers(narrow) == ends
    assert EVERYTHING.covers(narrow)


def test_texts_people_write() -> None:
    assert str(parse_exit_range("203.0.113.7/24")) == "203.0.113.0/24"
    assert str(parse_exit_range("203.0.113.7")) == "203.0.113.7/32"
    assert str(parse_exit_range("::/0")) == str(EVERYTHING) == "::/0"
    assert str(parse_exit_range("2001:db8::1/32")) == "2001:db8::/32"
    assert EVERYTHING.holds(number_of(ip_address("203.0.113.7").packed))


@pytest.mark.parametrize("text", ["", "x", "1.2.3", "1.2.3.4/33", "::/129", "fe80::1%eth0/64", "/"])
def test_what_is_no_range_is_refused_by_name(text: str) -> None:
    with pytest.raises(NameSyntaxError, match=r"range"):
        parse_exit_range(text)
