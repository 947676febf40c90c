"""Goals of the Makefile that delete or run pytest again, in a folder like the checkout."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[2]


def test_clean_leaves_no_compiled_file_and_every_source(tmp_path: Path) -> None:
    shutil.copy(REPOSITORY / "Makefile", tmp_path)
    listing = subprocess.run(
        ["git", "ls-files", "*.py"], cwd=REPOSITORY, capture_output=True, text=True, check=True
    )
    sources = {tmp_path / name for name in listing.stdout.splitlines()}
    for source in sources:
        compiled = source.parent / "__pycache__" / f"{source.stem}.pyc"
        compiled.parent.mkdir(parents=True, exist_ok=True)
        compiled.touch()
        source.touch()
    subprocess.run(["make", "clean"], cwd=tmp_path, capture_output=True, check=True)
    assert {path for path in tmp_path.rglob("*") if path.is_file()} == {
        *sources,
        tmp_path / "Makefile",
    }
    assert list(tmp_path.rglob("__pycache__")) == []


PYTEST = """#!/usr/bin/env bash
part=${TESTED_BACKEND:-${TESTED_PART:-netns}}
echo "$part $*" >>calls
exit "$(<"$part")"
"""
"""Ends as a file of the run's name says."""


def made(goal: str, codes: dict[str, int], arguments: str, folder: Path) -> tuple[bool, list[str]]:
    """Whether it succeeds where pytest ends so, and the runs that were made."""
    shutil.copy(REPOSITORY / "Makefile", folder)
    for part, code in codes.items():
        (folder / part).write_text(str(code))
    for name, text in ((".venv/bin/pytest", PYTEST), (".ci/setup", "#!/bin/sh\n")):
        (folder / name).parent.mkdir(parents=True)
        (folder / name).write_text(text)
        (folder / name).chmod(0o755)
    around = {name: value for name, value in os.environ.items() if not name.startswith("TESTED_")}
    command = ["make", goal, f"ARGS={arguments}"]
    done = subprocess.run(command, cwd=folder, env=around, capture_output=True, check=False)
    calls = (folder / "calls").read_text().splitlines()
    assert all(call.endswith(arguments.replace("'", "")) for call in calls)
    return done.returncode == 0, [call.split()[0] for call in calls]


@pytest.mark.parametrize("goal", ["integration", "integration-docker"])
@pytest.mark.parametrize(
    ("netns", "docker", "arguments", "succeeds"),
    [
        (0, 0, "", True),
        (1, 0, "", False),
        (0, 1, "", False),
        (0, 5, "", False),  # nothing is left that holds in containers
        (0, 5, "-k 'of one'", True),  # only tests of the first were asked for
        (5, 5, "-k 'of none'", False),
    ],
)
def test_both_backends_are_tested_and_each_failure_fails(
    goal: str, netns: int, docker: int, arguments: str, succeeds: bool, tmp_path: Path
) -> None:
    codes = {"netns": netns, "docker": docker}
    assert made(goal, codes, arguments, tmp_path) == (succeeds, ["netns", "docker"])


@pytest.mark.parametrize(
    ("unit", "netns", "docker", "arguments", "succeeds"),
    [
        (0, 0, 0, "", True),
        (1, 0, 0, "", False),
        (0, 1, 0, "", False),
        (0, 0, 1, "", False),
        (5, 0, 0, "", False),
        (0, 0, 5, "", False),
        (0, 5, 5, "-k 'of one'", True),
        (5, 0, 0, "-k 'of networks'", True),
        (2, 5, 5, "-k 'of one'", False),
        (5, 5, 5, "-k 'of none'", False),
    ],
)
def test_all_tests_are_run_whatever_becomes_of_the_first(
    unit: int, netns: int, docker: int, arguments: str, succeeds: bool, tmp_path: Path
) -> None:
    codes = {"unit": unit, "netns": netns, "docker": docker}
    assert made("test", codes, arguments, tmp_path) == (succeeds, list(codes))
