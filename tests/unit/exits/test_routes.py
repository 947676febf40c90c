"""Which routes should be ours, from what is mapped and what the table holds."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

import pytest

from lokinet_node.exits.routes import (
    GUARD_METRIC,
    RELAY_METRIC,
    Kind,
    Network,
    Route,
    Wanted,
    additions,
    choose_routes,
    guards,
    is_held_by_another,
    removals,
)

TUN, ETH, WLAN = 9, 2, 3
GATEWAY = ip_address("192.0.2.1")
DEFAULT = Route(ip_network("0.0.0.0/0"), device=ETH, gateway=GATEWAY, metric=100)
LAN = Route(ip_network("192.0.2.0/24"), device=ETH, metric=100)
OWN = Route(ip_network("172.16.0.0/16"), device=TUN)
TABLE = [DEFAULT, LAN, OWN]
BEHIND, NEAR = IPv4Address("198.51.100.7"), IPv4Address("192.0.2.7")


def networks(*texts: str) -> frozenset[Network]:
    return frozenset(map(ip_network, texts))


def wanted(
    *ranges: str,
    relays: tuple[IPv4Address, ...] = (),
    has_guard: bool = True,
    carries_ipv6: bool = False,
) -> Wanted:
    return Wanted(networks(*ranges), TUN, frozenset(relays), has_guard, carries_ipv6)


def through(found: frozenset[Route]) -> set[str]:
    return {str(route.network) for route in found if route.device == TUN}


def closed(found: frozenset[Route]) -> set[str]:
    return {str(route.network) for route in found if route.kind is Kind.BLACKHOLE}


HALVES = {"0.0.0.0/1", "128.0.0.0/1"}
QUARTERS = {"::/2", "4000::/2", "8000::/2", "c000::/2"}


def test_nothing_mapped_is_no_route() -> None:
    assert choose_routes(wanted(relays=(BEHIND,)), TABLE) == frozenset()


@pytest.mark.parametrize("default", ["0.0.0.0/0", "::/0"])
def test_the_default_range_is_lokinets_halves_and_quarters_for_both_versions(default: str) -> None:
    found = choose_routes(wanted(default, carries_ipv6=True), TABLE)
    assert through(found) == closed(found) == HALVES | QUARTERS


def test_without_ipv6_all_of_it_is_closed() -> None:
    found = choose_routes(wanted("0.0.0.0/0"), TABLE)
    assert through(found) == HALVES
    assert closed(found) == HALVES | QUARTERS


def test_a_narrow_range_is_just_that_range_and_says_nothing_about_ipv6() -> None:
    found = choose_routes(wanted("203.0.113.0/24", carries_ipv6=True), TABLE)
    assert through(found) == closed(found) == {"203.0.113.0/24"}


def test_guards_are_worse_than_the_tun_and_left_out_on_request() -> None:
    found = choose_routes(wanted("203.0.113.0/24"), TABLE)
    metrics = {route.kind: route.metric for route in found}
    assert metrics[Kind.UNICAST] < metrics[Kind.BLACKHOLE]
    assert closed(choose_routes(wanted("0.0.0.0/0", has_guard=False), TABLE)) == set()


def test_a_range_somebody_else_routes_is_split_until_ours_are_longer() -> None:
    vpn = Route(ip_network("0.0.0.0/1"), device=WLAN)
    found = choose_routes(wanted("0.0.0.0/0"), [*TABLE, vpn])
    assert through(found) == {"0.0.0.0/2", "64.0.0.0/2", "128.0.0.0/1"}


def test_a_relay_behind_a_gateway_gets_a_host_route_through_it() -> None:
    found = choose_routes(wanted("0.0.0.0/0", relays=(BEHIND,)), TABLE)
    host = Route(ip_network("198.51.100.7/32"), device=ETH, gateway=GATEWAY, metric=RELAY_METRIC)
    assert host in found
    assert host not in choose_routes(wanted("203.0.113.0/24", relays=(BEHIND,)), TABLE)


def test_a_relay_on_the_link_needs_none_unless_the_range_is_narrower_than_the_link() -> None:
    host = Route(ip_network("192.0.2.7/32"), device=ETH, metric=RELAY_METRIC)
    assert host not in choose_routes(wanted("0.0.0.0/0", relays=(NEAR,)), TABLE)
    assert host in choose_routes(wanted("192.0.2.0/28", relays=(NEAR,)), TABLE)


def test_a_relay_without_a_way_is_unreachable_rather_than_sent_into_the_tun() -> None:
    host = Route(ip_network("198.51.100.7/32"), Kind.UNREACHABLE, metric=RELAY_METRIC)
    assert host in choose_routes(wanted("0.0.0.0/0", relays=(BEHIND,)), [LAN, OWN])
    refused = Route(ip_network("198.51.100.0/24"), Kind.UNREACHABLE)
    assert host in choose_routes(wanted("0.0.0.0/0", relays=(BEHIND,)), [*TABLE, refused])


def test_the_better_of_two_gateways_is_taken_with_how_it_is_reached() -> None:
    better = Route(
        ip_network("0.0.0.0/0"), device=WLAN, gateway=IPv6Address("fe80::1"), is_onlink=True
    )
    found = choose_routes(wanted("0.0.0.0/0", relays=(BEHIND,)), [*TABLE, better])
    (host,) = (route for route in found if route.metric == RELAY_METRIC and route.device != TUN)
    assert (host.device, host.gateway, host.is_onlink) == (WLAN, better.gateway, True)


def test_guards_of_an_earlier_run_are_held_and_relays_get_past_them() -> None:
    left = Wanted(tun=TUN, relays=frozenset({BEHIND}), held=networks("0.0.0.0/1", "128.0.0.0/1"))
    found = choose_routes(left, TABLE)
    assert closed(found) == HALVES
    assert {str(route.network) for route in found} == HALVES | {"198.51.100.7/32"}
    assert guards(found) == left.held


def test_a_living_node_is_told_from_what_a_killed_one_left() -> None:
    living = choose_routes(wanted("0.0.0.0/0", relays=(BEHIND,)), TABLE)
    left = frozenset(route for route in living if route.device != TUN)
    assert is_held_by_another(living, 0)
    assert not is_held_by_another(living, TUN)
    assert not is_held_by_another(left, 0)


def test_changes_come_in_an_order_in_which_links_never_break() -> None:
    found = choose_routes(wanted("0.0.0.0/0", relays=(BEHIND,)), TABLE)
    added = additions(found, frozenset())
    assert added[0].metric == RELAY_METRIC
    assert [route.kind for route in added if route.metric == GUARD_METRIC]
    assert added.index(next(r for r in added if r.device == TUN)) == 7
    assert removals(frozenset(), found)[-1] == added[0]
    assert additions(found, found) == removals(found, found) == []
