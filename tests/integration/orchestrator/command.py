"""A `testnet` command in directories of its own, and ways to look for what it left."""

from __future__ import annotations

import json
import os
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

COMMAND_TIMEOUT_S = 60
BACKEND = os.environ.get("TESTED_BACKEND", "netns")
"""Where networks under test live."""
SETTINGS = ("net.ipv4.ip_forward", "net.ipv4.conf.all.rp_filter", "net.ipv4.tcp_tso_rtt_log")
"""What nodes have of their own."""


@dataclass
class Testnet:
    __test__ = False

    """The command, in a world of its own directories."""

    root: Path
    env: dict[str, str]
    handles: dict[int, int] = field(default_factory=dict)
    """A pidfd for each process that ever was seen in a world of ours: no number is reused there."""
    numbers: set[str] = field(default_factory=set)
    """Of each network that ever was seen: what is in the engine bears one."""

    @property
    def state(self) -> Path:
        return self.root / "state" / "lokinet-testnet"

    @property
    def runtime(self) -> Path:
        return self.root / "run" / "lokinet-testnet"

    def command(self, *arguments: str) -> list[str]:
        return [sys.executable, "-P", "-m", "orchestrator", *arguments]

    def run(
        self, *arguments: str, stdin: str | None = None, prefix: tuple[str, ...] = ()
    ) -> subprocess.CompletedProcess[str]:
        """Run to the end; remembers the processes of our worlds for `leftovers`."""
        result = subprocess.run(
            [*prefix, *self.command(*arguments)],
            input=stdin,
            stdin=subprocess.DEVNULL if stdin is None else None,
            capture_output=True,
            text=True,
            timeout=COMMAND_TIMEOUT_S,
            env=self.env,
            cwd=self.root,
            check=False,
        )
        self.note_processes()
        return result

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        """Run beside the test, in a process group of its own (for Ctrl-C)."""
        return subprocess.Popen(
            self.command(*arguments),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=self.env,
            cwd=self.root,
            process_group=0,
        )

    def note_processes(self) -> None:
        """Remember every process of every world there is now, and each network's number."""
        for file in self.state.glob("*/network-id"):
            self.numbers.add(file.read_text())
        for file in self.runtime.glob("*/world.json"):
            noted = json.loads(file.read_text())
            for entry in Path("/proc").iterdir():
                with suppress(OSError):
                    if not entry.name.isdigit() or int(entry.name) in self.handles:
                        continue
                    if (entry / "ns" / "pid").stat().st_ino == noted.get("pid_namespace"):
                        self.handles[int(entry.name)] = os.pidfd_open(int(entry.name))

    def world_pid(self, name: str) -> int:
        return int(json.loads((self.runtime / name / "world.json").read_text())["pid"])

    def leftovers(self) -> list[str]:
        """Everything of this command that still exists: processes, mounts, files, containers.

        With its last process and mount a namespace is gone.
        """
        found = [f"file {path}" for path in sorted((self.root / "state").rglob("*"))]
        found += [f"file {path}" for path in sorted((self.root / "run").rglob("*"))]
        mounts = Path("/proc/self/mountinfo").read_text()
        found += [f"mount {line}" for line in mounts.splitlines() if str(self.root) in line]
        for pid, handle in self.handles.items():
            if not select.select([handle], [], [], 0)[0]:
                found.append(f"process {pid}")
        for entry in Path("/proc").iterdir():
            with suppress(OSError):
                if entry.name.isdigit() and str(self.root) in (entry / "cmdline").read_text():
                    found.append(f"process {entry.name}, by its command line")
        return found + self._left_in_engine()

    def _left_in_engine(self) -> list[str]:
        found = []
        for number in self.numbers if BACKEND == "docker" else ():
            for kind, words, column in (
                ("container", ["ps", "--all"], "{{.Names}}"),
                ("network", ["network", "ls"], "{{.Name}}"),
            ):
                label = f"label=lokinet-testnet.id={number}"
                asked = ["docker", *words, "--filter", label, "--format", column]
                rows = subprocess.run(asked, capture_output=True, text=True, check=True).stdout
                found += [f"{kind} {row}" for row in rows.splitlines()]
        return found

    def configure(self, text: str) -> str:
        """Write a topology; its path."""
        path = self.root / "topology.yaml"
        path.write_text(text)
        return str(path)


@contextmanager
def new_testnet(packages: Path) -> Iterator[Testnet]:
    """The command in new directories; whatever a failed test leaves is ended.

    Args:
        packages: the folder to import `orchestrator` and `lokinet_node` from.
    """
    root = Path(tempfile.mkdtemp(prefix="tn-", dir="/tmp"))  # short: socket paths end at 107 bytes
    for part in ("state", "run"):
        (root / part).mkdir(mode=0o700)
    env = {
        "PATH": os.environ["PATH"],
        "HOME": str(root),
        "PYTHONPATH": str(packages),
        "XDG_STATE_HOME": str(root / "state"),
        "XDG_RUNTIME_DIR": str(root / "run"),
        "TESTNET_BACKEND": BACKEND,
        "TESTNET_REPORTS": str(root / "reports"),
        **{name: os.environ[name] for name in ("DOCKER_HOST",) if name in os.environ},
    }
    net = Testnet(root, env)
    try:
        yield net
    finally:
        for handle in net.handles.values():
            os.close(handle)
        for file in net.runtime.glob("*/world.json"):
            with suppress(ProcessLookupError):
                os.kill(json.loads(file.read_text()).get("pid", 1 << 30), signal.SIGKILL)
        shutil.rmtree(root, ignore_errors=True)


def host_state() -> dict[str, str]:
    """What the host itself shows of networks and mounts.

    With an engine links, routes and mounts come and go for anybody's containers; what there is of
    ours is asked of the engine (`Testnet.leftovers`).
    """
    commands = {
        "links": ["ip", "-o", "link"],
        "addresses": ["ip", "-o", "addr"],
        "routes": ["ip", "route"],
        "named namespaces": ["ip", "netns", "list"],
        "settings": ["sysctl", "-e", *SETTINGS],  # -e: an older kernel may lack one
        "mounts": ["cat", "/proc/self/mountinfo"],
    }
    if BACKEND == "docker":
        commands = {what: commands[what] for what in ("named namespaces", "settings")}
    return {
        what: subprocess.run(command, capture_output=True, text=True, check=True).stdout
        for what, command in commands.items()
    }


def until(what: str, holds: Callable[[], bool], within_s: float = 10.0) -> None:
    """Look every few milliseconds until it holds."""
    deadline = time.monotonic() + within_s
    pause = select.poll()
    while not holds():
        assert time.monotonic() < deadline, f"never happened: {what}"
        pause.poll(10)


SMALL = """
name: small
hops: 2
nodes:
  router: {role: router, count: 2}
  web: {role: service, app: nginx}
  alice: {role: client}
"""
