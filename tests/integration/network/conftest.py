"""One real network for every test that only looks, and what a failed test leaves as evidence."""

from __future__ import annotations

from collections.abc import Generator, Iterator

import pytest

from tests.integration.network.real import Network, new_network


@pytest.fixture(scope="session")
def testnet() -> Iterator[Network]:
    """The default topology, up; tests may use it and must not break it."""
    with new_network("looked-at") as network:
        network.up()
        yield network


@pytest.fixture
def own_testnet() -> Iterator[Network]:
    """A network of the test's own, not up yet."""
    with new_network("own") as network:
        yield network


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item,
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    if report.failed and isinstance(item, pytest.Function):
        for value in item.funcargs.values():
            if isinstance(value, Network) and value.runtime.exists():
                report.sections += list(value.evidence().items())
    return report
