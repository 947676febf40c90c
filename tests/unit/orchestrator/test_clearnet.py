"""The clearnet of a topology: its servers, its exits' packet filter, and what is refused."""

from __future__ import annotations

from ipaddress import IPv4Network
from pathlib import Path

import pytest

from orchestrator.backends.docker_containers import Ground, network_body, program_body, sandbox_body
from orchestrator.choice import settle
from orchestrator.definition import Definition
from orchestrator.directories import Places
from orchestrator.engine.subnets import Taken, free_clearnet
from orchestrator.errors import UsageError
from orchestrator.load import BadTopology, parse
from orchestrator.ops import Image, NodeSpec
from orchestrator.render import render
from orchestrator.render_compose import compose_data
from orchestrator.scaling import scaled

TEXT = """name: n
hops: 1
nodes:
  r: {role: router}
  exit: {role: exit%s}
  www: {role: server, app: nginx}
  dns: {role: server, app: dnsmasq}
  mail: {role: server, app: aiosmtpd}
  echo: {role: server, app: {kind: command, run: [socat, a, b], port: 7}}
  a: {role: client}
"""
PLACES = Places("n", Path("/state/n"), Path("/run/n"))
GROUND = Ground(PLACES, "0123456789abcdef", {"net.ipv4.ip_forward": "0"})


def specs(exit_keys: str = "") -> dict[str, NodeSpec]:
    topology = parse((TEXT % exit_keys).encode(), "x")
    desired = render(topology, PLACES, "/python", True, lambda word: Image(word, f"sha256:{word}"))
    return {node.name: node for node in desired.nodes}


def test_a_server_runs_its_program_and_nothing_of_lokinet() -> None:
    nodes = specs()
    images = {name: nodes[name].processes[0].image for name in ("www", "dns", "mail", "echo")}
    assert {name: image and image.name for name, image in images.items()} == {
        "www": "web",
        "dns": "clearnet",
        "mail": "clearnet",
        "echo": "tools",
    }
    for name in images:
        assert len(nodes[name].processes) == 1
        assert "lokinet" not in " ".join(nodes[name].processes[0].argv)
        assert "lokinet.ini" not in nodes[name].files
        assert nodes[name].key is None


def test_the_name_server_knows_every_server_by_name() -> None:
    argv = specs()["dns"].processes[0].argv
    records = [word.partition("=")[2] for word in argv if word.startswith("--host-record")]
    assert records == [
        "www.test,203.0.113.17",
        "dns.test,203.0.113.33",
        "mail.test,203.0.113.49",
        "echo.test,203.0.113.65",
    ]


def test_only_exits_have_a_packet_filter_and_it_names_their_tun() -> None:
    assert {name for name, spec in specs().items() if spec.rules} == {"exit"}
    assert 'iifname "lokitun0" ip daddr 203.0.113.0/24' in specs()["exit"].rules
    named = specs(", ifname: way-out")["exit"]
    assert 'iifname "way-out"' in named.rules
    assert "ifname=way-out" in named.files["lokinet.ini"]
    assert "packet filter" in named.fingerprint


def test_only_the_sandbox_of_an_exit_forwards_and_may_set_a_packet_filter() -> None:
    nodes = specs()
    sandbox = sandbox_body(GROUND, nodes["exit"])
    assert sandbox["HostConfig"]["CapAdd"] == ["NET_ADMIN"]
    assert sandbox["HostConfig"]["Sysctls"]["net.ipv4.ip_forward"] == "1"
    for name in ("www", "dns", "mail", "echo"):
        (process,) = nodes[name].processes
        body = program_body(GROUND, nodes[name], process, "", None)
        assert "CapAdd" not in body["HostConfig"], name
        assert body["HostConfig"]["Sysctls"]["net.ipv4.ip_forward"] == "0"
        # on the clearnet, and nowhere else
        assert list(body["NetworkingConfig"]["EndpointsConfig"]) == [GROUND.clearnet]


def test_the_engines_clearnet_has_no_way_out_and_no_address_of_the_host() -> None:
    body = network_body(GROUND, "203.0.113.0/24", "203.0.113.254", GROUND.clearnet)
    assert body["Internal"] is True
    assert body["Options"] == {"com.docker.network.bridge.inhibit_ipv4": "true"}


def test_a_clearnet_gives_way_to_one_that_is_there() -> None:
    taken = [Taken(IPv4Network("203.0.113.0/25"), "somebody")]
    assert free_clearnet("203.0.113.0/24", taken) == "198.51.100.0/24"
    assert free_clearnet("192.0.2.0/24", taken) == "192.0.2.0/24"
    everything = [Taken(IPv4Network("0.0.0.0/0"), "a VPN")]
    assert free_clearnet("203.0.113.0/24", everything) is None
    assert settle("netns", "10.77.0.0/16", "203.0.113.0/24")[0].clearnet == ""


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            TEXT.replace("exit: {role: exit%s}", ""),
            "x:6: nobody can reach it without an exit: add `exit: {role: exit}` to nodes",
        ),
        (TEXT % ", count: 16", "nodes.exit.count"),
        ("clearnet: 8.8.8.0/24\n" + TEXT % "", "clearnet"),
        ((TEXT % "").replace("app: dnsmasq", "app: bind9"), "dnsmasq"),
        (
            TEXT % "" + "tests: [{http: {from: www, to: a}}]\n",
            "www is a server of the clearnet: it knows nothing of Lokinet",
        ),
        (
            TEXT % "" + "".join(f"  s{i}: {{role: server, app: nginx}}\n" for i in range(11)),
            "the clearnet has room for 15 groups of exits and servers",
        ),
    ],
)
def test_what_cannot_be_is_refused(text: str, said: str) -> None:
    with pytest.raises(BadTopology) as refused:
        parse(text.encode(), "x")
    assert said in str(refused.value)


def test_a_test_may_ask_a_server() -> None:
    asked = "tests: [{http: {from: a, to: www}}, {udp-echo: {from: a, to: echo}}]\n"
    assert len(parse((TEXT % "" + asked).encode(), "x").tests) == 2


def test_groups_on_the_clearnet_have_room_for_fifteen() -> None:
    definition = Definition(TEXT % ", count: 2", "x")
    assert scaled(definition, {"exit": 15}).counts == {"exit": 15}
    with pytest.raises(UsageError, match="a group has 1 to 15 nodes"):
        scaled(definition, {"exit": 16})


def test_a_compose_file_says_that_it_cannot_have_exits() -> None:
    with pytest.raises(UsageError, match="exit, www, dns, mail, echo: a compose file cannot"):
        compose_data(parse((TEXT % "").encode(), "x"), ".")
