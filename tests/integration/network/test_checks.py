"""The default topology's own tests, on the real network; and each kind seen red."""

from __future__ import annotations

import json

import pytest

from tests.integration.network.real import Network

pytestmark = pytest.mark.anywhere

RED = """\
name: looked-at
nodes:
  router: {role: router, count: 8, tun: true}
  web: {role: service, app: nginx}
  alice: {role: client}
  bob: {role: client}
tests:
  - http: {from: alice, to: web, path: /no-such-page}
  - dns: {from: alice, name: web, answer: 203.0.113.1}
  - ping: {from: alice, to: no-such-host.example, count: 1}
  - udp-echo: {from: alice, to: web, port: 9, count: 2}
  - throughput: {from: alice, to: web, at-least: 900 Gbit/s, for: 200ms}
  - ons: {from: alice, name: not-bought.loki, to: web}
"""


def test_every_test_of_the_default_topology_holds(testnet: Network) -> None:
    result = testnet.run("test", "--name", testnet.name, "--json")
    data = json.loads(result.stdout)
    fallen = [row for row in data["tests"] if not row["held"]]
    assert (result.returncode, fallen) == (0, [])
    assert {row["kind"] for row in data["tests"]} == {
        "http", "dns", "ping", "udp-echo", "throughput", "ons",
    }  # fmt: skip


def test_each_kind_of_check_can_fail(testnet: Network) -> None:
    file = testnet.configure(RED)
    result = testnet.run("test", file, "--name", testnet.name, "--json")
    data = json.loads(result.stdout)
    assert result.returncode == 1
    assert [(row["kind"], row["held"]) for row in data["tests"]] == [
        (kind, False) for kind in ("http", "dns", "ping", "udp-echo", "throughput", "ons")
    ]
    assert all("the check to be made" not in row["expected"] for row in data["tests"]), data
