"""An engine and the images, for every test in this folder."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.integration.docker.engine import Bench, build_images, version

BUILD_LIMIT_S = 1200
"""For the first test that needs the images: a base and four images where nothing is there yet."""


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The test that finds the images missing waits for them."""
    for item in items:
        if isinstance(item, pytest.Function) and "images" in item.fixturenames:
            item.add_marker(pytest.mark.timeout(BUILD_LIMIT_S))
            break


@pytest.fixture(scope="session")
def engine() -> str:
    """Its version; without one the test is skipped (which is a failure in CI)."""
    return version()


@pytest.fixture(scope="session")
def images(engine: str) -> str:
    """All images, built from this checkout; what the build said."""
    return build_images()


@pytest.fixture
def bench(images: str) -> Iterator[Bench]:
    """A network of the test's own, with no way out."""
    opened = Bench("lokinet-testnet-images", "10.78.200.0/24")
    opened.close()  # what a killed run left
    try:
        opened.open()
        yield opened
    finally:
        opened.close()
