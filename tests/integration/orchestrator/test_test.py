"""`testnet test`: exit codes, output and reports, on a network of stand-in nodes.

Faults that turn these red: a check that always holds; no tests taken for success; the exit code of
the last test instead of any; a report written before the tests; rounds
go on after a failure that is to end them.
"""

from __future__ import annotations

import json
import xml.etree.ElementTree as ElementTree
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.orchestrator.command import SMALL, Testnet, new_testnet, until

pytestmark = pytest.mark.integration

TESTS = """\
tests:
  - {http: {from: alice, to: web, contains: It works}, name: the page, eventually: 10s}
  - {dns: {from: alice, name: web}, eventually: 10s}
  - dns: {from: alice, name: nobody.loki, rcode: NXDOMAIN}
"""


@pytest.fixture(scope="module")
def tested(standin_packages: Path) -> Iterator[Testnet]:
    """A network whose topology has tests that hold."""
    with new_testnet(standin_packages) as net:
        result = net.run("up", net.configure(SMALL + TESTS))
        assert result.returncode == 0, result.stderr
        yield net
        assert net.run("down").returncode == 0
        assert net.leftovers() == []


def test_the_tests_of_the_network_that_is_up_are_run(tested: Testnet) -> None:
    result = tested.run("test")
    assert result.returncode == 0, result.stdout + result.stderr
    lines = result.stdout.splitlines()
    assert lines[0].startswith("ok    the page: 200, ")
    assert lines[1].startswith("ok    dns alice: A web: NOERROR A 10.77.")
    assert lines[-1] == "3 of 3 tests held"


def test_some_are_picked_and_listed(tested: Testnet) -> None:
    assert tested.run("test", "--list").stdout.splitlines() == [
        "the page",
        "dns alice: A web",
        "dns alice: A nobody.loki",
    ]
    picked = tested.run("test", "-k", "dns and not nobody", "--json")
    data = json.loads(picked.stdout)
    assert (picked.returncode, data["passed"], data["failed"]) == (0, 1, 0)
    assert [(row["name"], row["held"]) for row in data["tests"]] == [("dns alice: A web", True)]


def test_no_tests_are_a_usage_error(tested: Testnet) -> None:
    none = tested.run("test", "-k", "moon")
    assert (none.returncode, none.stdout) == (2, "")
    assert "no test matches 'moon': there are the page, dns alice: A web" in none.stderr
    bare = tested.root / "bare.yaml"
    bare.write_text(SMALL)
    empty = tested.run("test", str(bare))
    assert (empty.returncode, empty.stdout) == (2, "")
    assert "the topology has no tests" in empty.stderr


def test_what_does_not_hold_ends_with_1_and_is_told(tested: Testnet) -> None:
    other = tested.root / "other.yaml"
    other.write_text(
        f"{SMALL}tests:\n"
        "  - http: {from: alice, to: web, contains: It is broken}\n"
        "  - dns: {from: alice, name: web, rcode: SERVFAIL}\n"
        "  - dns: {from: alice, name: web}\n"
    )
    report = tested.root / "report.xml"
    result = tested.run("test", str(other), "--junit", str(report))
    assert result.returncode == 1
    lines = result.stdout.splitlines()
    assert lines[0].startswith("FAIL  http alice → web (")
    assert lines[1].startswith("      expected 200 from http://")
    assert lines[1].endswith(" with 'It is broken' in it")
    assert lines[2].startswith("      saw      200, ")
    assert "It works: web" in lines[2]
    assert lines[-1] == "1 of 3 tests held"
    suite = ElementTree.parse(report).getroot()[0]
    assert (suite.attrib["tests"], suite.attrib["failures"]) == ("3", "2")
    assert [len(case.findall("failure")) for case in suite] == [1, 1, 0]


def test_eventually_waits_for_what_comes_later(tested: Testnet) -> None:
    page = tested.state / "small/nodes/web/nginx/www/later.html"
    later = tested.root / "later.yaml"
    check = "http: {from: alice, to: web, path: /later.html, contains: here}"
    later.write_text(f"{SMALL}tests:\n  - {{{check}, eventually: 20s}}\n")
    process = tested.start("test", str(later), "--json")
    log = tested.state / "small/nodes/web/nginx/access.log"
    until("it was asked for in vain", lambda: "/later.html" in log.read_text())
    page.write_text("here")
    out, _ = process.communicate(timeout=30)
    assert process.returncode == 0
    assert json.loads(out)["tests"][0]["tries"] > 1


def test_a_report_that_cannot_be_written_and_a_network_that_is_not_up(
    tested: Testnet, testnet: Testnet
) -> None:
    nowhere = tested.run("test", "--junit", "/nowhere/report.xml")
    assert (nowhere.returncode, nowhere.stdout) == (2, "")
    assert "cannot write /nowhere/report.xml: No such file or directory" in nowhere.stderr
    down = testnet.run("test")
    assert down.returncode == 1
    assert "no network is up" in down.stderr


def test_a_report_that_is_asked_for_is_written_when_all_is_green(tested: Testnet) -> None:
    out = tested.root / "green"
    words = ("test", "-k", "dns", "--json", "--report", str(out))
    result = tested.run(*words)
    assert result.returncode == 0, result.stderr
    assert json.loads(result.stdout)["report"] == str(out / "index.html")
    said = json.loads((out / "report.json").read_text())
    assert [(row["name"], row["held"]) for row in said["tests"]] == [
        ("dns alice: A web", True),
        ("dns alice: A nobody.loki", True),
    ]
    again = tested.run(*words)
    assert (again.returncode, again.stdout) == (2, "")
    assert f"{out} is in the way: name a new or an empty directory" in again.stderr


def test_rounds_end_with_the_first_that_fails_if_that_is_wanted(tested: Testnet) -> None:
    other = tested.root / "rounds.yaml"
    other.write_text(
        f"{SMALL}tests:\n"
        "  - dns: {from: alice, name: web}\n"
        "  - dns: {from: alice, name: web, rcode: SERVFAIL}\n"
    )
    words = ("test", str(other), "--repeat", "2", "--json", "--no-report")
    data = json.loads(tested.run(*words).stdout)
    assert (data["passed"], data["failed"], data["not_run"]) == (2, 2, 0)
    assert [row["round"] for row in data["tests"]] == [1, 1, 2, 2]
    fast = tested.run(*words, "--fail-fast")
    data = json.loads(fast.stdout)
    assert (fast.returncode, data["passed"], data["failed"], data["not_run"]) == (1, 1, 1, 2)
    none = tested.run("test", "--repeat", "0")
    assert (none.returncode, none.stdout) == (2, "")
    assert "0 rounds: there must be at least 1" in none.stderr
