"""One network with exits for every test that breaks nothing in it."""

from __future__ import annotations

from collections.abc import Generator, Iterator

import pytest

from tests.integration.exits.outside import Outside, new_outside


@pytest.fixture(scope="session")
def outside() -> Iterator[Outside]:
    """Tests may use it, and leave bob without exits."""
    with new_outside("outside") as found:
        yield found


@pytest.fixture
def own_outside() -> Iterator[Outside]:
    """A network of the test's own."""
    with new_outside("broken") as found:
        yield found


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item,
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    if report.failed and isinstance(item, pytest.Function):
        for value in item.funcargs.values():
            if isinstance(value, Outside) and value.net.runtime.exists():
                report.sections += list(value.net.evidence().items())
    return report
