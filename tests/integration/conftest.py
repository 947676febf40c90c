"""An engine and images, where the networks under test live in containers."""

from __future__ import annotations

import pytest

from tests.integration.docker.engine import build_images, version
from tests.integration.orchestrator.command import BACKEND


@pytest.fixture(scope="session", autouse=True)
def what_containers_are_made_of() -> None:
    """Images of this checkout; without an engine tests are skipped (which is a failure in CI)."""
    if BACKEND == "docker":
        version()
        build_images("node", "web", "tools")
