"""A `testnet` command with a stand-in node.

The stand-in is put in the node's place by a folder that holds a link to the orchestrator and the
stand-in's `lokinet_node`: the orchestrator itself is what is shipped, unchanged.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from tests.integration.orchestrator.command import Testnet

HERE = Path(__file__).parent
REPOSITORY = HERE.parents[2]


@pytest.fixture(scope="session")
def standin_packages() -> Iterator[Path]:
    """A folder to import from: the real orchestrator, the stand-in node."""
    with tempfile.TemporaryDirectory(prefix="tn-standin-", dir="/tmp") as name:
        root = Path(name)
        (root / "orchestrator").symlink_to(REPOSITORY / "orchestrator")
        (root / "lokinet_node").symlink_to(HERE / "standin" / "lokinet_node")
        yield root


@pytest.fixture
def testnet(standin_packages: Path) -> Iterator[Testnet]:
    """The command; whatever a failed test leaves is ended."""
    root = Path(tempfile.mkdtemp(prefix="tn-", dir="/tmp"))  # short: socket paths end at 107 bytes
    for part in ("state", "run"):
        (root / part).mkdir(mode=0o700)
    env = {
        "PATH": os.environ["PATH"],
        "HOME": str(root),
        "PYTHONPATH": str(standin_packages),
        "XDG_STATE_HOME": str(root / "state"),
        "XDG_RUNTIME_DIR": str(root / "run"),
    }
    net = Testnet(root, env)
    yield net
    for handle in net.handles.values():
        os.close(handle)
    for file in net.runtime.glob("*/world.json"):
        with suppress(ProcessLookupError):
            os.kill(json.loads(file.read_text())["pid"], signal.SIGKILL)
    shutil.rmtree(root, ignore_errors=True)
