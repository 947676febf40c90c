"""`doctor --backend docker` on this machine, with its engine, and with what makes it unfit."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.integration.docker.engine import ROOT, docker
from tests.integration.orchestrator.command import Testnet, new_testnet

TAKEN = "10.93.0.0/16"
TOPOLOGY = f"""
name: looked-at
hops: 1
underlay: {TAKEN}
nodes:
  router: {{role: router, count: 2}}
"""


@pytest.fixture
def testnet(images: str) -> Iterator[Testnet]:
    with new_testnet(ROOT) as net:
        yield net


def findings(testnet: Testnet, *arguments: str) -> tuple[int, dict[str, dict[str, Any]]]:
    """Exit code, and what was found by subject."""
    done = testnet.run("doctor", "--backend", "docker", "--json", *arguments)
    found = json.loads(done.stdout)
    assert found["fit"] == (done.returncode == 0)
    return done.returncode, {each["subject"]: each for each in found["findings"]}


def everything() -> list[str]:
    """Containers of trials."""
    form = "--format={{.Names}}"
    return docker("ps", "--all", form, "--filter=name=lokinet-testnet-doctor-").stdout.split()


def test_this_engine_is_found_fit_by_trying_and_nothing_stays(
    testnet: Testnet, engine: str
) -> None:
    code, found = findings(testnet)
    assert code == 0, found
    assert found["engine"]["seen"].startswith(f"{engine}, API ")
    assert found["container"]["seen"].startswith("made a tun and ended in ")
    runc = docker("version", "--format={{json .Server.Components}}")
    version = next(each["Version"] for each in json.loads(runc.stdout) if each["Name"] == "runc")
    assert found["runc"]["seen"].startswith(version)
    cgroup = docker("info", "--format={{.CgroupVersion}}, by {{.CgroupDriver}}").stdout.strip()
    assert found["cgroup"]["seen"] == f"version {cgroup}"
    assert {"rights", "capabilities", "addresses", "image node:local"} <= found.keys()
    assert everything() == []
    assert testnet.leftovers() == []


def test_somebody_elses_addresses_are_told_with_what_will_be_taken(testnet: Testnet) -> None:
    topology = testnet.configure(TOPOLOGY)
    docker("network", "create", "--internal", "--subnet=10.93.7.0/24", "lokinet-testnet-taken")
    try:
        code, found = findings(testnet, topology)
    finally:
        docker("network", "rm", "lokinet-testnet-taken")
    assert (code, found["addresses"]["verdict"]) == (0, "degraded")
    assert found["addresses"]["seen"] == (
        f"{TAKEN}: network lokinet-testnet-taken has 10.93.7.0/24"
    )
    assert found["addresses"]["instead"].startswith("a new network's links would be at 10.")
    _, afterwards = findings(testnet, topology)
    assert afterwards["addresses"] == {
        **found["addresses"],
        "verdict": "ok",
        "seen": f"{TAKEN} is free",
        "instead": "",
        "fix": "",
    }


def test_without_an_engine_or_an_image_it_is_not_fit(testnet: Testnet) -> None:
    app = "  web: {role: service, app: {kind: command, run: [socat], port: 7, image: no/such:1}}\n"
    code, found = findings(testnet, testnet.configure(TOPOLOGY + app))
    assert (code, found["image such:1"]["fix"]) == (4, "`docker pull no/such:1`")
    assert "container" not in found, "nothing is tried where something fatal is known"
    testnet.env["DOCKER_HOST"] = f"unix://{testnet.root}/nobody"
    code, found = findings(testnet)
    assert (code, list(found)) == (4, ["engine"])
    assert "`sudo systemctl start docker`" in found["engine"]["fix"]
