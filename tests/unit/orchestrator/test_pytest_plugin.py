"""The plugin's rules, on small suites of their own; networks are made and removed in writing only.

The real thing from a wheel is in tests/integration/plugin/.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

pytest_plugins = ["pytester"]

STAND_IN = """
import os
from pathlib import Path
from orchestrator import errors
from orchestrator.testing import factory, reports

BOOK = Path(os.environ["BOOK"])

def write(line):
    with BOOK.open("a") as file:
        file.write(line + "\\n")

def up(places, definition, wanted):
    write(f"up {Path(definition.file).name} {wanted.backend} {wanted.keep_on_failure}")
    if wanted.reported_as:
        write(f"reported {wanted.reported_as}")
    if kind := os.environ.get("UP_FAILS"):
        raise getattr(errors, kind)("no tun here: `modprobe tun`")
    write(f"name {places.name}")

def down(places):
    write(f"down {places.name}")
    if os.environ.get("DOWN_FAILS"):
        raise errors.Leftovers(f"still there after down: {places.name}")

def write_report(network, test, seen, told, seconds):
    write(f"report {network.name} {test} {seen}")
    return None if os.environ.get("REPORT_FAILS") else Path("/there/index.html")

class Backend:
    def observe(self):
        raise errors.CheckFailed("the network is gone")

    def close(self):
        pass

factory.brought_up = up
factory.brought_down = down
reports.write_report = write_report
factory.open_backend = lambda places: Backend()
"""
MINE = "name: mine\nhops: 1\nnodes:\n  router: {role: router, count: 2}\n"
MINIMAL = "import pytest\npytestmark = pytest.mark.testnet(topology='minimal')\n"


class Suite:
    """A folder of tests and what the stand-in wrote down."""

    def __init__(self, pytester: pytest.Pytester) -> None:
        self.pytester = pytester
        self.book = pytester.path / "book"
        pytester.makeconftest(STAND_IN)

    def run(self, *arguments: str) -> pytest.RunResult:
        """In a process of its own, with this plugin and no other, installed or not."""
        return self.pytester.runpytest_subprocess("-p", "orchestrator.pytest_plugin", *arguments)

    def lines(self, word: str) -> list[str]:
        text = self.book.read_text() if self.book.exists() else ""
        return [line.partition(" ")[2] for line in text.splitlines() if line.startswith(f"{word} ")]


@pytest.fixture
def suite(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> Iterator[Suite]:
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parents[3]))
    monkeypatch.setenv("XDG_STATE_HOME", str(pytester.path / "state"))
    monkeypatch.setenv("XDG_RUNTIME_DIR", "/run/short")  # nothing is made there
    monkeypatch.delenv("CI", raising=False)
    made = Suite(pytester)
    monkeypatch.setenv("BOOK", str(made.book))
    # who was deaf to Ctrl-C before (a command called in this process) has deaf children
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield made
    signal.signal(signal.SIGINT, before)


def test_each_topology_is_brought_up_once_and_all_are_removed(suite: Suite) -> None:
    folder = suite.pytester.mkdir("deep")
    (folder / "mine.yaml").write_text(MINE)
    (folder / "test_deep.py").write_text(
        "import pytest\n"
        "@pytest.mark.testnet(topology='mine.yaml')\ndef test_a(testnet): pass\n"
        "@pytest.mark.testnet(topology='./mine.yaml')\ndef test_b(testnet): pass\n"
        "def test_c(testnet): pass\n"
        "def test_d(testnet_factory): assert testnet_factory.up('default').name\n"
    )
    suite.pytester.makepyfile(MINIMAL + "def test_x(testnet): pass\ndef test_y(testnet): pass\n")
    suite.run().assert_outcomes(passed=6)
    ups = [line.split()[0] for line in suite.lines("up")]
    assert sorted(ups) == ["default.yaml", "mine.yaml", "minimal.yaml"]
    assert sorted(suite.lines("down")) == sorted(suite.lines("name"))
    assert len(set(suite.lines("name"))) == 3


def test_an_unfit_machine_skips_with_the_fix_and_fails_in_ci(
    suite: Suite, monkeypatch: pytest.MonkeyPatch
) -> None:
    suite.pytester.makepyfile(MINIMAL + "def test_x(testnet): pass\n")
    monkeypatch.setenv("UP_FAILS", "HostUnfit")
    result = suite.run("-rs")
    result.assert_outcomes(skipped=1)
    result.stdout.fnmatch_lines(["SKIPPED*testnet: no tun here: `modprobe tun`"])
    monkeypatch.setenv("CI", "true")
    result = suite.run()
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["*a failure in CI: no tun here: `modprobe tun`"])


def test_what_did_not_come_up_is_told_as_the_command_does_and_not_tried_again(
    suite: Suite, monkeypatch: pytest.MonkeyPatch
) -> None:
    suite.pytester.makepyfile(MINIMAL + "def test_x(testnet): pass\ndef test_y(testnet): pass\n")
    monkeypatch.setenv("UP_FAILS", "NotReady")
    result = suite.run()
    result.assert_outcomes(errors=2)
    result.stdout.fnmatch_lines(["testnet: no tun here: `modprobe tun`"])
    assert "Traceback" not in result.stdout.str()
    assert "pytest_plugin.py" not in result.stdout.str()
    assert len(suite.lines("up")) == 1
    assert suite.lines("down") == []


def test_a_bad_topology_is_told_with_file_and_line(suite: Suite) -> None:
    (suite.pytester.path / "bad.yaml").write_text("name: bad\nnode: {}\n")
    suite.pytester.makepyfile(
        "import pytest\n"
        "@pytest.mark.testnet(topology='bad.yaml')\ndef test_x(testnet): pass\n"
        "@pytest.mark.testnet(topology='minimale')\ndef test_y(testnet): pass\n"
    )
    result = suite.run()
    result.assert_outcomes(errors=2)
    result.stdout.fnmatch_lines(
        ["testnet: */bad.yaml:1: *", "*/bad.yaml:2: *'node'*", "testnet: no topology 'minimale'*"]
    )
    assert "another exception" not in result.stdout.str()
    assert suite.lines("up") == []


@pytest.mark.parametrize("words", ["'minimal'", "topologie='minimal'", "topology=3"])
def test_a_mark_that_makes_no_sense_is_refused(suite: Suite, words: str) -> None:
    suite.pytester.makepyfile(
        f"import pytest\n@pytest.mark.testnet({words})\ndef test_x(testnet): pass\n"
    )
    result = suite.run("--strict-markers")
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["testnet: a mark is written @pytest.mark.testnet(topology=*"])
    assert suite.lines("up") == []


def test_the_backend_is_passed_on(suite: Suite) -> None:
    suite.pytester.makepyfile(MINIMAL + "def test_x(testnet): pass\n")
    suite.run("--testnet-backend=docker").assert_outcomes(passed=1)
    assert suite.lines("up") == ["minimal.yaml docker False"]


def test_a_report_is_written_of_each_network_once_if_that_is_wanted(
    suite: Suite, monkeypatch: pytest.MonkeyPatch
) -> None:
    (suite.pytester.path / "mine.yaml").write_text(MINE)
    suite.pytester.makepyfile(
        MINIMAL + "def test_good(testnet): pass\n"
        "def test_bad(testnet): assert 1 == 2\n"
        "def test_worse(testnet): assert 2 == 3\n"
        "@pytest.mark.testnet(topology='mine.yaml')\ndef test_other(testnet): raise OSError\n"
        "def test_of_no_network(): assert 0\n"
    )
    result = suite.run("--testnet-report")
    result.assert_outcomes(passed=1, failed=4)
    first, second = (line.split(" ", 1) for line in suite.lines("report"))
    assert [first[0], second[0]] == suite.lines("name")
    assert first[1].endswith("test_bad assert 1 == 2")
    assert second[1].endswith("test_other OSError")
    assert suite.lines("reported") == ["pytest", "pytest"]
    assert result.stdout.str().count("/there/index.html") == 2
    suite.book.unlink()
    suite.run().assert_outcomes(passed=1, failed=4)
    assert suite.lines("report") == suite.lines("reported") == []
    monkeypatch.setenv("REPORT_FAILS", "yes")
    assert "testnet report" not in suite.run("--testnet-report").stdout.str()


def test_kept_networks_stay_and_are_found_again(suite: Suite) -> None:
    suite.pytester.makepyfile(MINIMAL + "def test_x(testnet): pass\n")
    for _ in range(2):
        result = suite.run("--testnet-keep")
        result.assert_outcomes(passed=1)
    suite.run().assert_outcomes(passed=1)
    first, second, own = suite.lines("name")
    assert first == second != own
    assert suite.lines("down") == [own]
    assert suite.lines("up")[0] == "minimal.yaml None True"
    result.stdout.fnmatch_lines([f"testnet: {first} is up: `testnet down -n {first}` removes it"])


@pytest.mark.parametrize("number", ["SIGINT", "SIGTERM"])
def test_who_is_interrupted_removes_them_too(suite: Suite, number: str) -> None:
    suite.pytester.makepyfile(
        f"import os, signal\n{MINIMAL}"
        f"def test_x(testnet): os.kill(os.getpid(), signal.{number}); signal.pause()\n"
        "def test_y(testnet): pass\n"
    )
    assert suite.run().ret == pytest.ExitCode.INTERRUPTED
    assert suite.lines("down") == suite.lines("name") != []


def test_what_cannot_be_removed_is_an_error_and_the_others_are_removed(
    suite: Suite, monkeypatch: pytest.MonkeyPatch
) -> None:
    (suite.pytester.path / "mine.yaml").write_text(MINE)
    suite.pytester.makepyfile(
        MINIMAL + "def test_x(testnet): pass\n"
        "@pytest.mark.testnet(topology='mine.yaml')\ndef test_y(testnet): pass\n"
    )
    monkeypatch.setenv("DOWN_FAILS", "yes")
    result = suite.run()
    result.assert_outcomes(passed=2, errors=1)
    names = suite.lines("name")
    assert suite.lines("down") == names
    result.stdout.fnmatch_lines([f"testnet: still there after down: {name}" for name in names])


def test_a_forked_child_removes_nothing(suite: Suite) -> None:
    suite.pytester.makepyfile(
        f"import os\n{MINIMAL}"
        "def test_x(testnet, testnet_factory):\n"
        "    child = os.fork()\n"
        "    if child == 0:\n"
        "        testnet_factory.down()\n"
        "        os._exit(0)\n"
        "    os.waitpid(child, 0)\n"
        "    assert testnet_factory.names() == [testnet.name]\n"
    )
    suite.run().assert_outcomes(passed=1)
    assert len(suite.lines("down")) == 1


def test_who_wants_no_network_imports_nothing_of_it(
    pytester: pytest.Pytester, suite: Suite
) -> None:
    (pytester.path / "conftest.py").unlink()
    pytester.makepyfile(
        "import sys\n"
        "def test_x():\n"
        "    ours = {name for name in sys.modules if name.startswith('orchestrator')}\n"
        "    assert ours == {'orchestrator', 'orchestrator.pytest_plugin'}\n"
        "    assert 'pydantic' not in sys.modules\n"
    )
    suite.run().assert_outcomes(passed=1)
    assert os.environ["BOOK"] == str(suite.book)
