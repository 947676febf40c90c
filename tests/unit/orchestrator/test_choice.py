"""Which backend a new network gets, and which addresses."""

from __future__ import annotations

from ipaddress import IPv4Network
from pathlib import Path

import pytest

from orchestrator.choice import asked_for, choose
from orchestrator.engine.client import engine_socket
from orchestrator.engine.subnets import (
    Taken,
    free_underlay,
    gateway_of,
    taken_by_engine,
    taken_by_machine,
)
from orchestrator.errors import HostUnfit, UsageError

ROUTES = """Iface	Destination	Gateway 	Flags	RefCnt	Use	Metric	Mask		MTU	Window	IRTT
eth0	00000000	010200C0	0003	0	0	0	00000000	0	0	0
tun0	00004D0A	00000000	0001	0	0	0	0000FFFF	0	0	0
"""
"""A default route, and 10.77.0.0/16."""


def unasked() -> str | None:
    raise AssertionError("nobody needs to know")


def test_the_flag_beats_the_variable_and_that_the_topology() -> None:
    assert asked_for("docker", "netns", "auto") == ("docker", "--backend")
    assert asked_for(None, "docker", "netns") == ("docker", "TESTNET_BACKEND")
    assert asked_for(None, None, "docker") == ("docker", "the topology")
    assert asked_for("auto", "docker", "docker") == ("auto", "--backend")


def test_a_variable_that_names_no_backend_is_an_error() -> None:
    with pytest.raises(UsageError, match="TESTNET_BACKEND=podman: there are auto, netns, docker"):
        asked_for(None, "podman", "auto")


def test_what_was_asked_for_is_taken_without_a_look_at_the_machine() -> None:
    choice = choose("docker", "--backend", unasked, unasked)
    assert (choice.backend, choice.why) == ("docker", "--backend says so")


def test_auto_takes_namespaces_where_they_can_be_had() -> None:
    assert choose("auto", "", lambda: None, unasked).backend == "netns"


def test_auto_takes_containers_otherwise_and_says_why() -> None:
    choice = choose("auto", "", lambda: "no tun", lambda: None)
    assert (choice.backend, choice.why) == ("docker", "no namespaces here: no tun")


def test_auto_without_either_names_both_reasons() -> None:
    with pytest.raises(HostUnfit, match=r"no tun .*no engine"):
        choose("auto", "", lambda: "no tun", lambda: "no engine")


def test_the_topologys_addresses_are_kept_where_they_are_free() -> None:
    others = [Taken(IPv4Network("172.17.0.0/16"), "network bridge")]
    assert free_underlay("10.77.0.0/16", others) == ("10.77.0.0/16", None)


def test_addresses_in_use_give_way_to_the_next_free_ones() -> None:
    vpn = Taken(IPv4Network("10.77.3.0/24"), "a route of this machine (tun0)")
    lan = Taken(IPv4Network("10.78.0.0/15"), "network x")
    assert free_underlay("10.77.0.0/16", [vpn, lan]) == ("10.80.0.0/16", vpn)


def test_none_free_is_told() -> None:
    everything = Taken(IPv4Network("10.0.0.0/8"), "network x")
    assert free_underlay("10.77.0.0/16", [everything]) == (None, everything)


def test_networks_of_the_engine_and_routes_of_the_machine_are_taken(tmp_path: Path) -> None:
    networks = [
        {"Name": "a", "IPAM": {"Config": [{"Subnet": "10.77.0.0/16"}, {"Subnet": "fd00::/64"}]}},
        {"Name": "host", "IPAM": {"Config": None}},
    ]
    assert list(taken_by_engine(networks)) == [Taken(IPv4Network("10.77.0.0/16"), "network a")]
    file = tmp_path / "route"
    file.write_text(ROUTES)
    assert list(taken_by_machine(file)) == [
        Taken(IPv4Network("10.77.0.0/16"), "a route of this machine (tun0)")
    ]


def test_the_gateway_is_an_address_no_node_has() -> None:
    assert gateway_of("10.78.0.0/16") == "10.78.255.254"


def test_an_engine_on_another_machine_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_HOST", "ssh://somewhere")
    with pytest.raises(HostUnfit, match="the engine must be on it"):
        engine_socket()
    monkeypatch.setenv("DOCKER_HOST", "unix:///a/b.sock")
    assert engine_socket() == "/a/b.sock"
