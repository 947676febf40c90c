"""A user of no account on this machine who may ask the engine, and its `testnet`."""

from __future__ import annotations

import os
import subprocess
import sys
import sysconfig
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.integration.docker.between import between
from tests.integration.docker.engine import ROOT, docker
from tests.integration.orchestrator.command import COMMAND_TIMEOUT_S, Testnet, new_testnet

USER, GROUP, ENGINE_GROUP = 12345, 12346, 12347
"""The last is the engine's socket's."""
AS_MEMBER = """
mount --bind "$1" "$2" && shift 2 && exec setpriv "$@"
"""


@dataclass(slots=True)
class Member:
    """Its command, in directories of its own; the interpreter may lie where only root gets in."""

    net: Testnet
    python: Path

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        bound = [sys.base_prefix, str(self.python / "base")]
        ids = [f"--reuid={USER}", f"--regid={GROUP}", f"--groups={ENGINE_GROUP}"]
        bare = ["--bounding-set=-all", "--inh-caps=-all", "--no-new-privs"]
        command = [str(self.python / "bin" / "python"), "-P", "-m", "orchestrator", *arguments]
        done = subprocess.run(
            ["unshare", "--mount", "sh", "-c", AS_MEMBER, "sh", *bound, *ids, *bare, *command],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=COMMAND_TIMEOUT_S * 2,
            env=self.net.env,
            cwd=self.net.root,
            check=False,
        )
        self.net.note_processes()
        return done

    def in_engine(self) -> list[str]:
        """Containers and networks that are there."""
        found = []
        for number in self.net.numbers:
            label = f"--filter=label=lokinet-testnet.id={number}"
            found += docker("ps", "--all", label, "--format={{.Names}}").stdout.split()
            found += docker("network", "ls", label, "--format={{.Name}}").stdout.split()
        return found


@contextmanager
def member() -> Iterator[Member]:
    """Until the block ends; what a failed test leaves is taken down by root's rights over files."""
    with (
        tempfile.TemporaryDirectory(prefix="py-", dir="/tmp") as folder,
        new_testnet(ROOT) as net,
        between(net.root) as way,
    ):
        python = Path(folder)
        python.chmod(0o755)
        _make_interpreter(python)
        os.chown(way.path, 0, ENGINE_GROUP)
        way.path.chmod(0o660)
        for path in (net.root, *net.root.iterdir()):
            if path != way.path:
                os.chown(path, USER, GROUP)
        net.env |= {"TESTNET_BACKEND": "docker", "DOCKER_HOST": f"unix://{way.path}"}
        net.env["PYTHONDONTWRITEBYTECODE"] = "1"
        opened = Member(net, python)
        try:
            yield opened
        finally:
            opened.run("down")
            for name in opened.in_engine():
                docker("rm", "--force", name, check=False)
                docker("network", "rm", name, check=False)


def _make_interpreter(folder: Path) -> None:
    """An environment with this one's packages, over its interpreter as mounted at `base`."""
    (folder / "base").mkdir()
    (folder / "bin").mkdir()
    base = Path(sys.executable).resolve().relative_to(Path(sys.base_prefix).resolve())
    (folder / "bin" / "python").symlink_to(folder / "base" / base)
    home = (folder / "base" / base).parent
    (folder / "pyvenv.cfg").write_text(f"home = {home}\ninclude-system-site-packages = false\n")
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    packages = folder / "lib" / version / "site-packages"
    packages.mkdir(parents=True)
    (packages / "here.pth").write_text(sysconfig.get_path("purelib") + "\n")
