"""What holds for every test: no silent skip in CI, marks by folder, examples kept, two backends."""

from __future__ import annotations

import os
import signal
from collections.abc import Generator
from pathlib import Path

import pytest
from hypothesis import settings

IN_CI = os.environ.get("CI", "").lower() not in ("", "0", "false")
BACKEND = os.environ.get("TESTED_BACKEND", "netns")
"""Where networks under test live; in containers only tests marked `anywhere` are run."""
INTEGRATION = Path(__file__).parent / "integration"

# No deadline: two busy cores say nothing about a decoder. CI tries the same examples each time.
settings.register_profile("house", deadline=None, derandomize=IN_CI, print_blob=True)
settings.load_profile("house")


BUILD_LIMIT_S = 1200
"""For the first test of networks in containers: a base and the images where nothing is there."""


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: pytest.Config) -> None:
    """Keep the reports of all runs; Ctrl-C reaches what tests start, also from a background job."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # shells start those so, and all inherit
        signal.signal(signal.SIGINT, signal.default_int_handler)
    if BACKEND not in ("netns", "docker"):
        raise pytest.UsageError(f"TESTED_BACKEND={BACKEND}: there are netns and docker")
    part = "docker" if BACKEND == "docker" else os.environ.get("TESTED_PART")
    if part and (report := config.getoption("xmlpath", None)):
        path = Path(report)
        config.option.xmlpath = str(path.with_stem(f"{path.stem}-{part}"))


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Mark what lies in tests/integration/, and there in docker/ or orchestrator/: no file forgets.

    What does not hold in containers is not collected there rather than skipped.
    """
    for item in items:
        if item.path.is_relative_to(INTEGRATION):
            item.add_marker(pytest.mark.integration)
        if item.path.is_relative_to(INTEGRATION / "docker"):
            item.add_marker(pytest.mark.docker)
        if item.path.is_relative_to(INTEGRATION / "orchestrator"):
            item.add_marker(pytest.mark.together)
    if BACKEND == "docker":
        there = [item for item in items if _holds_in_containers(item)]
        config.hook.pytest_deselected(items=[item for item in items if item not in there])
        items[:] = there
        for first in there[:1]:
            first.add_marker(pytest.mark.timeout(BUILD_LIMIT_S))


def _holds_in_containers(item: pytest.Item) -> bool:
    is_there = item.get_closest_marker("anywhere") is not None
    return is_there and item.get_closest_marker("netns") is None


def _reason(report: pytest.TestReport | pytest.CollectReport) -> str:
    """Why it was skipped; pytest keeps (path, line, reason) or a traceback object."""
    detail = report.longrepr
    return str(detail[2]) if isinstance(detail, tuple) else str(detail)


def _refuse_skip(report: pytest.TestReport | pytest.CollectReport) -> None:
    """In CI a skipped test is a failed one; an expected failure is not a skip."""
    if IN_CI and report.skipped and not hasattr(report, "wasxfail"):
        reason = _reason(report)
        report.outcome = "failed"
        report.longrepr = f"A skip is a failure in CI. {reason}"


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    _refuse_skip(report)
    return report


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report() -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    report = yield
    _refuse_skip(report)
    return report
