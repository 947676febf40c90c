"""What can be said of the images without an engine: their Dockerfiles, contexts, scripts."""

from __future__ import annotations

import ast
import os
import re
import subprocess
import sys
from importlib.metadata import packages_distributions, requires
from pathlib import Path

import pytest
from packaging.requirements import Requirement

ROOT = Path(__file__).parents[2]
DOCKERFILES = [ROOT / "Dockerfile", *sorted((ROOT / "images").glob("*/Dockerfile"))]


def instructions(path: Path) -> list[str]:
    """Its instructions, one a line, without comments."""
    lines = [line for line in path.read_text().splitlines() if not line.startswith("#")]
    return [line for line in "\n".join(lines).replace("\\\n", "").splitlines() if line.strip()]


def third_party(folder: Path) -> set[str]:
    """The distributions that a package's modules import."""
    modules: set[str] = set()
    for path in folder.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Import):
                modules |= {alias.name.split(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
                modules.add(node.module.split(".")[0])
    known = packages_distributions()
    found = {known[module][0] for module in modules - sys.stdlib_module_names if module in known}
    return {canonical(name) for name in found} - {"lokinet-testnet"}


def canonical(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def with_dependencies(names: set[str]) -> set[str]:
    found: set[str] = set()
    while names:
        name = names.pop()
        found.add(name)
        wanted = [Requirement(line) for line in requires(name) or []]
        active = {canonical(w.name) for w in wanted if not w.marker or w.marker.evaluate()}
        names |= active - found
    return found


def test_there_are_five_images() -> None:
    names = [path.parent.name for path in DOCKERFILES[1:]]
    assert names == ["clearnet", "tools", "voip", "web"]


@pytest.mark.parametrize("path", DOCKERFILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_dockerfile_is_what_every_builder_takes(path: Path) -> None:
    lines = instructions(path)
    assert [line for line in lines if re.search(r"--mount|--link|<<", line)] == []
    assert "syntax=" not in path.read_text().splitlines()[0]
    bases = {line.split()[1] for line in lines if line.startswith("FROM ")}
    assert bases == {"debian:bookworm-slim"}


@pytest.mark.parametrize("path", DOCKERFILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_container_is_not_root_unless_it_is_told_to(path: Path) -> None:
    users = [line.split()[1] for line in instructions(path) if line.startswith("USER ")]
    assert len(users) == 1
    assert users[0] not in ("root", "0")


def test_the_node_image_gets_exactly_what_the_node_imports() -> None:
    (line,) = [line for line in instructions(ROOT / "Dockerfile") if line.startswith("ARG NEEDS=")]
    needs = set(line.split('"')[1].split("|"))
    # the extra packages of the test kit are not shipped
    assert needs == with_dependencies(third_party(ROOT / "lokinet_node") - {"noiseprotocol"})


def test_what_the_node_image_copies_is_let_through_to_it() -> None:
    copied = [
        word
        for line in instructions(ROOT / "Dockerfile")
        if line.startswith("COPY ") and "--from" not in line
        for word in line.split()[1:-1]
    ]
    passed = (ROOT / ".dockerignore").read_text().splitlines()
    assert {f"!{name}" for name in copied} == {line for line in passed if line.startswith("!")}
    assert "*" in passed


def test_without_an_engine_the_build_says_how_to_get_one(tmp_path: Path) -> None:
    nowhere = {**os.environ, "DOCKER_HOST": f"unix://{tmp_path}/none.sock"}
    for command in ("images/build", "make images"):
        done = subprocess.run(
            command.split(), cwd=ROOT, env=nowhere, capture_output=True, text=True, check=False
        )
        assert done.returncode != 0
        assert "no Docker engine answers" in done.stderr
        assert "sudo .ci/engine start" in done.stderr


def test_an_unknown_image_is_refused_with_the_names_there_are() -> None:
    done = subprocess.run(
        ["images/build", "wbe"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert "no image is called 'wbe': node web tools clearnet voip" in done.stderr


def test_nothing_here_pushes_an_image() -> None:
    """Images on a stand-in base must stay on their machine: there is no command that sends one."""
    found = [
        (path.name, line)
        for folder in (".ci", ".github", "images", "orchestrator")
        for path in (ROOT / folder).rglob("*")
        if path.is_file() and path.suffix != ".pyc"
        for line in path.read_text().splitlines()
        if re.search(r"docker (image )?push|(images|api|client|engine)\.push\(|push: true", line)
    ]
    assert found == []
