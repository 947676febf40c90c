"""One network that is up, as a test of somebody's application sees it.

Rules: nothing here knows pytest; whatever does not hold is raised as an OperatorError, whose text
is the one the `testnet` command prints.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

from orchestrator.backends import Backend, ExecResult, Running, clean_environment
from orchestrator.checks import Network
from orchestrator.cli.network import node_of
from orchestrator.control import full_status
from orchestrator.errors import CheckFailed

__all__ = ["Node", "Page", "Program", "Testnet"]

EXEC_S = 30.0
"""How long a program may take when the test does not say."""
PAGE_S = 20.0
"""As long as `testnet up` waits for its page."""
SLACK_S = 5.0
"""For curl to say itself that its time is over."""
MOST_BYTES = 64 << 20
"""Of a page: it is read into memory."""
LOG_BYTES = 4 << 20
"""Of each log, from its end."""
ENDING_S = 10.0
"""For a program to end once it is told to."""
SIGTERM, SIGKILL = 15, 9


@dataclass(frozen=True, slots=True)
class Node:
    """A node of the topology."""

    name: str
    role: str
    """As in the topology: router, client, service, chain, exit, server."""
    underlay: str
    """Its address on the links, which applications never see."""


@dataclass(frozen=True, slots=True)
class Page:
    """What curl got."""

    url: str
    status: int
    text: str
    seconds: float
    address: str
    """The tun address the name was mapped to."""


@dataclass(frozen=True, slots=True)
class Program:
    """One of yours that runs in a node."""

    node: str
    running: Running = field(repr=False)
    said: IO[bytes] = field(repr=False)

    @property
    def output(self) -> str:
        """What it wrote to standard output and standard error so far."""
        size = os.fstat(self.said.fileno()).st_size
        return os.pread(self.said.fileno(), size, 0).decode(errors="replace")

    def wait(self, timeout_s: float = EXEC_S) -> int:
        """Its exit code, negative for a signal; raises CheckFailed if it does not end in time."""
        try:
            return self.running.wait(timeout_s)
        except TimeoutError as error:
            text = f"a program in {self.node} did not end within {timeout_s:g} s"
            raise CheckFailed(text) from error

    def stop(self) -> None:
        """SIGTERM, and SIGKILL to who does not heed it."""
        for number in (SIGTERM, SIGKILL):
            try:
                self.running.signal(number)
                self.running.wait(ENDING_S)
            except (TimeoutError, ProcessLookupError):
                continue
            return


@dataclass(frozen=True, slots=True)
class Testnet:
    """A network that is up; nodes are asked anew each time."""

    __test__ = False  # not a class of tests

    name: str
    """For the command: `testnet kill router-2 -n NAME`."""
    backend: Backend = field(repr=False)

    @property
    def network(self) -> Network:
        """The same for `orchestrator.checks`: `eventually(testnet.network, make(…), 20)`."""
        return Network.of(self.backend)

    @property
    def nodes(self) -> Mapping[str, Node]:
        """All of them, by name."""
        return {
            name: Node(name, node.labels.get("role", ""), node.address)
            for name, node in self.backend.observe().nodes.items()
        }

    def address(self, name: str) -> str:
        """The `.loki` or `.snode` address of a node; raises CheckFailed while it has none."""
        node_of(self.network.observed, name)
        return self.network.host(name)

    def exec(self, node: str, *argv: str, timeout_s: float = EXEC_S) -> ExecResult:
        """Run a program in a node to its end, in this directory; raises CheckFailed.

        It is any program of this machine, `sys.executable` among them; where nodes are containers
        only root can do that, and for others it is one of the image of tools. It gets a clean
        environment: no proxies, no virtual environment.
        """
        network = self.network
        node_of(network.observed, node)
        return network.run(node, list(argv), timeout_s, self._has_guests)

    @contextmanager
    def start(self, node: str, *argv: str) -> Iterator[Program]:
        """Run a program in a node beside the test, until the block ends; raises CheckFailed.

        Which programs there are, see `exec`.
        """
        node_of(self.network.observed, node)
        nothing = os.open(os.devnull, os.O_RDONLY)
        with tempfile.TemporaryFile() as said:
            try:
                stdio = (nothing, said.fileno(), said.fileno())
                start = self.backend.beside if self._has_guests else self.backend.exec
                running = start(node, argv, stdio, clean_environment())
            finally:
                os.close(nothing)
            program = Program(node, running, said)
            try:
                yield program
            finally:
                program.stop()
                running.close()

    def page(self, target: str, node: str | None = None, timeout_s: float = PAGE_S) -> Page:
        """Get a page with curl, as a node's own programs would; raises CheckFailed.

        Args:
            target: a URL, or a node's name with or without a path: `web/shop?of=tea`.
            node: whose curl; None: the first client's.
            timeout_s: for the whole page.
        """
        network = self.network
        url = target if "://" in target else _url_of(network, target)
        sender = self._first_client() if node is None else node
        node_of(network.observed, sender)
        argv = ["curl", "-sS", "-g", "--max-filesize", str(MOST_BYTES), "-m", f"{timeout_s:.3f}"]
        argv += ["-w", "\n%{http_code} %{time_total} %{remote_ip}", "--", url]
        result = network.run(sender, argv, timeout_s + SLACK_S)
        if result.code != 0:
            raise CheckFailed(f"{sender}: curl {url}: {result.err.strip() or result.code}")
        text, _, tail = result.out.rpartition("\n")
        status, seconds, address = tail.split(" ")
        return Page(url, int(status), text, float(seconds), address)

    def status(self, node: str) -> dict[str, Any]:
        """What a node says of itself: `llarp.status` and more; raises CheckFailed."""
        control = node_of(self.network.observed, node).labels["control"]
        return full_status(self.backend, node, control)

    def logs(self, node: str) -> str:
        """What a node's programs logged, one after the other; of each the last 4 MiB at most."""
        node_of(self.backend.observe(), node)
        found = [_end_of(Path(path)) for path in self.backend.logs(node).values()]
        return "".join(text for text in found if text)

    @property
    def _has_guests(self) -> bool:
        """Programs of this machine have to be put into nodes, and can be."""
        return not self.backend.sees_this_machine and os.geteuid() == 0

    def _first_client(self) -> str:
        for node in self.nodes.values():
            if node.role == "client":
                return node.name
        raise CheckFailed("the topology has no client to get a page: name a node")


def _url_of(network: Network, target: str) -> str:
    name, slash, path = target.partition("/")
    node_of(network.observed, name)
    port = network.port(name)
    return f"http://{network.host(name)}{'' if port == 80 else f':{port}'}{slash}{path}"


def _end_of(path: Path) -> str:
    try:
        with path.open("rb") as file:
            size = file.seek(0, os.SEEK_END)
            file.seek(max(0, size - LOG_BYTES))
            return file.read(LOG_BYTES).decode(errors="replace")
    except FileNotFoundError:
        return ""
