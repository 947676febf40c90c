"""Who is no root but may ask the engine has the whole use of a network, and leaves nothing."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from tests.integration.docker.engine import ROOT, docker, eventually, inspect
from tests.integration.docker.member import GROUP, USER, Member, member

MINIMAL = str(ROOT / "topologies" / "minimal.yaml")
PROGRAMS = 7
TESTS = """
name: checked
hops: 2
nodes:
  router: {role: router, count: 2, tun: true}
  exit: {role: exit}
  www: {role: server, app: nginx}
  alice: {role: client, exits: [exit.loki]}
  chain: {role: chain}
names: {exit.loki: exit}
tests:
  - {exit: {from: alice, to: www, through: exit}, eventually: 20s}
  - {udp-echo: {from: alice, to: www}}
  - {leak: {from: alice, to: www}}
"""

ANEW = 'umask 077 && cp "$1" "$1.new" && mv -f "$1.new" "$1"'
"""As a router does once an hour."""


@pytest.fixture
def anybody(images: str) -> Iterator[Member]:
    with member() as opened:
        yield opened


def load_processes(net: Member) -> list[str]:
    """Numbers of processes of this machine that put a load on the network."""
    found = []
    (number,) = net.net.numbers
    for entry in Path("/proc").glob("[0-9]*/cmdline"):
        with suppress(OSError):
            words = entry.read_bytes().decode(errors="replace").split("\0")
            if "orchestrator.traffic" in words and number in words:
                found.append(entry.parent.name)
    return found


def container(net: Member, node: str, program: str) -> str:
    (number,) = net.net.numbers
    labels = {"id": number, "node": node, "program": program}
    wanted = [f"--filter=label=lokinet-testnet.{key}={value}" for key, value in labels.items()]
    return docker("ps", "--quiet", *wanted).stdout.strip()


def test_a_network_of_a_plain_user_comes_up_is_used_and_leaves_nothing(anybody: Member) -> None:
    up = anybody.run("up", MINIMAL, "--json")
    assert up.returncode == 0, up.stderr
    page = json.loads(up.stdout)["page"]
    assert page["status"] == 200
    rows = json.loads(anybody.run("ps", "--json").stdout)
    assert [row["state"] for row in rows] == ["running"] * PROGRAMS
    for node in ("alice", "web", "router-1"):
        assert "default" not in anybody.run("exec", node, "--", "ip", "route").stdout
    assert anybody.run("exec", "alice", "--", "id", "-u").stdout == f"{USER}\n"
    assert "It works" in anybody.run("exec", "alice", "--", "curl", "-s", page["url"]).stdout
    loaded = anybody.run("load", "http", "--rps", "20", "--for", "1s", "--wait", "--json")
    assert loaded.returncode == 0, loaded.stderr
    figures = json.loads(loaded.stdout)[0]["figures"]
    assert (figures["failures"], figures["answered"] > 0) == ({}, True)
    calls = anybody.run("load", "voip", "--calls", "2")  # until `down`
    assert calls.returncode == 0, calls.stderr
    restarted = anybody.run("restart", "web", "router-1")
    assert restarted.returncode == 0, restarted.stderr
    waited = anybody.run("wait")
    assert waited.returncode == 0, waited.stderr
    assert eventually(lambda: anybody.run("status").returncode == 0), "paths are built anew"
    bridge = f"br-{network_number(anybody)[:12]}"
    assert Path(f"/proc/sys/net/ipv4/conf/{bridge}/rp_filter").read_text() == "1\n"
    alice = container(anybody, "alice", "lokinet")
    assert inspect("container", alice)["Config"]["User"] == f"0:{GROUP}"
    # root's folder in the user's directory, as a node may make one
    home = anybody.net.state / "minimal" / "nodes" / "alice"
    docker("exec", alice, "mkdir", "--mode=700", "--parents", f"{home}/closed/closed")
    assert load_processes(anybody)
    down = anybody.run("down")
    assert down.returncode == 0, down.stderr
    assert load_processes(anybody) == []
    assert anybody.net.leftovers() == []
    assert anybody.in_engine() == []


def test_checks_open_sockets_in_nodes_that_are_root(anybody: Member) -> None:
    """Routers with a tun write their contacts anew, as root, and who restarts reads them."""
    up = anybody.run("up", anybody.net.configure(TESTS))
    assert up.returncode == 0, up.stderr
    tested = anybody.run("test")
    assert tested.returncode == 0, tested.stdout + tested.stderr
    for node in ("router-1", "router-2"):
        contact = anybody.net.state / "checked" / "nodes" / node / "self.signed"
        docker("exec", container(anybody, node, "lokinet"), "sh", "-c", ANEW, "sh", str(contact))
        assert contact.stat().st_uid == 0
    restarted = anybody.run("restart", "alice", "router-2")
    assert restarted.returncode == 0, restarted.stderr
    assert anybody.run("wait").returncode == 0
    replaced = anybody.run("replace", "router-2")
    assert replaced.returncode == 0, replaced.stderr
    down = anybody.run("down")
    assert down.returncode == 0, down.stderr
    assert anybody.net.leftovers() == []
    assert anybody.in_engine() == []


def network_number(net: Member) -> str:
    (number,) = net.net.numbers
    label = f"--filter=label=lokinet-testnet.id={number}"
    return docker("network", "ls", "--quiet", "--no-trunc", label).stdout.strip()
