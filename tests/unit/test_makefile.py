"""Goals of the Makefile that delete or run twice, in a folder that looks like the checkout."""

from __future__ import annotations

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
echo "${TESTED_BACKEND:-netns} $*" >>calls
exit "$(<"${TESTED_BACKEND:-netns}")"
"""
"""Ends as a file of the backend's name says."""


@pytest.mark.parametrize("goal", ["test", "integration", "integration-docker"])
@pytest.mark.parametrize(
    ("netns", "docker", "arguments", "succeeds"),
    [
        (0, 0, "", True),
        (1, 0, "", False),
        (0, 1, "", False),
        (0, 5, "", False),  # nothing is left that holds in containers
        (0, 5, "-k 'of one'", True),  # only tests of the first were asked for
    ],
)
def test_both_backends_are_tested_and_each_failure_fails(
    goal: str, netns: int, docker: int, arguments: str, succeeds: bool, tmp_path: Path
) -> None:
    shutil.copy(REPOSITORY / "Makefile", tmp_path)
    (tmp_path / "netns").write_text(str(netns))
    (tmp_path / "docker").write_text(str(docker))
    for name, text in ((".venv/bin/pytest", PYTEST), (".ci/setup", "#!/bin/sh\n")):
        (tmp_path / name).parent.mkdir(parents=True)
        (tmp_path / name).write_text(text)
        (tmp_path / name).chmod(0o755)
    done = subprocess.run(
        ["make", goal, f"ARGS={arguments}"], cwd=tmp_path, capture_output=True, check=False
    )
    assert (done.returncode == 0) == succeeds, done.stderr
    calls = (tmp_path / "calls").read_text().splitlines()
    assert [call.split()[0] for call in calls] == ["netns", "docker"]
    assert all(call.endswith(arguments.replace("'", "")) for call in calls)
