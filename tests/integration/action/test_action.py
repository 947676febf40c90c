"""The composite action, its steps run as a runner runs them, beside a real network."""

from __future__ import annotations

import json
import os
import re
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[3]
ACTION = ROOT / ".github/actions/testnet"
INPUT = re.compile(r"\$\{\{ inputs\.([a-z-]+) \}\}")


@dataclass(slots=True)
class Runner:
    """What of a runner the steps can see, in folders of the test's own."""

    folder: Path
    ended: dict[str, int] = field(default_factory=dict)
    said: str = ""

    @property
    def around(self) -> dict[str, str]:
        return {
            **os.environ,
            "GITHUB_ACTION_PATH": str(ACTION),
            "GITHUB_OUTPUT": str(self.folder / "output"),
            "GITHUB_RUN_ID": "12345678901",
            "RUNNER_TEMP": str(self.folder),
            "XDG_STATE_HOME": str(self.folder / "s"),
            "XDG_RUNTIME_DIR": str(self.folder / "r"),
        }

    def use(self, **given: str) -> bool:
        """`uses:` this action `with:` that; whether every step succeeded."""
        action: dict[str, Any] = yaml.safe_load((ACTION / "action.yml").read_text())
        inputs = {name: entry.get("default", "") for name, entry in action["inputs"].items()}
        inputs |= {name.replace("_", "-"): value for name, value in given.items()}
        for step in action["runs"]["steps"]:
            if any(self.ended.values()) and step.get("if") != "always()":
                continue
            values = {
                name: INPUT.sub(lambda found: inputs[found[1]], value)
                for name, value in step.get("env", {}).items()
            }
            self.ended[step["name"]] = self.run(step["run"], values)
        return not any(self.ended.values())

    def run(self, script: str, values: dict[str, str]) -> int:
        path = self.folder / "script.sh"
        path.write_text(script)
        done = subprocess.run(
            ["bash", "--noprofile", "--norc", "-eo", "pipefail", path],
            cwd=self.folder,
            env=self.around | values,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        self.said += done.stdout
        return done.returncode

    def networks(self) -> list[dict[str, Any]]:
        """All that run, are stopped, or left over."""
        asked = [str(ACTION / "bin/testnet"), "ls", "--all", "--json"]
        done = subprocess.run(asked, env=self.around, check=True, capture_output=True, text=True)
        found: list[dict[str, Any]] = json.loads(done.stdout)
        return found

    def logs(self) -> Path:
        (found,) = re.findall("logs=(.*)", (self.folder / "output").read_text())
        return Path(found)


@pytest.fixture
def runner() -> Iterator[Runner]:
    # a short name: the paths of control sockets end at 107 bytes
    with tempfile.TemporaryDirectory(prefix="ta-", dir="/tmp") as folder:
        opened = Runner(Path(folder))
        (opened.folder / "r").mkdir(mode=0o700)
        yield opened
        for network in opened.networks():
            opened.run(f"'{ACTION}/bin/testnet' down --name '{network['name']}'", {})


def test_commands_run_beside_the_network_and_nothing_is_left(runner: Runner) -> None:
    checks = "tests:\n  - {http: {from: alice, to: web}, eventually: 20s}\n"
    (runner.folder / "checks.yaml").write_text(
        (ROOT / "topologies/minimal.yaml").read_text() + checks
    )
    script = (
        'testnet status\ntestnet ps --name "$TESTNET_NETWORK" --json >ps.json\n'
        "testnet exec alice -- ip -o link >links\n"
        'testnet test checks.yaml --report --junit "$TESTNET_REPORTS/checks.xml"\n'
    )
    assert runner.use(run=script, topology="minimal"), runner.said
    programs = json.loads((runner.folder / "ps.json").read_text())
    assert {program["node"] for program in programs} >= {"alice", "web", "router-4"}
    assert "lokitun0" in (runner.folder / "links").read_text()
    assert runner.networks() == []
    assert "router-4" in (runner.logs() / "all.log").read_text()
    assert 'failures="0"' in (runner.logs() / "reports" / "checks.xml").read_text()
    (report,) = (runner.logs() / "reports").glob("*/report.json")
    assert all(test["held"] for test in json.loads(report.read_text())["tests"])


def test_commands_that_fail_fail_the_action_and_leave_nothing(runner: Runner) -> None:
    assert not runner.use(run="false\ntouch reached", topology="minimal")
    assert [name for name, code in runner.ended.items() if code] == ["run"]
    assert not (runner.folder / "reached").exists()
    assert runner.networks() == []
    assert "router-1" in (runner.logs() / "all.log").read_text()


def test_a_network_that_is_not_ready_in_time_is_taken_down(runner: Runner) -> None:
    assert not runner.use(run="touch reached", topology="minimal", timeout="1ms")
    assert [name for name, code in runner.ended.items() if code] == ["bring up the network"]
    assert not (runner.folder / "reached").exists()
    assert runner.networks() == []
    (page,) = (runner.logs() / "reports").glob("*/index.html")
    assert "not ready after" in page.read_text()


@pytest.mark.parametrize("name", ["topology", "backend", "wait_for", "timeout"])
@pytest.mark.parametrize("attack", ["$(touch reached)", '"; touch reached; "'])
def test_an_input_is_data_and_no_script(attack: str, name: str, runner: Runner) -> None:
    assert not runner.use(**{"run": "touch reached", "topology": "minimal", name: attack})
    assert not (runner.folder / "reached").exists()
    assert runner.networks() == []
