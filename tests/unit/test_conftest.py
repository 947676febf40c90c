"""The rules of tests/conftest.py, observed on a small suite of their own."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

CONFTEST = Path(__file__).parents[1] / "conftest.py"
SKIPS = {
    "test_by_mark.py": "@pytest.mark.skip(reason='no tun')\ndef test_x() -> None: ...\n",
    "test_by_call.py": "def test_x() -> None:\n    pytest.skip('no root')\n",
    "test_by_module.py": "pytest.skip('no nginx', allow_module_level=True)\n",
}


def run_suite(
    folder: Path, tests: dict[str, str], ci: str, *arguments: str, backend: str = "netns"
) -> tuple[int, list[str]]:
    """Exit code and printed lines of a run over the given test files, laid out in `folder`."""
    shutil.copy(CONFTEST, folder / "conftest.py")
    marks = "".join(
        f"  {mark}: x\n" for mark in ("integration", "docker", "anywhere", "netns", "together")
    )
    (folder / "pytest.ini").write_text(f"[pytest]\nmarkers =\n{marks}  timeout: x\n")
    for name, source in tests.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(f"import pytest\n{source}")
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *arguments, "."]
    environment = {**os.environ, "CI": ci, "PYTEST_ADDOPTS": "", "TESTED_BACKEND": backend}
    environment.pop("TESTED_PART", None)
    done = subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, check=False
    )
    return done.returncode, done.stdout.splitlines()


def test_in_ci_each_kind_of_skip_is_a_failure_that_shows_its_reason(tmp_path: Path) -> None:
    code, lines = run_suite(tmp_path, SKIPS, "true", "--continue-on-collection-errors")
    assert code == 1
    assert lines[-1].startswith("1 failed, 2 errors in")
    for reason in ("no tun", "no root", "no nginx"):
        assert [line for line in lines if "A skip is a failure in CI" in line and reason in line]


@pytest.mark.parametrize("ci", ["", "false"])
def test_outside_ci_a_skip_stays_a_skip(ci: str, tmp_path: Path) -> None:
    code, lines = run_suite(tmp_path, SKIPS, ci)
    assert code == 0
    assert lines[-1].startswith("3 skipped in")


def test_an_expected_failure_is_no_skip(tmp_path: Path) -> None:
    source = "@pytest.mark.xfail\ndef test_x() -> None:\n    assert False\n"
    code, lines = run_suite(tmp_path, {"test_x.py": source}, "true")
    assert code == 0
    assert lines[-1].startswith("1 xfailed in")


@pytest.mark.parametrize(
    ("chosen", "result"),
    [
        ("not integration", "1 passed, 3 deselected in"),
        ("integration and not docker", "2 passed, 2 deselected in"),
        ("docker", "1 passed, 3 deselected in"),
        ("integration", "3 passed, 1 deselected in"),
        ("not integration or together", "2 passed, 2 deselected in"),
        ("integration and not together", "2 passed, 2 deselected in"),
    ],
)
def test_a_test_in_the_integration_folders_bears_its_marks(
    chosen: str, result: str, tmp_path: Path
) -> None:
    source = "def test_x() -> None: ...\n"
    folders = ("", "integration/network/", "integration/docker/", "integration/orchestrator/")
    tests = {f"{folder}test_{len(folder)}.py": source for folder in folders}
    code, lines = run_suite(tmp_path, tests, "", "-m", chosen)
    assert code == 0
    assert lines[-1].startswith(result)


HOLDS = """
@pytest.mark.anywhere
def test_everywhere() -> None: ...
@pytest.mark.anywhere
@pytest.mark.netns
def test_not_in_containers() -> None: ...
def test_of_one_backend() -> None: ...
"""


@pytest.mark.parametrize(
    ("backend", "result", "report"),
    [
        ("netns", "3 passed in", "report.xml"),
        ("docker", "1 passed, 2 deselected in", "report-docker.xml"),
    ],
)
def test_in_containers_only_what_holds_there_is_run_and_reported_apart(
    backend: str, result: str, report: str, tmp_path: Path
) -> None:
    tests = {"integration/test_x.py": HOLDS}
    code, lines = run_suite(tmp_path, tests, "true", "--junit-xml=report.xml", backend=backend)
    assert code == 0
    assert lines[-1].startswith(result)
    assert [path.name for path in tmp_path.glob("*.xml")] == [report]


def test_a_backend_there_is_not_is_refused(tmp_path: Path) -> None:
    code, _ = run_suite(tmp_path, {"test_x.py": HOLDS}, "", backend="podman")
    assert code == pytest.ExitCode.USAGE_ERROR
