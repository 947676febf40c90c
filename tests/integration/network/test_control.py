"""The control sockets of real nodes, and what their logs keep to themselves."""

from __future__ import annotations

import json
import re
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from lokinet_node.base.base32z import encode_base32z
from tests.integration.network.real import READY_S, Network, new_network

pytestmark = pytest.mark.anywhere

TOPOLOGY = """\
name: asked
hops: 2
log-format: json
nodes:
  router: {role: router, count: 3, tun: true}
  web: {role: service, app: nginx, srv: [_http._tcp 1 2 80]}
  alice: {role: client}
"""
NODES = ("router-1", "router-2", "router-3", "web", "alice")
OTHER_VERSION = bytes((1, 99, 0, 0)) + bytes(1372)
"""An initiation of a wire that nobody speaks yet."""


@pytest.fixture(scope="module")
def network() -> Iterator[Network]:
    with new_network("asked") as made:
        path = made.root / "asked.yaml"
        path.write_text(TOPOLOGY)
        made.up(str(path))
        yield made


class Control:
    """A connection to one node's control socket."""

    def __init__(self, network: Network, node: str) -> None:
        path = network.runtime / network.name / f"{node}.sock"
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.settimeout(READY_S)
        self._socket.connect(str(path))
        self._lines = self._socket.makefile("rb")

    def __enter__(self) -> Control:
        return self

    def __exit__(self, *_: object) -> None:
        self._lines.close()
        self._socket.close()

    def ask(self, method: str, **params: object) -> Any:
        request = {"id": 1, "method": method, "params": params}
        self._socket.sendall(json.dumps(request).encode() + b"\n")
        return self.next()

    def next(self) -> Any:
        return json.loads(self._lines.readline())


def test_a_question_over_the_socket_is_answered_like_one_over_dns(network: Network) -> None:
    web = network.addresses["web"]
    dug = network.execute("alice", "dig", "@127.3.2.1", "+short", web).stdout.strip()
    with Control(network, "alice") as alice:
        address = alice.ask("llarp.dns_query", qname=web)["result"]["answers"]
        assert [(one["name"], one["type"], one["rdata"]) for one in address] == [
            (f"{web}.", 1, dug)
        ]
        services = alice.ask("llarp.dns_query", qname=f"_http._tcp.{web}", qtype=33)["result"]
        assert [one["rdata"] for one in services["answers"]] == [f"1 2 80 {web}."]
        unknown = alice.ask("llarp.lookup_snode", snode=network.addresses["router-1"])
        assert unknown["error"] == "not supported"
    with Control(network, "router-1") as router:
        own = router.ask("llarp.lookup_snode", snode=network.addresses["router-1"])
        assert own["result"] == {"ip": router.ask("llarp.status")["result"]["ourIP"]}


def test_a_peer_of_another_version_is_told_of_in_the_live_log(network: Network) -> None:
    with Control(network, "router-2") as router:
        assert router.ask("llarp.logs", endpoint="watch") == {"id": 1, "result": "OK"}
        peer = next(row["underlay"] for row in network.programs() if row["node"] == "router-2")
        sent = network.run_script("alice", "send.py", peer, "1090", OTHER_VERSION.hex())
        assert sent.returncode == 0, sent.stderr
        while True:
            pushed = router.next()
            assert pushed["method"] == "watch"
            line = json.loads(pushed["params"]["line"])
            if line["event"] == "link.version":
                break
        assert (line["level"], line["ours"], line["handshakes"]) == ("warn", 1, 1)
        assert "another version" in line["hint"]


def secrets_of(network: Network) -> set[str]:
    """Every name and key of the network, as text might show them."""
    found = {address.partition(".")[0] for address in network.addresses.values()}
    for path in network.state.rglob("*.key"):
        data = path.read_bytes()
        for at in range(len(data) - 31):
            found |= {data[at : at + 32].hex(), encode_base32z(data[at : at + 32])}
    return found


def log_lines(network: Network) -> Iterator[tuple[Path, str]]:
    for path in network.state.rglob("lokinet.log"):
        for line in path.read_text().splitlines():
            yield path, line


def test_logs_are_json_and_name_nobody_and_show_no_key(network: Network) -> None:
    web = network.addresses["web"]
    for name in (web, "web.loki", "random.snode", f"{'y' * 52}.loki", "private.example"):
        network.execute("alice", "dig", "@127.3.2.1", "+tries=1", "+time=5", name)
    assert network.execute("alice", "curl", "-sS", network.url()).returncode == 0
    secrets = secrets_of(network)
    assert len(secrets) > 100
    lines = list(log_lines(network))
    assert {path.parent.name for path, _ in lines} >= set(NODES)
    events = set()
    for path, line in lines:
        entry = json.loads(line)
        events.add(entry["event"])
        words = set(re.findall(r"[0-9A-Za-z]{16,}", line))
        assert not words & secrets, (path, line)
        assert not any(len(word) >= 52 for word in words), (path, line)
        assert not re.search(r"\.(loki|snode|example)\b|\b10\.7|\b172\.16\.", line), (path, line)
    assert {"node.started", "session.ready", "name.unresolved"} <= events


def test_overrides_count_from_the_next_start_and_halt_ends_a_node(network: Network) -> None:
    with Control(network, "alice") as alice:
        refused = alice.ask("llarp.config", override={"network": {"hops": 9}}, reload=True)
        assert "overrides.ini:2: [network] hops=: 9 is not between 1 and 8" in refused["error"]
        override = {"logging": {"level": "debug"}}
        assert alice.ask("llarp.config", override=override, reload=True)["result"] == "OK"
        assert alice.ask("llarp.halt")["result"] == "OK"
        assert alice._lines.readline() == b""
    # what was halted is started again like anything that ended
    result = network.run("restart", "alice", "-n", network.name, "--timeout", f"{READY_S:.0f}s")
    assert result.returncode == 0, result.stderr
    with Control(network, "alice") as alice:
        alice.ask("llarp.logs")
        line = alice.next()
        while json.loads(line["params"]["line"])["level"] != "debug":
            line = alice.next()
