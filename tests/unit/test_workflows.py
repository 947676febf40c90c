"""Workflows and actions: GitHub cannot be asked here, so what can be known without it is checked.

Schemas and zizmor's rules come with their packages; each step's script runs in a folder where the
commands it calls write down how they were called.
"""

from __future__ import annotations

import itertools
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[2]
PROGRAMS = Path(sys.executable).parent
WORKFLOWS = sorted((ROOT / ".github/workflows").glob("*.yml"))
ACTIONS = sorted((ROOT / ".github/actions").glob("*/action.yml"))
SCRIPTS = [
    ROOT / ".ci" / name for name in ("run", "setup", "engine", "bare-root", "applications")
] + [
    ROOT / "images/build",
    ROOT / "images/base",
    ROOT / ".github/actions/testnet/step",
    ROOT / ".github/actions/testnet/bin/testnet",
]


def steps(path: Path) -> Iterator[dict[str, Any]]:
    content = yaml.safe_load(path.read_text())
    jobs = content["jobs"].values() if "jobs" in content else [content["runs"]]
    for job in jobs:
        yield from job["steps"]


def step(path: Path, begins: str) -> dict[str, Any]:
    (found,) = [one for one in steps(path) if one.get("name", "").startswith(begins)]
    return found


def program(name: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(PROGRAMS / name), *arguments], cwd=ROOT, capture_output=True, text=True, check=False
    )


@pytest.mark.parametrize(
    ("schema", "paths"), [("github-workflows", WORKFLOWS), ("github-actions", ACTIONS)]
)
def test_each_file_follows_githubs_schema(schema: str, paths: list[Path]) -> None:
    assert paths
    names = [str(path) for path in paths]
    done = program("check-jsonschema", "--builtin-schema", f"vendor.{schema}", *names)
    assert done.returncode == 0, done.stdout + done.stderr


def test_zizmor_finds_nothing() -> None:
    done = program("zizmor", "--offline", "--no-progress", "--no-config", ".github")
    assert done.returncode == 0, done.stdout + done.stderr
    assert len(re.findall("completed .github/", done.stderr)) == len(WORKFLOWS + ACTIONS)


@pytest.mark.parametrize("path", WORKFLOWS + ACTIONS, ids=lambda path: path.name)
def test_no_expression_becomes_part_of_a_script(path: Path) -> None:
    scripts = [one["run"] for one in steps(path) if "run" in one]
    assert scripts
    assert [script for script in scripts if "${{" in script] == []


@pytest.mark.parametrize("path", WORKFLOWS + ACTIONS, ids=lambda path: path.name)
def test_actions_of_others_are_pinned_to_a_commit(path: Path) -> None:
    used = [one["uses"] for one in steps(path) if "uses" in one]
    loose = [name for name in used if not re.search(r"^\./|@[0-9a-f]{40}$", name)]
    assert loose == []


def test_every_job_ends_by_itself_and_may_only_read() -> None:
    for path in WORKFLOWS:
        content = yaml.safe_load(path.read_text())
        assert content["permissions"] == {"contents": "read"}
        assert all(job["timeout-minutes"] <= 60 for job in content["jobs"].values())


def test_the_parts_together_are_the_whole_suite() -> None:
    """Each goal is one of the Makefile, and their marks leave no test out."""
    matrix = yaml.safe_load(WORKFLOWS[0].read_text())["jobs"]["test"]["strategy"]["matrix"]
    assert matrix["python"] == ["3.11", "3.12"]
    goals = {row["part"]: row["goals"].split() for row in matrix["include"]}
    assert list(goals) == matrix["part"]
    makefile = (ROOT / "Makefile").read_text()
    marks = {}
    for goal in itertools.chain(*goals.values()):
        (recipe,) = re.findall(rf"^{goal}:.*\n((?:\t.*\n)+)", makefile, re.M)
        if found := re.search(r"-m '?([a-z ]+?)'? \$", recipe):
            marks[goal] = found[1]
    assert marks == {
        "unit": "not integration",
        "integration-netns": "integration and not docker",
        "integration-docker": "docker",
    }
    assert "lint" in goals["unit"]


def test_what_holds_on_each_backend_runs_in_containers_too() -> None:
    makefile = (ROOT / "Makefile").read_text()
    twice = re.findall(r"^([a-z-]+):.*\n\t@.*\.venv/bin/pytest .*\$\(BOTH\)$", makefile, re.M)
    assert twice == ["test", "integration", "integration-docker"]


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.name)
def test_a_script_can_be_run_and_read_by_bash(path: Path) -> None:
    assert os.access(path, os.X_OK)
    subprocess.run(["bash", "-n", path], check=True)


# --- the scripts of the steps --------------------------------------------------------------------


def stand_in(folder: Path, name: str, does: str) -> None:
    """A command that writes its arguments to `calls`."""
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f'#!/usr/bin/env bash\necho "{path.name} $*" >>"$CALLS"\n{does}\n')
    path.chmod(0o755)


def run_step(script: str, folder: Path, **environment: str) -> str:
    """Run it as a runner does; what was called."""
    stand_in(folder, "bin/sudo", 'exec "$@"')
    calls = folder / "calls"
    calls.touch()
    around = {
        **os.environ,
        "PATH": f"{folder}/bin:{os.environ['PATH']}",
        "CALLS": str(calls),
        **environment,
    }
    subprocess.run(
        ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", script],
        cwd=folder,
        env=around,
        check=True,
    )
    return calls.read_text()


def test_the_goals_reach_the_ci_script_as_root(tmp_path: Path) -> None:
    stand_in(tmp_path, ".ci/run", "")
    (script,) = [one["run"] for one in steps(WORKFLOWS[0]) if "GOALS" in one.get("env", {})]
    calls = run_step(script, tmp_path, GOALS="lint unit").splitlines()
    assert calls[0].startswith("sudo env PATH=")
    assert calls[1] == "run lint unit ARGS=--junit-xml=.artifacts/tests.xml"


@pytest.mark.parametrize(
    ("fails", "code", "does"),
    [
        ("", 0, ["up voip", "test voip", "down voip", "up web", "test web", "down web"]),
        ("test voip", 1, ["up voip", "test voip", "down voip", "up web", "test web", "down web"]),
        ("up voip", 1, ["up voip", "up web", "test web", "down web"]),
    ],
)
def test_each_application_is_taken_down_and_any_failure_counts(
    fails: str, code: int, does: list[str], tmp_path: Path
) -> None:
    (tmp_path / ".ci").mkdir()
    shutil.copy(ROOT / ".ci/applications", tmp_path / ".ci")
    fail = '[[ -z $FAILS || "$*" != "${FAILS% *} "*"${FAILS#* }"* ]]'
    stand_in(tmp_path, ".venv/bin/testnet", fail)
    script = f"FAILS='{fails}' .ci/applications netns || echo ended $? >>$CALLS"
    calls = run_step(script, tmp_path).splitlines()
    ended = int(calls.pop().split()[1]) if calls[-1].startswith("ended") else 0
    said = [call.replace("applications-", "").split() for call in calls]
    names = [words[words.index("-n") + 1] for words in said]
    assert [f"{words[1]} {name}" for words, name in zip(said, names, strict=True)] == does
    assert ended == code
    place = ".artifacts/applications/netns-web"
    assert f"testnet test -n applications-web --junit {place}.xml --report {place}" in calls


def test_applications_live_on_a_backend(tmp_path: Path) -> None:
    done = subprocess.run(
        [ROOT / ".ci/applications", "moon"], capture_output=True, text=True, cwd=tmp_path
    )
    assert (done.returncode, done.stderr[:6]) == (2, "usage:")


def test_what_a_plain_user_said_reaches_the_command_behind_sudo(tmp_path: Path) -> None:
    """sudo itself lets nothing of an environment through."""
    place = tmp_path / ".github/actions/testnet/bin"
    place.mkdir(parents=True)
    shutil.copy(ROOT / ".github/actions/testnet/bin/testnet", place)
    stand_in(tmp_path, "bin/id", "echo 1000")
    stand_in(tmp_path, ".venv/bin/testnet", "")
    script = f"CI= TESTNET_REPORTS='/a b' '{place}/testnet' test --report"
    *_, asked, ran = run_step(script, tmp_path, TESTNET_NETWORK="net").splitlines()
    command = f"{tmp_path}/.venv/bin/testnet test --report"
    assert asked == f"sudo env TESTNET_NETWORK=net TESTNET_REPORTS=/a b CI= {command}"
    assert ran == "testnet test --report"


@pytest.mark.parametrize("status", ["success", "failure"])
def test_reports_are_collected_always_and_remains_only_after_a_failure(
    status: str, tmp_path: Path
) -> None:
    stand_in(tmp_path, "bin/tar", "")
    (tmp_path / ".artifacts/images").mkdir(parents=True)
    (tmp_path / ".artifacts/tests.xml").write_text("<testsuites/>")
    (tmp_path / ".artifacts/images/web.cdx.json").write_text("{}")
    script = step(WORKFLOWS[0], "collect")["run"].replace("/tmp/pytest-of-root", str(tmp_path))
    calls = run_step(script, tmp_path, STATUS=status)
    assert (tmp_path / "reports/tests.xml").read_text() == "<testsuites/>"
    assert (tmp_path / "reports/images/web.cdx.json").exists()
    assert ("tar --create" in calls) == (status == "failure")
