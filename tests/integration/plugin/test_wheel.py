"""What somebody has who installed the wheel: commands, data, and the plugin for tests of their own.

The wheel is made of a copy of this checkout and lies in an environment of its own; only what it
depends on is shared with the tests' environment.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import site
import subprocess
import sys
import sysconfig
import venv
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.integration.orchestrator.command import Testnet, new_testnet, until

REPOSITORY = Path(__file__).parents[3]
GUIDE = REPOSITORY / "docs" / "your-tests.md"
PARTS = ("lokinet_node", "orchestrator", "topologies", "compose", "images", ".ci")
"""Folders a wheel is made of; files beside them all go along."""
RUN_S = 100
"""Ten times what a run of pytest takes that brings up the minimal topology."""
THEIRS = """
import sys
from pathlib import Path

import pytest
import orchestrator
from orchestrator.checks import HttpCheck, eventually, make
from orchestrator.testing import Testnet

pytestmark = pytest.mark.testnet(topology="minimal")


def test_green(testnet: Testnet) -> None:
    assert Path(orchestrator.__file__).is_relative_to(sys.prefix)
    assert {node.role for node in testnet.nodes.values()} == {"router", "service", "client"}
    assert testnet.address("web").endswith(".loki")
    page = testnet.page("web")
    assert (page.status, page.address) == (200, "172.16.0.2") and "It works" in page.text
    assert testnet.page("web/nowhere").status == 404
    assert testnet.exec("alice", "sh", "-c", "echo out; echo err >&2; exit 3").code == 3
    assert testnet.status("alice")["running"] is True
    assert "node.started" in testnet.logs("router-1")


def test_own_application(testnet: Testnet) -> None:
    with testnet.start("web", sys.executable, "-u", "shop.py") as shop:
        tea = make(HttpCheck, from_="alice", to="web", port=8000, contains="tea")
        assert eventually(testnet.network, tea, within_s=20)
        url = f"http://{testnet.address('web')}:8000/"
        assert testnet.page(url, node="alice").text == "tea"
        assert "GET / " in shop.output
    assert testnet.exec("alice", "curl", "-sS", url).code == 7, "the shop should be closed"


def test_red(testnet: Testnet) -> None:
    assert "coffee" in testnet.page("web").text
"""
SHOP = """
from http.server import BaseHTTPRequestHandler, HTTPServer


class Shop(BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"tea")


HTTPServer(("", 8000), Shop).serve_forever()
"""
WAITS = """
import pytest


@pytest.mark.testnet(topology="minimal")
def test_waits(testnet):
    testnet.exec("alice", "sh", "-c", "touch there && exec sleep 600", timeout_s=600)
"""


@dataclass
class Installed:
    """An environment with the wheel."""

    prefix: Path
    net: Testnet
    """Directories of its own for networks; what they left."""

    def command(self, name: str, *arguments: str) -> list[str]:
        return [str(self.prefix / "bin" / name), *arguments]

    def run(self, name: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            self.command(name, *arguments),
            cwd=self.net.root,
            env=self.net.env,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=RUN_S,
            check=False,
        )

    def pytest(self, *arguments: str) -> list[str]:
        """Heeds Ctrl-C even where these tests were started in the background, deaf to it."""
        words = ("-m", "pytest", "-p", "no:cacheprovider", *arguments)
        return ["env", "--default-signal=INT", *self.command("python", *words)]


@pytest.fixture(scope="module")
def prefix(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel in an environment of its own; dependencies are those of the tests."""
    work = tmp_path_factory.mktemp("wheel")
    source = work / "source"
    for part in PARTS:
        shutil.copytree(REPOSITORY / part, source / part, symlinks=True)
    for path in REPOSITORY.iterdir():
        if path.is_file():
            shutil.copy(path, source)
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--quiet"]
    alone = ["--no-deps", "--no-index"]
    clean = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    build = [*pip, "wheel", *alone, "--no-build-isolation", "--wheel-dir", str(work), str(source)]
    subprocess.run(build, check=True, env=clean)
    (wheel,) = work.glob("*.whl")
    prefix = work / "venv"
    venv.create(prefix, symlinks=True)
    python = str(prefix / "bin" / "python")
    install = [*pip, "--python", python, "install", *alone, str(wheel)]
    subprocess.run(install, check=True, env=clean)
    packages = Path(sysconfig.get_path("purelib", "venv", {"base": str(prefix)}))
    (packages / "shared.pth").write_text("\n".join(site.getsitepackages()))
    return prefix


@pytest.fixture
def installed(prefix: Path) -> Iterator[Installed]:
    with new_testnet(REPOSITORY) as net:
        del net.env["PYTHONPATH"]  # nothing but what is installed
        yield Installed(prefix, net)


def test_its_commands_are_there(installed: Installed) -> None:
    for name in ("lokinet", "lokinet-vpn", "lokinet-oxend", "testnet"):
        result = installed.run(name, "--help")
        assert (result.returncode, result.stdout[:6]) == (0, "usage:"), (name, result.stderr)


def test_what_is_no_code_came_along(installed: Installed) -> None:
    assert installed.run("testnet", "validate", "minimal").returncode == 0
    # nginx of `web` has the files of orchestrator/site
    rendered = installed.run("testnet", "render", "web")
    assert rendered.returncode == 0, rendered.stderr
    script = (
        "from importlib.resources import files\n"
        "for folder in ('topologies', 'context/images', 'context/compose'):\n"
        "  for each in (files('orchestrator') / folder).iterdir(): print(folder, each.name)\n"
        "print((files('orchestrator') / 'context/Dockerfile').read_text())"
    )
    listed = installed.run("python", "-c", script).stdout
    assert installed.run("testnet", "images", "-o", "sources").returncode == 0
    for name in ("images/build", "Dockerfile", ".dockerignore", "lokinet_node/cli.py"):
        there, here = installed.net.root / "sources" / name, REPOSITORY / name
        assert there.read_bytes() == here.read_bytes()
        assert there.stat().st_mode == here.stat().st_mode
    for folder, inside in (
        ("topologies", "topologies"),
        ("images", "context/images"),
        ("compose", "context/compose"),
    ):
        for path in (REPOSITORY / folder).iterdir():
            assert path.name == "__pycache__" or f"{inside} {path.name}\n" in listed
    assert (REPOSITORY / "Dockerfile").read_text() in listed


@pytest.mark.anywhere
def test_their_tests_are_green_and_red_over_a_network(installed: Installed) -> None:
    (installed.net.root / "test_theirs.py").write_text(THEIRS)
    (installed.net.root / "shop.py").write_text(SHOP)
    result = subprocess.run(
        installed.pytest("-v", "--capture=no", "--testnet-report"),
        cwd=installed.net.root,
        env=installed.net.env,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=RUN_S,
        check=False,
    )
    said = result.stdout
    assert result.returncode == pytest.ExitCode.TESTS_FAILED, said
    assert "1 failed, 2 passed in" in said, said
    assert "FAILED test_theirs.py::test_red" in said, said
    assert "assert 'coffee' in" in said
    assert "web: " in said, "the last words of its nodes"
    (page,) = (installed.net.root / "reports").glob("*/index.html")
    assert str(page) in said
    (tried,) = json.loads((page.parent / "report.json").read_text())["tests"]
    assert tried["name"] == "test_theirs.py::test_red"
    assert "assert 'coffee' in" in tried["seen"]
    assert "def test_red" in (page.parent / tried["exhibits"][0]).read_text()
    assert installed.net.leftovers() == []


def test_the_guide_leads_to_a_green_and_a_red_run(installed: Installed) -> None:
    """From the part after the installation on, its commands as they are written."""
    _, _, guide = GUIDE.read_text().partition("## Something to test")
    commands = re.findall(r"^```sh\n(.*?)^```$", guide, re.DOTALL | re.MULTILINE)
    (installed.net.root / "env").symlink_to(installed.prefix)
    ended = []
    for command in commands:
        result = subprocess.run(
            ["bash", "-euc", command],
            cwd=installed.net.root,
            env=installed.net.env,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=RUN_S,
            check=False,
        )
        ended.append((result.returncode, result.stdout))
    assert [code for code, _ in ended] == [0, 0, 0, 1], ended
    assert "3 passed in" in ended[2][1]
    assert "1 failed, 2 passed in" in ended[3][1]
    assert "assert (200, '4') == (200, '3')" in ended[3][1]
    assert installed.net.leftovers() == []


def test_ctrl_c_removes_the_network(installed: Installed) -> None:
    (installed.net.root / "test_waits.py").write_text(WAITS)
    running = subprocess.Popen(
        installed.pytest(),
        cwd=installed.net.root,
        env=installed.net.env,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        process_group=0,
    )
    try:
        there = installed.net.root / "there"
        until("the test runs", lambda: there.exists() or running.poll() is not None, RUN_S)
        installed.net.note_processes()
        os.killpg(running.pid, signal.SIGINT)
        said, _ = running.communicate(timeout=RUN_S)
    finally:
        running.kill()
    assert running.returncode == pytest.ExitCode.INTERRUPTED, said
    assert installed.net.handles, "no process of the network was seen"
    assert installed.net.leftovers() == []


def test_ctrl_c_while_it_comes_up_removes_it_too(installed: Installed) -> None:
    (installed.net.root / "test_waits.py").write_text(WAITS)
    running = subprocess.Popen(
        installed.pytest("--capture=no"),
        cwd=installed.net.root,
        env=installed.net.env,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        process_group=0,
    )
    try:
        assert running.stdout is not None
        for line in running.stdout:
            if "changes made in" in line:
                break
        installed.net.note_processes()
        os.killpg(running.pid, signal.SIGINT)
        said, _ = running.communicate(timeout=RUN_S)
    finally:
        running.kill()
    assert running.returncode == pytest.ExitCode.INTERRUPTED, said
    assert installed.net.handles, "no process of the network was seen"
    assert installed.net.leftovers() == []
