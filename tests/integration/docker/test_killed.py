"""`kill -9` of `up` on containers after every line of its journal, then `gc`: nothing is left.

As on namespaces (`orchestrator/test_killed.py`), with what the engine may be finishing when nobody
waits for it any more, and with containers, networks and volumes of others that look like ours.
Faults that turn these red stand in docs/testing.md.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.integration.docker.between import Between, between
from tests.integration.docker.engine import ROOT, docker, image
from tests.integration.orchestrator.command import SMALL, Testnet, new_testnet, until
from tests.integration.orchestrator.killing import (
    interrupt_up,
    kill_after,
    kill_up,
    lines_of,
    states,
)

TOPOLOGY = SMALL.replace("name: small", "name: undone")
LINES = 12
"""Of the journal of the topology: whose it is, keys, the network, four nodes, five programs."""
LABEL = "lokinet-testnet."
KINDS = {"container": ["--all"], "network": [], "volume": []}
NOTHING: dict[str, set[str]] = {kind: set() for kind in KINDS}


@pytest.fixture
def testnet(images: str) -> Iterator[Testnet]:
    """The command, making containers; what a failed test leaves is ended."""
    with new_testnet(ROOT) as net:
        net.env["TESTNET_BACKEND"] = "docker"
        try:
            yield net
        finally:
            for journal in net.state.glob("*.journal"):
                ours = f"{LABEL}id={number_of(journal)}"
                remove("container", listed("container", ours))
                remove("network", listed("network", ours))


def number_of(journal: Path) -> str:
    return str(json.loads(journal.read_text().splitlines()[0])["id"])


def listed(kind: str, label: str) -> list[str]:
    """Full numbers (of volumes: names) of what has a label."""
    full = [] if kind == "volume" else ["--no-trunc"]
    return docker(kind, "ls", "-q", *full, *KINDS[kind], f"--filter=label={label}").stdout.split()


def remove(kind: str, names: list[str]) -> None:
    if names:
        docker(kind, "rm", *(["--force"] if kind != "network" else []), *names, check=False)


def everything(kind: str) -> list[str]:
    """Names of all there is of our networks, whatever their labels."""
    form = "--format={{.Names}}" if kind == "container" else "--format={{.Name}}"
    names = docker(kind, "ls", form, *KINDS[kind]).stdout.split()
    return [name for name in names if name.startswith("undone-")]


def nameless_volumes() -> set[str]:
    """What images ask for and nobody named."""
    names = docker("volume", "ls", "-q").stdout.split()
    return {name for name in names if len(name) == 64}


@dataclass
class LookAlikes:
    """What others have in the engine, under our names and under labels like ours."""

    number: str
    made: dict[str, list[str]] = field(default_factory=lambda: {kind: [] for kind in KINDS})

    def make(self, kind: str, name: str, *options: str) -> None:
        words = {
            "container": ["container", "create", "--network=none", "--read-only"],
            "network": ["network", "create", "--internal"],
            "volume": ["volume", "create"],
        }[kind]
        last = [image("tools")] if kind == "container" else []
        named = [name] if kind != "container" else [f"--name={name}"]
        done = docker(*words, *options, *named, *last, check=False)
        if done.returncode != 0:  # ours has the name: each takes one that begins like it
            assert "already" in done.stderr, done.stderr
            named = [f"{each}-{len(self.made[kind]) + 2}" for each in named]
            done = docker(*words, *options, *named, *last)
        self.made[kind].append(done.stdout.strip())

    def present(self) -> bool:
        """Whether all of it is there still, and what ran runs."""
        for kind, names in self.made.items():
            if docker(kind, "inspect", *names, check=False).returncode != 0:
                return False
        running = docker("container", "ls", "-q", "--no-trunc").stdout.split()
        return self.made["container"][0] in running

    def close(self) -> None:
        for kind, names in self.made.items():
            remove(kind, names)


@contextmanager
def look_alikes(number: str) -> Iterator[LookAlikes]:
    """Everything that could be taken for the killed network's."""
    others = LookAlikes(number)
    near = f"undone-{number[:6]}"
    as_ours = [f"--label={LABEL}network=undone", f"--label={LABEL}node=web"]
    try:
        for label in (f"{LABEL}id={number}0", f"{LABEL}id={number[:-1]}"):
            for kind, name in (("container", f"{near}.web.nginx"), ("volume", near)):
                others.make(kind, name, f"--label={label}", *as_ours)
        labels = [f"--label={LABEL}id={number[::-1]}", f"--label=x{LABEL}id={number}"]
        others.make("network", near, *labels, *as_ours, "--subnet=10.200.201.0/29")
        labels = [f"--label={LABEL}id={number.upper()}x", f"--label={LABEL}number={number}"]
        others.make("network", "undone", *labels, *as_ours, "--subnet=10.200.201.8/29")
        others.make("container", f"{near}.alice.lokinet", *labels, f"--label={LABEL}id", *as_ours)
        docker("container", "start", others.made["container"][0])
        yield others
    finally:
        others.close()


@contextmanager
def way_to_engine(testnet: Testnet) -> Iterator[Between]:
    """Commands ask somebody who asks the engine, while the block lasts."""
    with between(testnet.root) as way:
        testnet.env["DOCKER_HOST"] = f"unix://{way.path}"
        try:
            yield way
        finally:
            del testnet.env["DOCKER_HOST"]
            way.path.unlink(missing_ok=True)


@dataclass
class Left:
    """What there is of a killed network."""

    testnet: Testnet
    number: str
    bridges: list[str]
    volumes: set[str]

    def things(self) -> list[str]:
        label = f"{LABEL}id={self.number}"
        found = [f"{kind} {name}" for kind in KINDS for name in listed(kind, label)]
        found += [f"link {name}" for name in self.bridges if Path("/sys/class/net", name).exists()]
        found += [f"volume {name}" for name in nameless_volumes() - self.volumes]
        return found + self.testnet.leftovers()


def killed_up(testnet: Testnet, line: int, topology: str) -> Left:
    volumes = nameless_volumes()
    kill_up(testnet, line, topology)
    return what_is_left(testnet, volumes)


def what_is_left(testnet: Testnet, volumes: set[str]) -> Left:
    number = number_of(testnet.state / "undone.journal")
    networks = listed("network", f"{LABEL}id={number}")
    return Left(testnet, number, [f"br-{name[:12]}" for name in networks], volumes)


def test_every_line_is_met(testnet: Testnet) -> None:
    up = testnet.run("up", testnet.configure(TOPOLOGY))
    assert up.returncode == 0, up.stderr
    assert lines_of(testnet, "undone") == LINES
    left = what_is_left(testnet, nameless_volumes())
    assert len([thing for thing in left.things() if thing.startswith("container ")]) == 7
    assert testnet.run("down").returncode == 0
    assert left.things() == []


@pytest.mark.parametrize("line", range(1, LINES + 1))
def test_killed_after_a_line_up_leaves_nothing_that_gc_does_not_remove(
    testnet: Testnet, line: int
) -> None:
    left = killed_up(testnet, line, testnet.configure(TOPOLOGY))
    assert lines_of(testnet, "undone") == line
    copy = testnet.state / "undone-2.journal"
    copy.write_text((testnet.state / "undone.journal").read_text())
    with look_alikes(left.number) as others:
        planned = json.loads(testnet.run("gc", "--dry-run", "--json").stdout)
        assert planned == {"would_remove": ["undone"], "strangers": [str(copy)]}
        collected = testnet.run("gc")
        assert collected.returncode == 0, collected.stderr
        assert "removed undone: " in collected.stdout
        assert others.present()
    copy.unlink()
    assert testnet.run("gc").stdout == "nothing is left over\n"
    assert left.things() == []


def test_killed_after_the_page_came_it_leaves_nothing_either(testnet: Testnet) -> None:
    """By then there is the container in which alice's curl ran, which no line of its own names."""
    volumes = nameless_volumes()
    kill_after(testnet, "orchestrator.up.fetch", 1, "up", testnet.configure(TOPOLOGY))
    left = what_is_left(testnet, volumes)
    assert len([thing for thing in left.things() if thing.startswith("container ")]) == 7
    assert testnet.run("gc").returncode == 0
    assert left.things() == []


def test_volumes_that_an_image_asks_for_go_with_the_killed_command(testnet: Testnet) -> None:
    name = "localhost/lokinet-testnet/test-volume:local"
    text = f"FROM {image('tools')}\nVOLUME /data\n"
    subprocess.run(["docker", "build", "-q", "-t", name, "-"], input=text, text=True, check=True)
    app = f"{{kind: command, run: [sleep, infinity], image: '{name}'}}"
    volumes = nameless_volumes()
    try:
        topology = testnet.configure(TOPOLOGY.replace("app: nginx", f"app: {app}"))
        kill_after(testnet, "orchestrator.up.apply", 1, "up", topology)
        left = what_is_left(testnet, volumes)
        assert len([thing for thing in left.things() if thing.startswith("volume ")]) == 1
        assert testnet.run("gc").returncode == 0
        assert left.things() == []
    finally:
        docker("image", "rm", name, check=False)


@pytest.mark.parametrize("asked", ["/containers/create", "/networks/create"])
def test_what_the_engine_makes_after_the_kill_is_removed_too(testnet: Testnet, asked: str) -> None:
    """The request reaches the engine when `gc` has looked at everything once."""
    held, killed, release = (threading.Event() for _ in range(3))
    looks = iter([False, True])

    def hold(request: str) -> None:
        if asked in request:
            held.set()
            assert release.wait(60)
        elif killed.is_set() and "/networks" in request and next(looks, False):
            release.set()

    volumes = nameless_volumes()
    with way_to_engine(testnet) as way:
        way.rule = hold
        process = testnet.start("up", testnet.configure(TOPOLOGY))
        assert held.wait(30)
        process.kill()
        process.communicate()
        left = what_is_left(testnet, volumes)
        killed.set()
        collected = testnet.run("gc")
        assert release.is_set()
    assert collected.returncode == 0, collected.stderr
    until("the engine has answered", lambda: not way.busy())
    assert left.things() == []


def test_a_stranger_in_our_network_is_not_removed_and_named(testnet: Testnet) -> None:
    left = killed_up(testnet, 5, testnet.configure(TOPOLOGY))
    network = f"undone-{left.number[:6]}"
    stranger = f"{network}-stranger"
    try:
        docker("run", "--detach", f"--name={stranger}", f"--network={network}", image("tools"))
        collected = testnet.run("gc")
        assert collected.returncode == 5, collected.stdout
        assert f"container {stranger} of somebody else is connected to it" in collected.stdout
        assert f"`docker network disconnect {network} {stranger}`" in collected.stdout
        assert states(testnet) == {"undone": "left over"}
    finally:
        docker("rm", "--force", stranger, check=False)
    assert testnet.run("gc").returncode == 0
    assert left.things() == []


@pytest.mark.parametrize("line", [2, 3, 6, 10, LINES])
def test_ctrl_c_after_a_line_leaves_nothing(testnet: Testnet, line: int) -> None:
    before = {kind: set(everything(kind)) for kind in KINDS}
    result = interrupt_up(testnet, line, testnet.configure(TOPOLOGY))
    assert result.returncode == 130, result.stderr
    assert result.stderr.endswith("\ntestnet: interrupted\n")
    assert testnet.leftovers() == []
    assert {kind: set(everything(kind)) - before[kind] for kind in KINDS} == NOTHING


def test_ctrl_c_while_it_waits_for_nodes_leaves_nothing(testnet: Testnet) -> None:
    before = {kind: set(everything(kind)) for kind in KINDS}
    process = testnet.start("up", testnet.configure(TOPOLOGY))
    assert process.stderr is not None
    while "changes made in" not in (line := process.stderr.readline()):
        assert line, "up ended early"
    os.killpg(process.pid, signal.SIGINT)
    _, complaints = process.communicate(timeout=30)
    assert process.returncode == 130, complaints
    assert testnet.leftovers() == []
    assert {kind: set(everything(kind)) - before[kind] for kind in KINDS} == NOTHING


@pytest.mark.parametrize("asked", ["/networks/create", "/start", "/exec"])
def test_an_engine_that_dies_is_told_and_gc_finishes_when_it_is_back(
    testnet: Testnet, asked: str
) -> None:
    """Meanwhile what has nothing to do with it is collected as ever."""
    volumes = nameless_volumes()
    with way_to_engine(testnet) as way:
        way.rule = lambda request: way.end() if asked in request else None
        failed = testnet.run("up", testnet.configure(TOPOLOGY))
        no_engine = f"no engine answers at {way.path}: to start one: "
        assert failed.returncode == 5, failed.stderr
        assert "containers of network 'undone' may be left: " in failed.stderr
        assert no_engine in failed.stderr
        assert "once that is mended, `testnet gc` removes them" in failed.stderr
        left = what_is_left(testnet, volumes)
        testnet.env["TESTNET_BACKEND"] = "netns"
        kill_up(testnet, 1, testnet.configure(TOPOLOGY.replace("name: undone", "name: a-world")))
        kill_up(testnet, 1, testnet.configure(TOPOLOGY.replace("name: undone", "name: world")))
        collected = testnet.run("gc")
        assert collected.returncode == 5
        assert "removed a-world: " in collected.stdout
        assert "removed world: " in collected.stdout
        assert no_engine in collected.stdout
        assert states(testnet) == {"undone": "left over"}
    collected = testnet.run("gc")
    assert collected.returncode == 0, collected.stdout
    assert "removed undone: " in collected.stdout
    assert left.things() == []


def test_killed_commands_are_finished_by_the_next(testnet: Testnet) -> None:
    """A killed first `up` by another, a killed second one as well, a killed `down` by `gc`."""
    path = testnet.configure(TOPOLOGY)
    left = killed_up(testnet, LINES - 2, path)
    up = testnet.run("up", path)
    assert up.returncode == 0, up.stderr
    assert states(testnet) == {"undone": "running"}
    lines = lines_of(testnet, "undone")
    kill_up(testnet, 2, testnet.configure(TOPOLOGY.replace("count: 2", "count: 3")))
    assert lines_of(testnet, "undone") == lines + 2
    assert testnet.run("gc").stdout == "nothing is left over\n"
    assert states(testnet) == {"undone": "running"}
    up = testnet.run("up", path)
    assert up.returncode == 0, up.stderr
    assert {row["node"] for row in json.loads(testnet.run("ps", "--json").stdout)} >= {"router-3"}
    left = what_is_left(testnet, left.volumes)
    kill_after(testnet, "orchestrator.lifecycle.forget", 1, "down")
    assert states(testnet) == {"undone": "left over"}
    assert testnet.run("gc").returncode == 0
    assert left.things() == []
