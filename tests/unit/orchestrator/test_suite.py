"""Which tests are meant, and results as JUnit's XML."""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree

import pytest

from orchestrator.checklist import Expectation
from orchestrator.checks import Held
from orchestrator.checks.junit import junit
from orchestrator.checks.needs import missing_needs
from orchestrator.checks.suite import Result, chosen_tests, rounds
from orchestrator.checks.verdict import failed, held, missing
from orchestrator.errors import UsageError


def expectation(kind: str, **words: object) -> Expectation:
    return Expectation.model_validate({kind: words})


PAGE = expectation("http", **{"from": "alice", "to": "web"})
NAME = expectation("dns", **{"from": "bob", "name": "web.loki"})
ECHO = expectation("udp-echo", **{"from": "bob", "to": "web"})
ALL = [PAGE, NAME, ECHO]


@pytest.mark.parametrize(
    ("expression", "chosen"),
    [
        (None, ALL),
        ("web", ALL),
        ("WEB", ALL),
        ("http", [PAGE]),
        ("udp-echo", [ECHO]),
        ("bob and not dns", [ECHO]),
        ("http or dns", [PAGE, NAME]),
        ("not (http or dns)", [ECHO]),
        ("bob and (http or dns)", [NAME]),
        ("http or dns and bob", [PAGE, NAME]),
        ("not not http", [PAGE]),
    ],
)
def test_words_pick_tests(expression: str | None, chosen: list[Expectation]) -> None:
    assert chosen_tests(ALL, expression) == chosen


@pytest.mark.parametrize("expression", ["", "(", "http and", "not", "http dns", "(a", "a)", "and"])
def test_an_expression_that_is_none_is_a_usage_error(expression: str) -> None:
    with pytest.raises(UsageError, match="cannot be read: write words with and, or, not"):
        chosen_tests(ALL, expression)


def test_no_tests_are_an_error_never_a_success() -> None:
    with pytest.raises(UsageError, match="the topology has no tests") as caught:
        chosen_tests([], None)
    assert caught.value.exit_code == 2
    with pytest.raises(UsageError, match=r"no test matches 'moon': there are http alice → web, d"):
        chosen_tests(ALL, "moon")


def test_junit_has_a_case_for_each_and_the_reason_of_each_failure() -> None:
    results = [
        Result(PAGE, Held(held("200", "200, <b>&", rtt_ms=17.6), 0.5, 1)),
        Result(NAME, Held(failed("NOERROR", "SERVFAIL \x1b<x>"), 1.25, 3)),
    ]
    suite = ElementTree.fromstring(junit("net", results))[0]
    assert {key: suite.attrib[key] for key in ("name", "tests", "failures", "time")} == {
        "name": "net",
        "tests": "2",
        "failures": "1",
        "time": "1.750",
    }
    first, second = suite
    assert first.attrib == {"classname": "net.http", "name": "http alice → web", "time": "0.500"}
    assert first.findtext("system-out") == "200, <b>&"
    assert [each.attrib for each in first.iter("property")] == [{"name": "rtt_ms", "value": "17.6"}]
    assert list(second.iter("property")) == []
    failure = second.find("failure")
    assert failure is not None
    assert failure.text == "expected NOERROR\nsaw      SERVFAIL �<x>"


def test_what_is_missing_is_skipped_and_fails_in_ci(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CI", raising=False)
    result = Result(PAGE, Held(missing("a page", "no browser", "`get one`"), 0.1, 1))
    suite = ElementTree.fromstring(junit("net", [result]))[0]
    assert (suite.get("failures"), suite.get("skipped")) == ("0", "1")
    assert [skip.get("message") for skip in suite.iter("skipped")] == ["no browser: `get one`"]
    monkeypatch.setenv("CI", "true")
    result = Result(PAGE, Held(missing("a page", "no browser", "`get one`"), 0.1, 1))
    suite = ElementTree.fromstring(junit("net", [result]))[0]
    assert (suite.get("failures"), suite.get("skipped")) == ("1", "0")


def test_what_is_needed_is_named_with_the_command_that_gets_it() -> None:
    assert missing_needs("x", {"sh": "dash"}, "voip", ["json"]) is None
    found = missing_needs("x", {"sh": "dash", "no-such": "pack"}, "voip", ["no_such_module"])
    assert found is not None
    assert found.seen == (
        "there is no program no-such, no Python module no_such_module here: `apt-get install "
        "--no-install-recommends pack` and `pip install 'lokinet-testnet[voip]'`"
    )


def test_rounds_are_as_they_stand_or_shuffled_by_a_seed() -> None:
    assert rounds(ALL, 2) == [(1, test) for test in ALL] + [(2, test) for test in ALL]
    shuffled = rounds(ALL, 20, seed=7)
    assert shuffled == rounds(ALL, 20, seed=7)
    assert shuffled != rounds(ALL, 20, seed=8)
    orders = {tuple(t.title for n, t in shuffled if n == number) for number in range(1, 21)}
    assert len(orders) > 1
    assert {frozenset(order) for order in orders} == {frozenset(t.title for t in ALL)}


def test_junit_tells_rounds_and_the_seed() -> None:
    good = Held(held("a page", "200"), 0.5, 1)
    suite = ElementTree.fromstring(junit("net", [Result(PAGE, good), Result(PAGE, good, 2)], 7))[0]
    assert [case.get("name") for case in suite.iter("testcase")] == [
        PAGE.title,
        f"{PAGE.title} (round 2)",
    ]
    (seed,) = suite.iter("property")
    assert (seed.get("name"), seed.get("value")) == ("seed", "7")
