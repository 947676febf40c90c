"""What is asked of the engine, in which order, and how little where there is nothing to do."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from tests.integration.docker.between import between
from tests.integration.docker.engine import ROOT, docker
from tests.integration.orchestrator.command import SMALL, Testnet, new_testnet, until

CREATE = re.compile(r"POST .*/containers/create\?name=\S*\.([a-z0-9-]+)\.lokinet ")
ASKED = ("router-1", "router-2")
HELD = ("router-3", "router-4", "router-5", "alice")
"""Nodes that read the contacts of those and ask them."""
ROUTERS = """
name: small
hops: 2
nodes:
  router: {role: router, count: 5}
  alice: {role: client}
"""

BEGUN_S = 30
OTHER_QUESTIONS = 16
"""Version, images, lists of networks and containers, the command that fetches the page."""


@pytest.fixture
def testnet(images: str) -> Iterator[Testnet]:
    """The command, making containers of a network that is taken down."""
    with new_testnet(ROOT) as net:
        net.env["TESTNET_BACKEND"] = "docker"
        try:
            yield net
        finally:
            net.run("down")


class Listening:
    """Hears of requests; several threads tell it."""

    def __init__(self, nodes: Path) -> None:
        self.nodes = nodes
        self._lock = threading.Lock()
        self.requests: list[str] = []
        self.begun_early: set[str] = set()
        self.first_began = False

    def hear(self, request: str) -> None:
        """The last node's container has to wait until the first node has long begun."""
        with self._lock:
            self.requests.append(request)
            is_last = len(self.said_all(CREATE)) == len(ASKED + HELD) and CREATE.search(request)
        if is_last:
            log = self.nodes / ASKED[0] / "lokinet.log"
            with suppress(AssertionError):  # told when this thread's answer is not waited for
                until("it begins", lambda: log.exists() and log.stat().st_size > 0, BEGUN_S)
                self.first_began = True
            self.begun_early = {node for node in HELD if begun(self.nodes / node)}

    def said_all(self, pattern: re.Pattern[str]) -> list[str]:
        return [found[1] for each in self.requests if (found := pattern.search(each))]

    def forget(self) -> None:
        with self._lock:
            self.requests.clear()

    def said(self, method: str, but: str = "nothing") -> list[str]:
        return [each for each in self.requests if each.startswith(method) and but not in each]


def test_nodes_that_ask_others_begin_when_all_containers_are_there(testnet: Testnet) -> None:
    """While a container is still to be made their interpreters do not run; then all do."""
    listening = Listening(testnet.state / "small" / "nodes")
    with between(testnet.root) as way:
        way.rule = listening.hear
        testnet.env["DOCKER_HOST"] = f"unix://{way.path}"
        up = testnet.run("up", testnet.configure(ROUTERS), "--wait-for=links")
        del testnet.env["DOCKER_HOST"]
    assert up.returncode == 0, up.stderr
    assert sorted(listening.said_all(CREATE)) == sorted(ASKED + HELD)
    assert listening.first_began
    assert listening.begun_early == set()
    assert {node for node in HELD if begun(listening.nodes / node)} == set(HELD)


def test_a_second_up_asks_once_for_all_and_once_for_each_and_changes_nothing(
    testnet: Testnet,
) -> None:
    listening = Listening(testnet.state / "small" / "nodes")
    topology = testnet.configure(SMALL)
    with between(testnet.root) as way:
        way.rule = listening.hear
        testnet.env["DOCKER_HOST"] = f"unix://{way.path}"
        first = testnet.run("up", topology)
        assert first.returncode == 0, first.stderr
        details = [
            each for each in listening.said("GET") if re.search(r"containers/\w+/json", each)
        ]
        containers = docker("ps", "-q", f"--filter=label=lokinet-testnet.id={number(testnet)}")
        count = len(containers.stdout.split())
        assert len(details) <= 2 * count, "a new network has nothing to be looked for"
        listening.forget()
        second = testnet.run("up", topology, "--json")
        assert json.loads(second.stdout)["changes"] == 0, second.stdout
        del testnet.env["DOCKER_HOST"]
    assert listening.said("POST", but="/exec") == []
    assert listening.said("DELETE") == []
    asked = listening.said("GET")
    details = [each for each in asked if re.search(r"containers/\w+/json", each)]
    assert count <= len(details) <= count + 2
    assert len(asked) - len(details) <= OTHER_QUESTIONS, asked


def begun(directory: Path) -> bool:
    """Whether a node's interpreter runs, seen from this machine."""
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with suppress(OSError):
            words = path.read_text(errors="replace").split("\0")
            if words[0].endswith("/python") and f"{directory}/lokinet.ini" in words:
                return True
    return False


def number(testnet: Testnet) -> str:
    journal = next(testnet.state.glob("*.journal"))
    return str(json.loads(journal.read_text().splitlines()[0])["id"])
