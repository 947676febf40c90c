"""What each container may do and see, as values: no engine is asked."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from orchestrator.backends.docker_containers import (
    Ground,
    NodeNote,
    lender_body,
    network_body,
    note_of,
    program_body,
    sandbox_body,
    tools_body,
)
from orchestrator.directories import Places
from orchestrator.load import parse
from orchestrator.ops import Image, NodeSpec
from orchestrator.render import render

TEXT = """name: n
hops: 1
nodes:
  plain: {role: router}
  visited: {role: router, tun: true}
  web: {role: service, app: nginx}
  echo: {role: service, app: {kind: command, run: [socat, a, b], port: 7, image: some/where:1}}
  alice: {role: client}
  chain: {role: chain}
"""
PLACES = Places("n", Path("/state/n"), Path("/run/n"))
GROUND = Ground(PLACES, "0123456789abcdef", {"net.ipv4.ip_forward": "0"})
MEMBERS = Ground(PLACES, "0123456789abcdef", {}, user=1000, group=1001)
"""Asked for by a plain user who may ask the engine."""
Body = dict[str, Any]


@pytest.fixture
def nodes() -> dict[str, NodeSpec]:
    topology = parse(TEXT.encode(), "x")
    desired = render(topology, PLACES, "/python", True, lambda word: Image(word, f"sha256:{word}"))
    return {node.name: node for node in desired.nodes}


def body_of(spec: NodeSpec, index: int = 0, ground: Ground = GROUND) -> Body:
    owner = "owner" if len(spec.processes) > 1 else None
    return program_body(ground, spec, spec.processes[index], "made of", owner)


def bodies(nodes: dict[str, NodeSpec]) -> dict[str, Body]:
    """Every container a network could have."""
    found = {
        f"{spec.name}.{process.name}": body_of(spec, index)
        for spec in nodes.values()
        for index, process in enumerate(spec.processes)
    }
    found["web.sandbox"] = sandbox_body(GROUND, nodes["web"])
    found["alice.tools"] = tools_body(GROUND, "alice", note_of(nodes["alice"]), "owner")
    return found


def test_no_container_may_more_than_it_must(nodes: dict[str, NodeSpec]) -> None:
    for name, body in bodies(nodes).items():
        host = body["HostConfig"]
        assert host["CapDrop"] == ["ALL"], name
        assert host["ReadonlyRootfs"] is True, name
        assert host["SecurityOpt"] == ["no-new-privileges"], name
        assert "Privileged" not in host, name
        assert host["PidsLimit"] > 0, name
        assert host["RestartPolicy"] == {"Name": "no"}, name
        for mount in host.get("Mounts", []):
            assert mount["Source"].startswith(("/state/n/", "/run/n/")), name


def test_only_a_node_that_makes_a_tun_gets_net_admin_and_the_device(
    nodes: dict[str, NodeSpec],
) -> None:
    with_rights = {
        name
        for name, body in bodies(nodes).items()
        if "CapAdd" in body["HostConfig"] or "Devices" in body["HostConfig"]
    }
    assert with_rights == {"visited.lokinet", "web.lokinet", "echo.lokinet", "alice.lokinet"}
    for name in with_rights:
        host = bodies(nodes)[name]["HostConfig"]
        assert host["CapAdd"] == ["NET_ADMIN"]
        assert [device["PathOnHost"] for device in host["Devices"]] == ["/dev/net/tun"]


def test_root_is_only_who_makes_a_tun(nodes: dict[str, NodeSpec]) -> None:
    users = {name: body["User"] for name, body in bodies(nodes).items()}
    assert users == {
        "plain.lokinet": "1090:1090",
        "visited.lokinet": "0:0",
        "web.lokinet": "0:0",
        "web.nginx": "33:33",
        "web.sandbox": "33:33",
        "echo.lokinet": "0:0",
        "echo.command": "",  # whom its image names
        "alice.lokinet": "0:0",
        "alice.tools": "65534:65534",
        "chain.oxend": "1090:1090",
    }


def test_programs_that_share_a_node_live_in_its_sandbox(nodes: dict[str, NodeSpec]) -> None:
    for name in ("web.lokinet", "web.nginx"):
        body = bodies(nodes)[name]
        assert body["HostConfig"]["NetworkMode"] == "container:owner"
        assert "NetworkingConfig" not in body
        assert "Hostname" not in body, "engines refuse one beside another's network"
        assert "Dns" not in body["HostConfig"], "and this as well"
    sandbox = sandbox_body(GROUND, nodes["web"])
    assert sandbox["NetworkingConfig"]["EndpointsConfig"]["n-012345"]["IPAMConfig"] == {
        "IPv4Address": nodes["web"].address
    }


def test_who_has_a_namespace_has_the_nodes_resolver(nodes: dict[str, NodeSpec]) -> None:
    for spec, resolver in ((nodes["alice"], "127.3.2.1"), (nodes["chain"], "127.0.0.1")):
        host = body_of(spec)["HostConfig"]
        assert host["Dns"] == [resolver], "for who asks the engine's own resolver"
        assert {
            "Type": "bind",
            "Source": f"/state/n/containers/{spec.name}/resolv.conf",
            "Target": "/etc/resolv.conf",
            "ReadOnly": True,
        } in host["Mounts"]


def test_an_application_sees_no_key_and_no_control_socket(nodes: dict[str, NodeSpec]) -> None:
    web, echo = nodes["web"], nodes["echo"]
    for body in (body_of(web, 1), sandbox_body(GROUND, web), body_of(echo, 1)):
        sources = {mount["Source"] for mount in body["HostConfig"].get("Mounts", [])}
        allowed = {"/state/n/nodes/web/nginx", "/state/n/nodes/web/nginx.log"}
        allowed |= {"/state/n/nodes/echo/command.log", "/state/n/containers/web/resolv.conf"}
        assert sources <= allowed


def test_a_node_sees_of_others_only_contacts_and_cannot_write_them(
    nodes: dict[str, NodeSpec],
) -> None:
    mounts = body_of(nodes["alice"])["HostConfig"]["Mounts"]
    assert [(mount["Source"], mount["Target"], mount["ReadOnly"]) for mount in mounts] == [
        ("/state/n/nodes/alice", "/state/n/nodes/alice", False),
        ("/run/n/alice.d", "/run/n", False),
        (
            "/state/n/containers/alice/contact-plain",
            "/state/n/nodes/plain/self.signed",
            True,
        ),
        ("/state/n/containers/alice/resolv.conf", "/etc/resolv.conf", True),
    ]


def test_a_network_has_no_way_out_and_the_machine_no_address_on_it() -> None:
    body = network_body(GROUND, "10.77.0.0/16", "10.77.255.254")
    assert body["Internal"] is True
    assert body["Options"]["com.docker.network.bridge.inhibit_ipv4"] == "true"
    assert body["IPAM"]["Config"] == [{"Subnet": "10.77.0.0/16", "Gateway": "10.77.255.254"}]
    assert body["Labels"]["lokinet-testnet.id"] == "0123456789abcdef"


def test_everything_of_a_network_has_its_number(nodes: dict[str, NodeSpec]) -> None:
    for name, body in bodies(nodes).items():
        assert body["Labels"]["lokinet-testnet.id"] == "0123456789abcdef", name
        assert (
            f"{body['Labels']['lokinet-testnet.node']}.{body['Labels']['lokinet-testnet.program']}"
            == name
        )


def test_a_program_writes_its_log_where_it_always_does(nodes: dict[str, NodeSpec]) -> None:
    body = body_of(nodes["echo"], 1)
    entry = body["Entrypoint"]
    log = next(each for each in body["HostConfig"]["Mounts"] if each["Source"].endswith(".log"))
    # not through folders of the machine: an image may keep others out of its /root
    assert log["Target"] == "/run/application.log"
    assert log["Source"] == nodes["echo"].processes[1].log
    assert entry[:2] == ["/bin/sh", "-c"]
    assert entry[4:] == ["022", "/run/application.log", "socat", "a", "b"], (
        "words of a topology stay words"
    )


def test_programs_come_from_the_images_of_their_kind(nodes: dict[str, NodeSpec]) -> None:
    images = {name: body["Image"] for name, body in bodies(nodes).items()}
    assert images["web.nginx"] == "sha256:web"
    assert images["web.sandbox"] == images["alice.tools"] == "sha256:tools"
    assert images["echo.command"] == "sha256:some/where:1"
    assert images["chain.oxend"] == images["plain.lokinet"] == "sha256:node"


def test_a_note_comes_back_from_its_label(nodes: dict[str, NodeSpec]) -> None:
    note = note_of(nodes["web"])
    assert NodeNote.read(note.text()) == note
    assert note.labels == {"role": "service", "control": "/run/n/web.sock", "port.nginx": "80"}


def test_nodes_that_ask_others_wait_at_the_gate_and_those_who_are_asked_do_not() -> None:
    text = TEXT.replace("plain: {role: router}", "plain: {role: router, count: 9}")
    desired = render(
        parse(text.encode(), "x"), PLACES, "/python", True, lambda word: Image(word, word)
    )
    for spec in desired.nodes:
        entry = body_of(spec)["Entrypoint"]
        waits = "/run/n/gate" in entry
        assert waits == (bool(spec.reads) and not spec.is_asked), spec.name
        assert entry[-len(spec.processes[0].argv) :] == list(spec.processes[0].argv)
        if spec.role == "client":
            assert waits
    assert [spec.name for spec in desired.nodes if spec.is_asked][:1] == ["plain-1"]


def test_who_cannot_give_files_away_runs_programs_as_himself(nodes: dict[str, NodeSpec]) -> None:
    users = {
        name: body_of(nodes[node], index, MEMBERS)["User"]
        for name, node, index in (
            ("a router", "plain", 0),
            ("a router with a tun", "visited", 0),
            ("a client", "alice", 0),
            ("nginx", "web", 1),
            ("an application with an image of its own", "echo", 1),
            ("a chain", "chain", 0),
        )
    }
    assert users == {
        "a router": "1000:1001",
        "a router with a tun": "0:1001",
        "a client": "0:1001",
        "nginx": "1000:1001",
        "an application with an image of its own": "",
        "a chain": "1000:1001",
    }
    tools = tools_body(MEMBERS, "alice", note_of(nodes["alice"]), "owner")
    assert tools["User"] == "1000:1001"


def test_who_lends_sockets_may_open_raw_ones_and_sees_one_folder(
    nodes: dict[str, NodeSpec],
) -> None:
    body = lender_body(MEMBERS, "alice", note_of(nodes["alice"]), "owner", "sha256:node")
    host = body["HostConfig"]
    assert (host["CapDrop"], host["CapAdd"]) == (["ALL"], ["NET_RAW"])
    assert host["NetworkMode"] == "container:owner"
    assert [mount["Source"] for mount in host["Mounts"]] == ["/run/n/alice.d"]
    assert host["ReadonlyRootfs"] is True
    assert "Devices" not in host
