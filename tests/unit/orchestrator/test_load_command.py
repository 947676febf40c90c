"""What `testnet load` takes and prints; what it does is in the integration tests."""

from __future__ import annotations

import argparse
import json

import pytest

from orchestrator.cli import load as command
from orchestrator.cli.arguments import parse
from orchestrator.cli.network import chosen
from orchestrator.errors import CheckFailed, UsageError
from orchestrator.ops import Observed, ObservedNode
from orchestrator.traffic.calls import Calls
from orchestrator.traffic.jobs import Job
from orchestrator.traffic.loads import HttpLoad, VoipLoad
from orchestrator.traffic.requests import Requests
from orchestrator.traffic.telling import short
from tests.unit.orchestrator import loopback

HTTP = HttpLoad(20, 100.0, ("alice",), "web", 8080, "/big", 10.0, 30.0)
VOIP = VoipLoad(2, ("alice",), ("web",), None)


@pytest.fixture
def jobs(monkeypatch: pytest.MonkeyPatch) -> list[Job]:
    """One of each, with the figures that their programs write."""
    network, _ = loopback.network(monkeypatch)
    requests, calls = Requests(network, HTTP), Calls(network, VOIP)
    requests.arrived = 3
    requests.failures["timeout"] = 1
    requests.response.add(20_000)
    requests.service.add(10_000)
    one = Job("http-1", HTTP, 1.0, None, "stopped", 2.5, requests.figures(2.5))
    other = Job("voip-2", VOIP, 2.0, 4711, "", 1.5, calls.figures(1.5))
    return [one, other]


def shown(jobs: list[Job], capsys: pytest.CaptureFixture[str], as_json: bool = False) -> str:
    command._show(argparse.Namespace(json=as_json), jobs)
    return capsys.readouterr().out


def test_figures_are_printed_with_their_cause(
    jobs: list[Job], capsys: pytest.CaptureFixture[str]
) -> None:
    first, counts, cause, head, response, *rest = shown(jobs, capsys).splitlines()
    assert first.endswith("alice to http://web:8080/big for 30.0 s; ended after 2.50 s: stopped")
    assert counts.strip().startswith("3 requests: 1 answered, 1 failed, 1 on their way; 0.4 ")
    assert cause.strip() == "1 × timeout"
    assert head.split() == ["ms", "p50", "p90", "p95", "p99", "p999", "max"]
    assert response.split() == ["response", *["20.00"] * 6]
    assert rest[1] == "voip-2: 2 calls, alice ↔ web; running for 1.50 s"
    assert rest[-1].split() == ["lateness", *["-"] * 6]  # nothing was sent yet


def test_json_has_everything(jobs: list[Job], capsys: pytest.CaptureFixture[str]) -> None:
    one, other = json.loads(shown(jobs, capsys, as_json=True))
    assert (one["kind"], one["running"], one["ended"]) == ("http", False, "stopped")
    assert one["load"]["timeout_s"] == 10.0
    assert one["figures"]["response"]["count"] == 1
    assert (other["kind"], other["running"], other["ended"]) == ("voip", True, None)


def test_a_line_for_each_in_the_list(jobs: list[Job]) -> None:
    assert short(jobs[0]) == "1 answered, 1 failed, p50 20.0 ms, p95 20.0 ms"
    assert short(jobs[1]) == "0 talking, 0.00 % lost, no delays yet"


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        (["load"], "the following arguments are required: VERB"),
        (["load", "http", "--rps", "0"], "'0': more than 0 and at most 10000 a second"),
        (["load", "http", "--rps", "many"], "'many': more than 0"),
        (["load", "http", "--clients", "0"], "there must be at least 1"),
        (["load", "http", "--clients", "1001"], "1001 clients: at most 1000"),
        (["load", "http", "--port", "65536"], "at most 65535"),
        (["load", "http", "--for", "10"], "'10' is not a duration"),
        (["load", "voip", "--calls", "501"], "501 calls: at most 500"),
    ],
)
def test_bad_usage_ends_with_2_and_a_reason(
    argv: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as caught:
        parse(argv)
    assert caught.value.code == 2
    assert message in capsys.readouterr().err


def observed(**roles: str) -> Observed:
    return Observed(
        True, {name: ObservedNode("", "10.77.0.1", {"role": role}) for name, role in roles.items()}
    )


def begun(monkeypatch: pytest.MonkeyPatch, found: Observed, *words: str) -> HttpLoad | VoipLoad:
    """What a command would start on a network with these nodes."""
    _, backend = loopback.network(monkeypatch)
    started: list[HttpLoad | VoipLoad] = []
    monkeypatch.setattr(command, "observed_network", lambda _: (chosen("net"), backend, found))
    monkeypatch.setattr(command, "_number", lambda _: "f00d")

    def start(_places: object, _number: str, load: HttpLoad | VoipLoad) -> str:
        started.append(load)
        return "x-1"

    monkeypatch.setattr(command, "start", start)
    arguments = parse(["load", *words])
    assert arguments.load()(arguments) == 0
    return started[0]


def test_all_clients_begin_unless_some_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    found = observed(alice="client", bob="client", web="service", r1="router")
    assert begun(monkeypatch, found, "voip").callers == ("alice", "bob")
    assert begun(monkeypatch, found, "voip", "--from", "web", "--to", "r1").callers == ("web",)
    load = begun(monkeypatch, found, "http", "--to", "shop.loki", "--path", "/x")
    assert load == HttpLoad(10, 10.0, ("alice", "bob"), "shop.loki", 80, "/x", 10.0, None)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("http",), "no service of the network runs nginx: name a host with --to"),
        (("http", "--to", "web", "--path", "x"), "--path 'x' does not begin with /"),
        (("http", "--to", "nobody"), "no node 'nobody'"),
        (("voip", "--to", "alice"), "alice is a client, which nobody can find"),
        (("voip", "--from", "web"), "web has nobody to call"),
    ],
)
def test_what_makes_no_sense_is_refused(
    monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...], message: str
) -> None:
    with pytest.raises(UsageError, match=message):
        begun(monkeypatch, observed(alice="client", web="service"), *words)


def test_a_network_without_clients_or_loads_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UsageError, match="the network has no client: name nodes"):
        begun(monkeypatch, observed(web="service"), "voip")
    monkeypatch.setattr(command, "_places", lambda _: chosen("net"))
    monkeypatch.setattr(command, "_jobs", lambda _: [])
    with pytest.raises(CheckFailed, match="has had no load"):
        command.report(parse(["load", "report"]))
