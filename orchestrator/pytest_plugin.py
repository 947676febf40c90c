"""The pytest plugin of the distribution: fixtures `testnet` and `testnet_factory`, a mark, options.

Rules: every run of pytest imports this module, so it imports nothing but pytest until a test asks
for a network. A machine that is unfit skips with the fix, except in CI, where that is a failure.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Generator, Iterator
from typing import TYPE_CHECKING, Any, NoReturn

import pytest

if TYPE_CHECKING:
    from orchestrator.errors import OperatorError
    from orchestrator.testing import Testnet, TestnetFactory

MARK = "testnet(topology='default'): the network of the fixture `testnet`, a bundled name or a path"
LOG_LINES = 5
"""Of each node, beside a failure."""
KEPT = pytest.StashKey[list[str]]()
USED = pytest.StashKey["Testnet"]()
REPORTED = pytest.StashKey[set[str]]()
SEEN_CHARACTERS = 300


def pytest_addoption(parser: pytest.Parser) -> None:
    """Options for all networks of a run."""
    group = parser.getgroup("testnet", "private Lokinets")
    group.addoption(
        "--testnet-backend",
        choices=("auto", "netns", "docker"),
        help="where networks live; else TESTNET_BACKEND, else what the topology says",
    )
    group.addoption(
        "--testnet-keep",
        action="store_true",
        help="leave networks up, also those that did not become ready; the next run with it "
        "finds them again",
    )
    group.addoption(
        "--testnet-report",
        action="store_true",
        help="write a report of a network when the first test on it fails, or when it does not "
        "come up; into TESTNET_REPORTS, else the state directory",
    )


def pytest_configure(config: pytest.Config) -> None:
    """Make the mark known."""
    config.addinivalue_line("markers", MARK)
    config.stash[KEPT] = []
    config.stash[REPORTED] = set()


@pytest.fixture(scope="session")
def testnet_factory(request: pytest.FixtureRequest) -> Iterator[TestnetFactory]:
    """Networks by topology: `testnet_factory.up("minimal")`; taken down when the tests are over."""
    from orchestrator.testing import TestnetFactory

    config = request.config
    factory = TestnetFactory(
        config.getoption("testnet_backend"),
        config.getoption("testnet_keep"),
        os.environ.get("PYTEST_XDIST_WORKER", ""),
        "pytest" if config.getoption("testnet_report") else None,
    )
    before = _interrupt_on_sigterm()
    try:
        yield factory
    finally:
        if factory.keep:
            config.stash[KEPT] += factory.names()
        failures = factory.down()
        if before is not None:
            signal.signal(signal.SIGTERM, before)
    if failures:
        _fail("\n".join(f"testnet: {error}" for error in failures))


@pytest.fixture
def testnet(request: pytest.FixtureRequest, testnet_factory: TestnetFactory) -> Testnet:
    """The network of the test's mark; shared by all tests with the same topology."""
    from orchestrator.errors import HostUnfit, OperatorError

    topology = _topology(request.node)
    try:
        network = testnet_factory.up(topology, request.path.parent)
    except HostUnfit as error:
        _unfit(error)
    except OperatorError as error:
        _fail(f"testnet: {error}")
    request.node.stash[USED] = network
    return network


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item,
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Beside a failure: which network, and the last words of its nodes."""
    report = yield
    network = item.stash.get(USED, None)
    if report.failed and report.when == "call" and network is not None:
        report.sections.append((f"testnet {network.name}", _last_words(network)))
        if item.config.getoption("testnet_report"):
            _report(item.config, report, network)
    return report


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
    """What was kept, and how to be rid of it."""
    for name in config.stash[KEPT]:
        terminalreporter.write_line(f"testnet: {name} is up: `testnet down -n {name}` removes it")


def _topology(node: pytest.Item) -> str:
    """What the nearest mark names; without one the network everybody begins with."""
    mark = node.get_closest_marker("testnet")
    if mark is None or (not mark.args and not mark.kwargs):
        return "default"
    topology = mark.kwargs.get("topology")
    if mark.args or set(mark.kwargs) != {"topology"} or not isinstance(topology, os.PathLike | str):
        _fail("testnet: a mark is written @pytest.mark.testnet(topology='NAME or path.yaml')")
    return os.fspath(topology)


def _unfit(error: OperatorError) -> NoReturn:
    if os.environ.get("CI", "").lower() not in ("", "0", "false"):
        _fail(f"testnet: this machine is unfit, which is a failure in CI: {error}")
    pytest.skip(f"testnet: {error}")


def _fail(text: str) -> NoReturn:
    """As the command prints it, without our own frames and causes."""
    raise pytest.fail.Exception(text, pytrace=False) from None


def _last_words(network: Testnet) -> str:
    from orchestrator.errors import OperatorError

    try:
        return "\n".join(
            f"{name}: {_shown(line)}"
            for name in network.nodes
            for line in network.logs(name).splitlines()[-LOG_LINES:]
        )
    except (OperatorError, OSError) as error:
        return f"nothing can be said of its nodes: {error}"


def _report(config: pytest.Config, report: pytest.TestReport, network: Testnet) -> None:
    """Of each network one, as it is at the first failure: what comes later may follow from that."""
    from orchestrator.testing.reports import write_report

    reported = config.stash[REPORTED]
    if network.name in reported:
        return
    reported.add(network.name)
    lines = [line[1:].strip() for line in report.longreprtext.splitlines() if line[:2] == "E "]
    seen = " ".join(lines)[:SEEN_CHARACTERS] or "a failure"
    page = write_report(network, report.nodeid, seen, report.longreprtext, report.duration)
    if page is not None:
        report.sections.append(("testnet report", str(page)))


def _shown(line: str) -> str:
    """Programs under test wrote it: no escape sequence of theirs reaches a terminal."""
    return "".join(char if char.isprintable() or char == "\t" else "�" for char in line)


def _interrupt_on_sigterm() -> Any:
    """A supervisor's SIGTERM ends the run as Ctrl-C does; the handler before, None if it stays."""
    before = signal.getsignal(signal.SIGTERM)
    if before is not signal.SIG_DFL:
        return None

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    signal.signal(signal.SIGTERM, interrupt)
    return before
