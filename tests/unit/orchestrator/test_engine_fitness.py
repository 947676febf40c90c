"""What `doctor --backend docker` says of engines that lack something: the fix, what is done."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import IPv4Network
from typing import Any

import pytest

from orchestrator import doctor
from orchestrator.capacity import Demand, Supply
from orchestrator.cli.arguments import parse
from orchestrator.cli.doctor import _images
from orchestrator.engine import trial
from orchestrator.engine.client import Engine
from orchestrator.engine.fitness import Said, fitness
from orchestrator.engine.images import OURS
from orchestrator.engine.subnets import Taken
from orchestrator.findings import Finding, Verdict
from orchestrator.load import parse as parse_topology

Row = dict[str, Any]
UNDERLAY = "10.77.0.0/16"
VERSION: Row = {
    "Version": "28.0.4",
    "ApiVersion": "1.48",
    "Os": "linux",
    "Components": [{"Name": "runc", "Version": "1.2.5"}],
}
INFO: Row = {
    "SecurityOptions": ["name=apparmor", "name=seccomp,profile=builtin", "name=cgroupns"],
    "CgroupVersion": "2",
    "CgroupDriver": "systemd",
    "PidsLimit": True,
}
GOOD = Said(VERSION, INFO, (), {OURS["node"]: True})
EVERYTHING = [
    Taken(IPv4Network("10.64.0.0/10"), "network big"),
]


def finding(subject: str, said: Said) -> Finding:
    return next(each for each in fitness(said, UNDERLAY) if each.subject == subject)


def runc(version: str) -> Row:
    return {**VERSION, "Components": [{"Name": "runc", "Version": version}]}


def test_a_good_engine_has_nothing_to_mend() -> None:
    found = fitness(GOOD, UNDERLAY)
    assert [each.verdict for each in found] == [Verdict.OK] * 7
    assert not any(each.fix or each.instead for each in found)


@pytest.mark.parametrize(
    ("subject", "said", "verdict", "says"),
    [
        ("engine", replace(GOOD, version={**VERSION, "ApiVersion": "1.40"}), "fatal", "20.10"),
        ("engine", replace(GOOD, version={**VERSION, "Os": "windows"}), "fatal", "on Linux"),
        (
            "rights",
            replace(GOOD, info={**INFO, "SecurityOptions": ["name=seccomp", "name=rootless"]}),
            "fatal",
            "DOCKER_HOST=unix:///var/run/docker.sock",
        ),
        (
            "rights",
            replace(GOOD, info={**INFO, "SecurityOptions": ["name=seccomp", "name=userns"]}),
            "fatal",
            "daemon.json",
        ),
        ("capabilities", replace(GOOD, info={**INFO, "SecurityOptions": []}), "degraded", "sec"),
        ("runc", replace(GOOD, version=runc("1.2.0")), "degraded", "1.2.4"),
        ("runc", replace(GOOD, version=runc("1.2.3-1ubuntu")), "degraded", "1.2.4"),
        ("cgroup", replace(GOOD, info={**INFO, "CgroupDriver": "none"}), "degraded", "unified"),
        ("cgroup", replace(GOOD, info={**INFO, "PidsLimit": False}), "degraded", "pids"),
        ("addresses", replace(GOOD, taken=EVERYTHING), "fatal", "docker network ls"),
        (
            "addresses",
            replace(GOOD, taken=[Taken(IPv4Network("10.77.3.0/24"), "a route (tun0)")]),
            "degraded",
            "ip route",
        ),
        (
            "image node:local",
            replace(GOOD, images={OURS["node"]: False}),
            "fatal",
            "testnet images",
        ),
        ("image b:1", replace(GOOD, images={"a/b:1": False}), "fatal", "docker pull a/b:1"),
    ],
)
def test_what_is_wrong_is_told_with_its_fix(
    subject: str, said: Said, verdict: str, says: str
) -> None:
    found = finding(subject, said)
    assert found.verdict == verdict
    assert says in found.fix
    assert bool(found.instead) == (verdict == "degraded")


@pytest.mark.parametrize("version", ["1.1.5+ds1", "1.1.12", "1.2.4", "1.3.0-rc.1", "2.0"])
def test_runcs_with_a_tun_are_fine(version: str) -> None:
    found = finding("runc", replace(GOOD, version=runc(version)))
    assert found.verdict is Verdict.OK
    assert found.seen.startswith(version)


def test_other_runtimes_are_left_to_the_trial() -> None:
    assert finding("runc", replace(GOOD, version={**VERSION, "Components": []})).verdict == "ok"


def test_addresses_that_are_taken_say_by_whom_and_which_it_will_be() -> None:
    taken = [Taken(IPv4Network("10.77.3.0/24"), "network theirs")]
    found = finding("addresses", replace(GOOD, taken=taken))
    assert found.seen == "10.77.0.0/16: network theirs has 10.77.3.0/24"
    assert found.instead == "a new network's links would be at 10.78.0.0/16"


@pytest.mark.parametrize(
    ("code", "verdict", "says"),
    [
        (0, "ok", "made a tun"),
        (101, "fatal", "runc"),
        (119, "fatal", "modprobe tun"),
        (112, "fatal", "Cannot allocate memory"),
        (1, "fatal", "testnet images"),
    ],
)
def test_the_trial_is_judged_by_how_it_ended(code: int, verdict: str, says: str) -> None:
    found = trial.judge_trial(code, 0.25)
    assert found.verdict == verdict
    assert says in found.message


def test_a_trial_the_engine_refuses_says_why() -> None:
    text = 'error gathering device information while adding custom device "/dev/net/tun": no such'
    assert "mknod" in trial.refused(text).fix
    assert trial.refused("disk full").seen.endswith("disk full")


def test_no_engine_is_one_fatal_finding_with_the_command(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Any
) -> None:
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/none")
    found = doctor.diagnose_engine(Demand(8, 3), UNDERLAY, [], Supply(), Engine())
    assert [each.verdict for each in found] == [Verdict.FATAL]
    assert "systemctl start docker" in found[0].fix


def test_the_images_are_those_of_the_topology() -> None:
    text = """name: n
hops: 1
nodes:
  r: {role: router}
  web: {role: service, app: {kind: command, run: [socat], port: 7, image: some/where:1}}
"""
    found = _images(parse_topology(text.encode(), "x"))
    assert found == [OURS["node"], OURS["tools"], "some/where:1"]


def test_the_command_takes_a_backend() -> None:
    assert parse(["doctor", "--backend", "docker"]).backend == "docker"
