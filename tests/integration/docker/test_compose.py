"""The files in compose/, by docker-compose alone: no orchestrator, nothing but the files."""

from __future__ import annotations

import re
import shutil
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.integration.docker.engine import ROOT, docker, eventually

FIRST_PAGE_S = 90
"""Measured 5 s after `up` came back."""
STATUS = ("curl", "-s", "-m", "3", "-o", "/dev/null", "-w", "%{http_code}")
PROJECT = "com.docker.compose.project"


@dataclass(frozen=True, slots=True)
class Composed:
    """One file, under a project name of the tests' own."""

    command: tuple[str, ...]
    file: Path

    @property
    def project(self) -> str:
        return f"lokinet-testnet-{self.file.stem}"

    def run(self, *words: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            [*self.command, "-p", self.project, "-f", str(self.file), *words],
            cwd="/",
            capture_output=True,
            text=True,
            check=False,
        )
        assert not check or done.returncode == 0, done.stderr + done.stdout
        return done

    def inside(self, service: str, *argv: str) -> str:
        """Output of a program, whatever became of it."""
        return self.run("exec", "-T", service, *argv, check=False).stdout

    def page(self, host: str, service: str = "alice.tools") -> bool:
        """Whether a page comes in the end."""

        def comes() -> bool:
            return self.inside(service, *STATUS, f"http://{host}/") == "200"

        return eventually(comes, FIRST_PAGE_S)

    def states(self) -> str:
        """For a failure."""
        return self.run("ps", check=False).stdout + self.run("logs", check=False).stdout[-4000:]

    def things(self, *filters: str) -> dict[str, list[str]]:
        """What of it is there: containers, networks, volumes."""
        label = f"--filter=label={PROJECT}={self.project}"
        return {
            kind: sorted(docker(kind, "ls", "-q", label, *words).stdout.split())
            for kind, words in (("container", ("-a", *filters)), ("network", ()), ("volume", ()))
        }


def composed(name: str) -> Composed:
    if shutil.which("docker-compose") is not None:
        command: tuple[str, ...] = ("docker-compose",)
    elif docker("compose", "version", check=False).returncode == 0:
        command = ("docker", "compose")
    else:
        pytest.skip("neither docker-compose nor docker compose: sudo .ci/setup engine")
    return Composed(command, ROOT / "compose" / f"{name}.yaml")


@pytest.fixture(scope="module")
def default(images: str) -> Iterator[Composed]:
    """The default network, as `up -d` leaves it."""
    network = composed("default")
    network.run("down", "-v", check=False)  # what a killed run left
    try:
        network.run("up", "-d")
        yield network
    finally:
        network.run("down", "-v")
    assert network.things() == {"container": [], "network": [], "volume": []}


@pytest.mark.timeout(300)
def test_up_alone_brings_the_page_by_its_bought_name(default: Composed) -> None:
    assert default.page("web.loki"), default.states()
    assert default.page("web.loki", "bob.tools"), default.states()
    body = default.inside("alice.tools", "curl", "-s", "http://web.loki/")
    assert "<h1>It works: web</h1>" in body


@pytest.mark.timeout(300)
@pytest.mark.parametrize("service", ["web", "web.nginx", "alice"])
def test_one_program_of_a_node_restarts_and_the_other_keeps_its_network(
    service: str, default: Composed
) -> None:
    assert default.page("web.loki"), default.states()
    default.run("restart", "-t", "3", service)
    assert default.page("web.loki"), default.states()


def test_a_second_up_leaves_running_containers_alone(default: Composed) -> None:
    def running() -> list[str]:
        return default.things("--filter=status=running")["container"]

    before = running()
    assert len(before) == 8 + 3 + 3 + 1 + 1  # routers, nodes, their tools, nginx, chain
    default.run("up", "-d")
    assert running() == before


def test_what_is_not_there_is_asked_of_nobody_else(default: Composed) -> None:
    assert default.inside("web.nginx", "cat", "/etc/resolv.conf") == "nameserver 127.3.2.1\n"
    for resolver in ("127.3.2.1", "127.0.0.11"):
        asked = ("dig", "+time=2", "+tries=1", "+noall", "+comments", "+answer")
        said = default.inside("alice.tools", *asked, f"@{resolver}", "a.root-servers.net")
        assert "IN\tA\t" not in said
        assert re.search(r"status: (REFUSED|NXDOMAIN|SERVFAIL)", said), (resolver, said)
    began = time.monotonic()
    gone = default.inside("alice.tools", "ping", "-c", "1", "-W", "2", "10.77.255.254")
    assert "0 received" in gone, gone  # the host has no address there
    assert time.monotonic() - began < 20


def test_keys_are_in_no_description_of_a_container(default: Composed) -> None:
    read = "print(open('/lokinet/nodes/web/service.key', 'rb').read().hex())"
    secret = default.inside("web", "python", "-c", read).strip()
    assert len(secret) > 128
    described = docker("inspect", *default.things()["container"]).stdout
    described += default.run("logs", "--no-color").stdout + default.run("config").stdout
    for start in range(0, len(secret) - 32, 32):
        assert secret[start : start + 32] not in described


def test_a_node_sees_no_keys_of_others(default: Composed) -> None:
    seen = default.inside("alice", "find", "/lokinet", "-type", "f", "-printf", "%P\\n").split()
    assert sorted(path for path in seen if "/alice/" not in path) == ["nodes/router-1/self.signed"]


@pytest.mark.timeout(300)
def test_a_network_without_a_chain_serves_by_the_long_name(images: str) -> None:
    composed("default").run("down", "-v", check=False)  # both files name the same addresses
    network = composed("minimal")
    network.run("down", "-v", check=False)
    try:
        network.run("up", "-d")
        said = network.run("logs", "--no-color", "jobs.keys").stdout
        (address,) = re.findall(r"\bweb ([a-z0-9]{52}\.loki)", said)
        assert network.page(address), network.states()
    finally:
        network.run("down", "-v")
    assert network.things() == {"container": [], "network": [], "volume": []}
