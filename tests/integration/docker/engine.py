"""The engine under test, asked through its own command line."""

from __future__ import annotations

import json
import shutil
import subprocess
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[3]
IMAGES = ("node", "web", "tools", "clearnet", "voip")
CONFINED = ("--read-only", "--cap-drop=ALL", "--security-opt=no-new-privileges")
"""What every container of ours must be content with."""


def version() -> str:
    """The engine's; without one the test is skipped (which is a failure in CI)."""
    if shutil.which("docker") is None:
        pytest.skip("no docker here: sudo .ci/engine start installs and starts an engine")
    asked = ["docker", "version", "--format", "{{.Server.Version}}"]
    done = subprocess.run(asked, capture_output=True, text=True, check=False, timeout=30)
    if done.returncode != 0:
        pytest.skip(f"no Docker engine answers ({done.stderr.strip()}): sudo .ci/engine start")
    return done.stdout.strip()


def build_images(*names: str) -> str:
    """These or all, from this checkout; what the build said."""
    command = ["images/build", *names]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stderr


def image(name: str) -> str:
    return f"localhost/lokinet-testnet/{name}:local"


def docker(*arguments: str, check: bool = True) -> subprocess.CompletedProcess[str]:
    """One command; a failure shows what docker said."""
    done = subprocess.run(["docker", *arguments], capture_output=True, text=True, check=False)
    if check:
        assert done.returncode == 0, f"docker {' '.join(arguments)}: {done.stderr}{done.stdout}"
    return done


def inspect(kind: str, name: str) -> dict[str, Any]:
    found: list[dict[str, Any]] = json.loads(docker(kind, "inspect", name).stdout)
    return found[0]


def eventually(claim: Callable[[], bool], within_s: float = 20) -> bool:
    """Whether it holds before the time is over; asking takes a process, which is pause enough."""
    deadline = time.monotonic() + within_s
    while not claim():
        if time.monotonic() > deadline:
            return False
    return True


@dataclass(slots=True)
class Bench:
    """Containers and one network of a test's own; all are removed after it."""

    name: str
    subnet: str
    containers: list[str] = field(default_factory=list)

    def open(self) -> None:
        docker("network", "create", "--internal", "--subnet", self.subnet, self.name)

    def run(self, name: str, kind: str, *argv: str, options: Sequence[str] = ()) -> str:
        """Start one in the background, confined; its full name."""
        full = f"{self.name}-{name}"
        self.containers.append(full)
        fixed = ("run", "--detach", "--name", full, "--network", self.name)
        docker(*fixed, "--network-alias", name, *CONFINED, *options, image(kind), *argv)
        return full

    def tools(self, *argv: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        """Run a program of the tools image to its end."""
        fixed = ("run", "--rm", "--network", self.name, *CONFINED)
        return docker(*fixed, image("tools"), *argv, check=check)

    def logs(self, full: str) -> str:
        done = docker("logs", full)
        return done.stdout + done.stderr

    def close(self) -> None:
        if self.containers:
            docker("rm", "--force", "--volumes", *self.containers, check=False)
        docker("network", "rm", self.name, check=False)
