"""A real network for tests: the public command, the shipped default topology, nothing stood in.

Rules: a network has state and runtime directories of its own, so it is the only one its commands
see; everything is asked through the `testnet` command of the interpreter that runs the tests.
"""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

from tests.integration.orchestrator.command import BACKEND, Testnet, new_testnet

REPOSITORY = Path(__file__).parents[3]
INSIDE = Path(__file__).parent / "inside"
COMMAND_S = 10.0
"""Ten times what a command takes that waits for nothing."""
READY_S = 40.0
"""Ten times what the default topology takes to be ready when tests share the machine."""
SCRIPT_S = 60.0
"""Scripts give up their waits before."""


@dataclass
class Network(Testnet):
    """One network called `name`, its nodes' addresses known once it is up."""

    __test__ = False

    name: str = "real"
    addresses: dict[str, str] = field(default_factory=dict)

    def command(self, *arguments: str) -> list[str]:
        """The installed command; `env` makes it import this checkout."""
        return [str(Path(sys.executable).with_name("testnet")), *arguments]

    def up(self, topology: str = "default") -> dict[str, Any]:
        """Bring it up, or up to date; what `up --json` printed."""
        options = ("--name", self.name, "--timeout", f"{READY_S:.0f}s", "--keep-on-failure")
        result = self.run("up", topology, *options, "--json")
        if result.returncode != 0:
            raise AssertionError("\n".join([result.stderr, *self.evidence().values()]))
        printed: dict[str, Any] = json.loads(result.stdout)
        self.addresses = printed["addresses"]
        return printed

    def names(self) -> dict[str, str]:
        """A router's name in the topology by its `.snode` address."""
        return {address: name for name, address in self.addresses.items()}

    def url(self, page: str = "") -> str:
        return f"http://{self.addresses['web']}/{page}"

    def inspect(self, node: str) -> dict[str, Any]:
        result = self.run("inspect", node, "--json")
        assert result.returncode == 0, result.stderr
        data: dict[str, Any] = json.loads(result.stdout)
        return data

    def programs(self) -> list[dict[str, Any]]:
        """The rows of `ps`."""
        result = self.run("ps", "--json")
        assert result.returncode == 0, result.stderr
        rows: list[dict[str, Any]] = json.loads(result.stdout)
        return rows

    def execute(
        self, node: str, *argv: str, timeout_s: float = COMMAND_S, stdin: IO[bytes] | None = None
    ) -> subprocess.CompletedProcess[str]:
        """Run a program inside a node, to its end."""
        return subprocess.run(
            self.command("exec", node, "--", *argv),
            stdin=stdin or subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=timeout_s,
            env=self.env,
            cwd=self.root,
            check=False,
        )

    def run_script(
        self, node: str, script: str, *arguments: str
    ) -> subprocess.CompletedProcess[str]:
        """Run a script of `inside/` to its end."""
        return self.run_beside(node, sys.executable, str(INSIDE / script), *arguments)

    def run_beside(self, node: str, *argv: str) -> subprocess.CompletedProcess[str]:
        """Run a program of this machine in a node's network, to its end."""
        return subprocess.run(
            self.beside(node, *argv),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=SCRIPT_S,
            env=self.env,
            cwd=self.root,
            check=False,
        )

    def script(self, node: str, script: str, *arguments: str) -> list[str]:
        """The command that runs a script of `inside/` in a node."""
        return self.beside(node, sys.executable, str(INSIDE / script), *arguments)

    def beside(self, node: str, *argv: str) -> list[str]:
        """The command that runs a program of this machine in a node's network, by its resolver.

        Images have no Python for scripts and containers may not touch their network, so there the
        node's namespace is entered from outside.
        """
        if BACKEND == "netns":
            return self.command("exec", node, "--", *argv)
        pid = next(row["pid"] for row in self.programs() if row["node"] == node and row["pid"])
        resolver = self.state / self.name / "containers" / node / "resolv.conf"
        own = 'mount --bind "$0" /etc/resolv.conf && exec "$@"'
        enter = ["nsenter", f"--target={pid}", "--net", "unshare", "--mount"]
        return [*enter, "sh", "-c", own, str(resolver), *argv]

    def begin(self, node: str, *argv: str) -> subprocess.Popen[str]:
        """Run a program inside a node beside the test."""
        return self._begin(self.command("exec", node, "--", *argv))

    def _begin(self, command: list[str]) -> subprocess.Popen[str]:
        return subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=self.env,
            cwd=self.root,
        )

    @contextmanager
    def running(self, node: str, script: str, *arguments: str) -> Iterator[subprocess.Popen[str]]:
        """A script of `inside/`, from the line that says it is ready until it is told to end."""
        process = self._begin(self.script(node, script, *arguments))
        try:
            assert next_line(process, COMMAND_S) == "ready"
            yield process
        finally:
            process.send_signal(signal.SIGTERM)
            process.communicate(timeout=COMMAND_S)

    def containers(self) -> list[dict[str, Any]]:
        """All of the network as the engine describes them; none in namespaces."""
        if BACKEND == "netns":
            return []
        number = (self.state / self.name / "network-id").read_text()
        label = f"label=lokinet-testnet.id={number}"
        listed = ["docker", "ps", "--all", "--quiet", "--no-trunc", "--filter", label]
        ids = subprocess.run(listed, capture_output=True, text=True, check=True).stdout.split()
        if not ids:
            return []
        asked = subprocess.run(["docker", "inspect", *ids], capture_output=True, check=True)
        found: list[dict[str, Any]] = json.loads(asked.stdout)
        return found

    def evidence(self) -> dict[str, str]:
        """What to print beside a failure."""
        return {
            f"testnet {' '.join(words)}": self.run(*words).stdout
            for words in (["ps"], ["status"], ["logs", "--lines", "25"])
        }


@contextmanager
def new_network(name: str) -> Iterator[Network]:
    """A network that is not up yet; ended in any case, and looked after for leftovers."""
    with new_testnet(REPOSITORY) as net:
        network = Network(net.root, net.env, net.handles, net.numbers, name)
        yield network
        if network.runtime.exists() or network.state.exists():
            down = network.run("down", "--name", name)
            assert down.returncode == 0, down.stderr
        assert network.leftovers() == []


def next_line(process: subprocess.Popen[str], within_s: float) -> str:
    """The next line a program prints; its complaints if it ended or stays silent."""
    assert process.stdout is not None
    text = ""
    while not text.endswith("\n"):
        # unbuffered: what a text file has read ahead no poll would tell of
        ready, _, _ = select.select([process.stdout], [], [], within_s)
        byte = os.read(process.stdout.fileno(), 1) if ready else b""
        if not byte:
            process.kill()
            raise AssertionError(f"silent for {within_s} s or gone: {process.communicate()}")
        text += byte.decode()
    return text[:-1]
