"""A `testnet` command with a stand-in node.

The stand-in is put in the node's place by a folder that holds a link to the orchestrator and the
stand-in's `lokinet_node`: the orchestrator itself is what is shipped, unchanged.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.orchestrator.command import SMALL, Testnet, new_testnet

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
    with new_testnet(standin_packages) as net:
        yield net


@pytest.fixture(scope="module")
def small(standin_packages: Path) -> Iterator[Testnet]:
    """A network that is up, one for all tests of a module: they leave it as it is."""
    with new_testnet(standin_packages) as net:
        result = net.run("up", net.configure(SMALL))
        assert result.returncode == 0, result.stderr
        yield net
        assert net.run("down").returncode == 0
        assert net.leftovers() == []
