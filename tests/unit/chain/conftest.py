"""A new chain for each test that asks for one."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.unit.chain.people import Chain, open_chain


@pytest.fixture
def chain(tmp_path: Path) -> Iterator[Chain]:
    opened = open_chain(tmp_path)
    yield opened
    opened.store.close()


@pytest.fixture(scope="module")
def shared_chain(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chain]:
    """One for many examples, whose outcome does not depend on what came before."""
    opened = open_chain(tmp_path_factory.mktemp("chain"))
    yield opened
    opened.store.close()
