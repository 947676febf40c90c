"""What an exit passes on, rule by rule, and against a twin that reads the rules as they stand."""

from __future__ import annotations

from ipaddress import ip_address, ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lokinet_node.exits.exit_range import ExitRange, number_of, parse_exit_range
from lokinet_node.exits.policy import MOST_VERDICTS, Policy, Rules
from lokinet_node.exits.ranges import RangeSet
from lokinet_node.exits.refusals import Refusal
from lokinet_node.exits.services import Service, parse_service

TCP, UDP, ICMP = 6, 17, 1
OWN = ("172.16.0.1/16", "8.8.4.4/32")


def ranges(*texts: str) -> tuple[ExitRange, ...]:
    return tuple(map(parse_exit_range, texts))


def services(*texts: str) -> tuple[Service, ...]:
    return tuple(map(parse_service, texts))


def judge(
    rules: Rules, address: str, service: str = "tcp/443", *, later: bool = False
) -> Refusal | None:
    protocol, port = parse_service(service)
    found = Policy(rules, ranges(*OWN)).verdict(
        protocol, max(port, 0), ip_address(address).packed, is_later_fragment=later
    )
    return Refusal(found) if found else None


OPEN = Rules(allowed=ranges("0.0.0.0/0", "::/0", "192.0.2.0/24", "10.0.0.0/8"))


@pytest.mark.parametrize(
    "address",
    [
        "172.16.0.1",  # the tun
        "172.16.200.9",  # another client
        "8.8.4.4",  # the machine
        "127.0.0.1",
        "0.0.0.0",
        "169.254.169.254",
        "224.0.0.1",
        "239.255.255.250",
        "255.255.255.255",
        "::",
        "::1",
        "fe80::1",
        "ff02::1",
        "::ffff:192.0.2.1",
        "::127.0.0.1",
        "64:ff9b::7f00:1",
        "2002:7f00:1::",
        "::ffff:0:7f00:1",
        "64:ff9b:1::7f00:1",
    ],
)
def test_no_rule_opens_what_is_local(address: str) -> None:
    everything = Rules(
        allowed=(*OPEN.allowed, *ranges(f"{address}/{ip_address(address).max_prefixlen}"))
    )
    assert judge(everything, address) is Refusal.LOCAL


@pytest.mark.parametrize(
    "address",
    [
        *("10.1.2.3", "192.168.0.1", "100.64.0.1", "192.0.2.7", "203.0.113.1", "fd00::1"),
        *("4000::1", "64:ff9b:2::7f00:1", "2001:20::1", "1fff::1", "::1:0:0:0", "f800::1"),
    ],
)
def test_what_the_internet_does_not_route_is_opened_only_by_a_range_within_it(
    address: str,
) -> None:
    wide = ranges("0.0.0.0/0", "::/0")
    assert judge(Rules(), address) is Refusal.RANGE
    assert judge(Rules(allowed=wide), address) is Refusal.RANGE
    own = ranges(f"{address}/{ip_address(address).max_prefixlen}")
    assert judge(Rules(allowed=(*wide, *own)), address) is None
    assert judge(Rules(owned=own), address) is None


def test_of_ipv6_only_what_is_given_to_somebody_passes_undeclared() -> None:
    for address in ("2000::1", "2001:200::1", "2606:4700::1111", "3ffe:ffff::1"):
        assert judge(Rules(), address) is None
    assert judge(Rules(allowed=ranges("4000::/2")), "4000::1") is None
    assert judge(Rules(allowed=ranges("::/1")), "1fff::1") is Refusal.RANGE


def test_declared_ranges_are_all_that_is_served() -> None:
    assert judge(Rules(), "9.9.9.9") is None
    assert judge(Rules(allowed=ranges("9.9.9.0/24")), "9.9.9.9") is None
    assert judge(Rules(allowed=ranges("9.9.9.0/24")), "9.9.8.9") is Refusal.RANGE
    assert judge(Rules(owned=ranges("9.9.8.0/24")), "9.9.8.9") is None


def test_denying_beats_allowing() -> None:
    rules = Rules(allowed=ranges("9.0.0.0/8"), denied=ranges("9.9.0.0/16"))
    assert judge(rules, "9.9.9.9") is Refusal.DENIED_RANGE
    assert judge(rules, "9.8.9.9") is None


def test_countries() -> None:
    denied = Rules(denied_countries=ranges("9.9.0.0/16"))
    assert judge(denied, "9.9.9.9") is Refusal.COUNTRY
    assert judge(denied, "9.8.9.9") is None
    allowed = Rules(allowed_countries=ranges("9.9.0.0/16"))
    assert judge(allowed, "9.9.9.9") is None
    assert judge(allowed, "9.8.9.9") is Refusal.COUNTRY
    assert judge(Rules(allowed_countries=()), "9.8.9.9") is Refusal.COUNTRY


def test_protocols_and_ports() -> None:
    rules = Rules(denied_services=services("tcp/smtp", "gre"))
    assert judge(rules, "9.9.9.9", "tcp/25") is Refusal.DENIED_PORT
    assert judge(rules, "9.9.9.9", "udp/25") is None
    assert judge(rules, "9.9.9.9", "gre") is Refusal.DENIED_PORT
    rules = Rules(whitelist=services("tcp/443", "udp"))
    assert judge(rules, "9.9.9.9", "tcp/443") is None
    assert judge(rules, "9.9.9.9", "tcp/80") is Refusal.PROTOCOL
    assert judge(rules, "9.9.9.9", "udp/1") is None
    assert judge(rules, "9.9.9.9", "icmp") is Refusal.PROTOCOL
    both = Rules(whitelist=services("tcp"), denied_services=services("tcp/25"))
    assert judge(both, "9.9.9.9", "tcp/25") is Refusal.DENIED_PORT


def test_later_fragments_do_not_pass_where_ports_count() -> None:
    assert judge(Rules(), "9.9.9.9", "udp/53", later=True) is None
    by_port = Rules(denied_services=services("udp/53"))
    assert judge(by_port, "9.9.9.9", "udp/1", later=True) is Refusal.FRAGMENT
    assert judge(by_port, "9.9.9.9", "tcp/1", later=True) is None
    assert judge(by_port, "127.0.0.1", "udp/1", later=True) is Refusal.LOCAL
    whole = Rules(denied_services=services("udp"))
    assert judge(whole, "9.9.9.9", "udp/1", later=True) is Refusal.DENIED_PORT


def test_new_addresses_of_the_machine_count_at_once() -> None:
    policy = Policy(Rules())
    target = ip_address("9.9.9.9").packed
    assert not policy.verdict(TCP, 1, target)
    policy.stand_in(ranges("9.9.9.9/32"))
    assert policy.verdict(TCP, 1, target) is Refusal.LOCAL
    policy.stand_in(())
    assert not policy.verdict(TCP, 1, target)


def test_verdicts_are_kept_but_not_for_ever() -> None:
    policy = Policy(Rules(denied_services=services("tcp/25")))
    target = ip_address("9.9.9.9").packed
    for _ in range(2):
        for number in range(MOST_VERDICTS + 10):
            policy.verdict(UDP, number, target)
        assert policy.verdict(TCP, 25, target) is Refusal.DENIED_PORT
    assert len(policy._verdicts) <= MOST_VERDICTS


small = st.builds(
    lambda address, prefix: ip_network((address << 24, prefix), strict=False),
    st.integers(8, 11),
    st.integers(5, 10),
)


@given(
    st.lists(small, max_size=3),
    st.lists(small, max_size=3),
    st.lists(st.sampled_from(["tcp", "tcp/1", "udp/1", "icmp"]), max_size=2),
    st.lists(st.sampled_from(["tcp", "tcp/1", "udp/1", "icmp"]), max_size=2),
    st.integers(7 << 24, 12 << 24),
    st.sampled_from([(TCP, 1), (TCP, 2), (UDP, 1), (UDP, 2), (ICMP, 0)]),
)
def test_any_rules_say_what_their_slow_twin_says(
    allowed: list[object],
    denied: list[object],
    whitelist: list[str],
    denied_services: list[str],
    address: int,
    packet: tuple[int, int],
) -> None:
    rules = Rules(
        allowed=ranges(*map(str, allowed)),
        denied=ranges(*map(str, denied)),
        whitelist=services(*whitelist),
        denied_services=services(*denied_services),
    )
    target = ip_address(address)
    protocol, port = packet
    names = {6: "tcp", 17: "udp", 1: "icmp"}
    words = {names[protocol], f"{names[protocol]}/{port}"}
    is_private = target in ip_network("10.0.0.0/8")
    inside = [net for net in allowed if target in net]  # type: ignore[operator]
    declared = (
        any(net.prefixlen >= 8 for net in inside)  # type: ignore[attr-defined]
        if is_private
        else bool(inside) or not allowed
    )
    if any(target in net for net in denied):  # type: ignore[operator]
        expected = Refusal.DENIED_RANGE
    elif not declared:
        expected = Refusal.RANGE
    elif words & set(denied_services):
        expected = Refusal.DENIED_PORT
    elif whitelist and not words & set(whitelist):
        expected = Refusal.PROTOCOL
    else:
        expected = None
    assert (Policy(rules).verdict(protocol, port, target.packed) or None) == expected


@given(st.lists(small, max_size=5), st.integers(7 << 24, 12 << 24))
def test_a_set_of_ranges_holds_what_any_of_them_holds(nets: list[object], address: int) -> None:
    target = ip_address(address)
    found = RangeSet(ranges(*map(str, nets)))
    assert (number_of(target.packed) in found) == any(target in net for net in nets)  # type: ignore[operator]
    assert bool(found) == bool(nets)
