"""A network of the default topology, made and removed through `testnet` as a user would.

Rules: its state lies in a scratch directory of its own, so no other network is seen or touched;
it is taken down whatever happens, and a second Ctrl-C does not stop that; everything started here
is in a session of its own, so that Ctrl-C on a terminal reaches only us and we decide the order.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from benchmarks.figures import BenchmarkFailed
from benchmarks.processes import cpu_seconds

ROOT = Path(__file__).parents[1]
NAME = "bench"
UP_TIMEOUT_S = 60
GRACE_S = 10
NODE_PROGRAM = "lokinet"
ROOTS = ("XDG_STATE_HOME", "XDG_RUNTIME_DIR")


class NotRemoved(Exception):
    """A network could not be taken down: nothing else should be begun. Says how to remove it."""


@dataclass(frozen=True, slots=True)
class Program:
    """A running program of a network, by its pid on the host."""

    node: str
    role: str
    name: str
    pid: int


class Network:
    """What `testnet` can do with the one network in this scratch directory."""

    def __init__(self, directory: Path, backend: str = "netns") -> None:
        """The directory exists and is empty."""
        self.directory = directory
        self.report: dict[str, Any] = {}
        """What `testnet up --json` printed."""
        self._environment = {**os.environ, "PYTHONPATH": str(ROOT), "TESTNET_BACKEND": backend}
        for name in ROOTS:
            # Sockets live below it: a path of a Unix socket is short.
            root = directory / name.split("_")[1].lower()
            root.mkdir(mode=0o700)
            self._environment[name] = str(root)

    # --- the network itself

    def up(self, topology: str = "default", patience_s: int = UP_TIMEOUT_S) -> None:
        """Bring it up; BenchmarkFailed with the last line of what `testnet` said."""
        timeout = f"{patience_s}s"
        self.report = json.loads(
            self._testnet("up", topology, "--json", "--timeout", timeout, limit=2 * patience_s)
        )

    def down(self) -> None:
        """Remove it, if there is one; NotRemoved."""
        try:
            self._testnet("down", limit=UP_TIMEOUT_S)
        except BenchmarkFailed as error:
            roots = " ".join(f"{name}={self._environment[name]}" for name in ROOTS)
            raise NotRemoved(f"{error}; to remove it: {roots} testnet down --name {NAME}") from None

    @property
    def web_address(self) -> str:
        """`<52>.loki` of web."""
        return str(self.report["addresses"]["web"])

    def clearnet_address(self, node: str) -> str:
        """Where a server of the clearnet is."""
        return self._address(node, "clearnet")

    def underlay_address(self, node: str) -> str:
        """Where a node is without Lokinet."""
        return self._address(node, "underlay")

    def _address(self, node: str, network: str) -> str:
        for row in json.loads(self._testnet("ps", "--json")):
            if row["node"] == node and row[network]:
                return str(row[network])
        raise BenchmarkFailed(f"{node} has no {network}")

    # --- what is in it

    def programs(self) -> list[Program]:
        """Everything that runs."""
        rows = json.loads(self._testnet("ps", "--json"))
        return [
            Program(row["node"], row["role"], row["program"], row["pid"])
            for row in rows
            if row["pid"] is not None
        ]

    def node_pids(self) -> dict[str, int]:
        """Pids of the Lokinet processes, by node."""
        return {one.node: one.pid for one in self.programs() if one.name == NODE_PROGRAM}

    def routers_known(self) -> dict[str, int | None]:
        """How many routers each node knows, by node; None for one that does not answer."""
        rows = json.loads(self._testnet("status", "--json", codes=(0, 1)))["nodes"]
        return {row["node"]: row["known"] for row in rows}

    def inspect(self, node: str) -> dict[str, Any]:
        """Everything that is known about a node."""
        found: dict[str, Any] = json.loads(self._testnet("inspect", node, "--json"))
        if not isinstance(found["status"], dict):
            raise BenchmarkFailed(f"{node}: {found['status']}")
        return found

    def service_status(self, node: str) -> dict[str, Any]:
        """What a client or service says of its paths and sessions."""
        status: dict[str, Any] = self.inspect(node)["status"]["services"]["default"]
        return status

    # --- programs in it

    def run(self, node: str, *command: str, limit: float = 60) -> str:
        """Standard output of a command that ends well; BenchmarkFailed otherwise."""
        return self._testnet("exec", node, "--", *command, limit=limit)

    def tried(self, topology: Path, title: str, limit: float = 120) -> dict[str, float]:
        """What one test of a file measured, held or not; BenchmarkFailed if it measured nothing."""
        options = ("-k", title, "--json", "--no-report")
        text = self._testnet("test", str(topology), *options, limit=limit, codes=(0, 1))
        found = [test for test in json.loads(text)["tests"] if test["name"] == title]
        if len(found) != 1:
            raise BenchmarkFailed(f"{topology} has not exactly one test {title!r}")
        figures: dict[str, float] = found[0]["figures"]
        if not figures:
            raise BenchmarkFailed(f"{title}: {found[0]['seen']}")
        return figures

    @contextmanager
    def running(self, node: str, *command: str) -> Iterator[IO[bytes]]:
        """Standard output of a command that goes on until the block ends."""
        process = self._start("exec", node, "--", *command, errors=subprocess.STDOUT)
        assert process.stdout is not None, "it was started with a pipe"
        try:
            yield process.stdout
        finally:
            _end(process)

    # --- the command line

    def _start(
        self, command: str, *arguments: str, errors: int = subprocess.PIPE
    ) -> subprocess.Popen[bytes]:
        argv = [sys.executable, "-m", "orchestrator", command, "--name", NAME, *arguments]
        return subprocess.Popen(
            argv,
            cwd=ROOT,
            env=self._environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=errors,
            start_new_session=True,
        )

    def _testnet(
        self, command: str, *arguments: str, limit: float = 60, codes: Sequence[int] = (0,)
    ) -> str:
        process = self._start(command, *arguments)
        try:
            output, errors = process.communicate(timeout=limit)
        except subprocess.TimeoutExpired:
            raise BenchmarkFailed(f"`testnet {command}` did not end within {limit:.0f} s") from None
        finally:
            _end(process)
        if process.returncode not in codes:
            said = errors.decode(errors="replace").strip().splitlines()
            reason = said[-1] if said else f"exit code {process.returncode}"
            raise BenchmarkFailed(f"testnet {command} {' '.join(arguments[:4])}: {reason}")
        return output.decode(errors="replace")


def _end(process: subprocess.Popen[bytes]) -> None:
    """End what we started, if it has not ended by itself: politely, then for good."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGKILL):
        if process.poll() is not None:
            break
        process.send_signal(number)
        with suppress(subprocess.TimeoutExpired):
            process.wait(GRACE_S)
    for stream in (process.stdout, process.stderr):
        if stream is not None:
            stream.close()


@contextmanager
def default_network() -> Iterator[Network]:
    """A network that is up, with its page fetched; gone after the block."""
    with scratch_network() as network:
        network.up()
        yield network


@contextmanager
def scratch_network(backend: str = "netns") -> Iterator[Network]:
    """A network that may be brought up in the block; NotRemoved if it cannot be taken down."""
    directory = Path(tempfile.mkdtemp(prefix="tn-bench-"))
    network = Network(directory, backend)
    try:
        yield network
    finally:
        with _undisturbed():
            network.down()
            shutil.rmtree(directory)


@contextmanager
def _undisturbed() -> Iterator[None]:
    """Without Ctrl-C and SIGTERM: what is half removed helps nobody."""
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    for number in before:
        signal.signal(number, signal.SIG_IGN)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


class Meter:
    """CPU-seconds of all nodes of a network since it was made."""

    def __init__(self, network: Network) -> None:
        """Begin now."""
        self._pids = list(network.node_pids().values())
        self._before = cpu_seconds(self._pids)

    def read(self) -> float:
        """So far."""
        return cpu_seconds(self._pids) - self._before


def wait_for_line(stream: IO[bytes], wanted: str) -> None:
    """Read what a program prints up to the line with `wanted`; BenchmarkFailed if it ends first."""
    lines = [""]
    for raw in stream:
        lines.append(raw.decode(errors="replace").rstrip())
        if wanted in lines[-1]:
            return
    raise BenchmarkFailed(f"a program ended without saying {wanted!r}: {lines[-1]}")
