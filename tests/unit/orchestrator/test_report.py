"""What a report says first, what it never says, and that nobody's text gets out of its place."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from orchestrator.checks.exhibits import series
from orchestrator.definition import Definition
from orchestrator.directories import Places
from orchestrator.errors import Missing, UsageError
from orchestrator.ops import Observed
from orchestrator.readiness.layers import Judgement, Layer
from orchestrator.report.evidence import Evidence, gather
from orchestrator.report.folder import VARIABLE, place_for, summary, write_folder
from orchestrator.report.history import history_of
from orchestrator.report.occasion import Occasion, Subject
from orchestrator.report.page import render_page
from orchestrator.report.redact import REMOVED, Redactor, key_values, token_values
from orchestrator.report.tried import TriedTest, place_of, within_bounds
from orchestrator.report.troubles import Act
from orchestrator.report.witness import Witness
from tests.unit.orchestrator.people import address, observed, statuses

HOSTILE = '"><script>alert(1)</script><img src=http://198.51.100.1/x>\x1b[2J\u202e'
TOKEN = "a-token-of-an-exit"
TOPOLOGY = f"""
name: net
hops: 2
nodes:
  router: {{role: router, count: 3}}
  out: {{role: exit, tokens: [{TOKEN}]}}
  shop: {{role: server}}
  alice: {{role: client, exits: [{{exit: out, token: {TOKEN}}}]}}
"""
KEY = bytes(range(64))
STOP = Act(100.0, "SignalProcess process:r1/lokinet", "signal 19")


class Backend:
    """A network that can only be looked at."""

    def __init__(self, logs: Mapping[str, Mapping[str, str]]) -> None:
        self.seen = observed()
        self._logs = logs

    def observe(self) -> Observed:
        return self.seen

    def logs(self, node: str) -> Mapping[str, str]:
        return self._logs.get(node, {})


@pytest.fixture
def places(tmp_path: Path) -> Places:
    """Of a network on the disk, with keys."""
    found = Places("net", tmp_path / "state" / "net", tmp_path / "run" / "net")
    for node in ("r1", "alice"):
        found.node(node).mkdir(parents=True)
    (found.node("r1") / "identity.key").write_bytes(b"64:" + KEY)
    return found


def gathered(
    monkeypatch: pytest.MonkeyPatch,
    places: Places,
    log: str = "",
    said: dict[str, dict[str, Any]] | None = None,
    occasion: Occasion | None = None,
) -> Evidence:
    """Everything of a network in which r1 is silent and alice writes `log`."""
    shown = statuses() if said is None else said
    shown.pop("r1", None)

    def told(_ways: object, _node: str, control: str) -> dict[str, Any]:
        if control not in shown:
            raise_silent(control)
        return {"lokiAddress": address(control), "numPeersConnected": 1, **shown[control]}

    monkeypatch.setattr("orchestrator.census.full_status", told)
    path = places.node("alice") / "lokinet.log"
    path.write_text(log, encoding="utf-8")
    backend: Any = Backend({"alice": {"lokinet": str(path)}})
    definition = Definition(TOPOLOGY, "net.yaml")
    subject = Subject(places, backend, "running", definition, None, lambda _: {})
    return gather(subject, occasion or Occasion("testnet wait"), Witness(backend))


def raise_silent(control: str) -> None:
    from orchestrator.errors import CheckFailed

    raise CheckFailed(f"/run/net/{control}.sock: no answer to llarp.status: timed out")


def test_the_lowest_layer_comes_first_whatever_the_wait_said(
    monkeypatch: pytest.MonkeyPatch, places: Places
) -> None:
    wait = Missing("alice → web", "port answers", "no answer", "")
    evidence = gathered(monkeypatch, places, occasion=Occasion("testnet wait", "late", [wait]))
    first, *_, last = evidence.troubles
    assert (first.layer, first.subject) == ("control socket", "r1")
    assert first.seen == "no answer to llarp.status: timed out"
    assert (last.layer, last.subject) == ("port answers", "alice → web")
    page = render_page(evidence)
    assert '<dd id="layer">control socket</dd>' in page
    assert '<dd id="node">r1</dd>' in page


def test_a_witness_knows_between_which_looks_who_fell_ill(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    shown = statuses()
    monkeypatch.setattr(
        "orchestrator.census.full_status",
        lambda _ways, _node, control: {
            "lokiAddress": address(control),
            "networkReady": True,
            "numPeersConnected": 2,
            **shown[control],
        },
    )
    backend: Any = Backend({})
    now = iter([10.0, 20.0, 30.0, 40.0])
    witness = Witness(backend, clock=lambda: next(now))
    witness.look()
    assert witness.illnesses == {}
    backend.seen = observed(exit_code=-9)
    witness.look()
    witness.look()
    illness = witness.illnesses["r1"]
    assert (illness.well_at, illness.seen_at) == (10.0, 20.0)
    assert illness.judgement == Judgement(Layer.PROCESS, "lokinet was killed by signal 9")
    assert (witness.events[0].after, witness.events[0].by) == (10.0, 20.0)
    backend.seen = observed()
    witness.look()
    assert witness.illnesses == {}


def test_no_key_token_or_path_id_is_in_any_file(
    monkeypatch: pytest.MonkeyPatch, places: Places, tmp_path: Path
) -> None:
    said = statuses()
    said["alice"] |= {"authCodes": {"::/0": "a-code"}, "path_id": "00ff00ff", "note": TOKEN}
    secrets = [TOKEN, KEY.hex(), KEY[:32].hex(), KEY[32:].hex(), "a-code", "00ff00ff", "c0ffee00"]
    log = "".join(
        f"2026-11-22T09:09:20.000Z info path.lost {words}\n"
        for words in (f"key={KEY[:32].hex()}", "path_id=c0ffee00", f"reason={TOKEN}", 'token: "x7"')
    )
    test = TriedTest(
        f"http {TOKEN}",
        has_held=False,
        expected="200",
        seen=f"Authorization: Bearer {TOKEN}",
        at=1.0,
        seconds=0.1,
        exhibits={"page.txt": f"token={TOKEN}".encode(), "key.json": KEY.hex().encode()},
    )
    happened = Occasion("testnet test", f"token={TOKEN}", (), [test])
    page = write_folder(gathered(monkeypatch, places, log, said, happened), tmp_path / "out")
    texts = {path: path.read_text() for path in page.parent.rglob("*") if path.is_file()}
    found = [(path, word) for path, text in texts.items() for word in secrets if word in text]
    assert found == []
    assert texts[page].count(REMOVED) > 4
    assert "x7" not in texts[page]
    assert not list(page.parent.rglob("*.key"))


def test_exhibits_are_files_and_those_of_failures_come_first(
    monkeypatch: pytest.MonkeyPatch, places: Places, tmp_path: Path
) -> None:
    good = TriedTest("voip: alice → bob", True, "e", "s", 2.0, 1.0, figures={"mos": 4.4})
    bad = TriedTest("the page", False, "e", "s", 3.0, 1.0)
    tests = [
        replace(good, exhibits={"heard.wav": b"RIFF" * 4, "bob.png": b"png"}),
        replace(bad, exhibits={"page.png": b"12345678"}),
    ]
    skipped = TriedTest("a call", False, "baresip", "baresip is missing", 4.0, 0.0, is_skipped=True)
    happened = Occasion("testnet test", tests=[*tests, skipped])
    page = write_folder(gathered(monkeypatch, places, occasion=happened), tmp_path / "out")
    folder = page.parent / "exhibits"
    text = page.read_text()
    assert "1 of 3 tests held, 1 skipped." in text
    assert "mos 4.4" in text
    assert '<audio controls src="data:audio/wav;base64,UklGR' in text
    assert (folder / "01-voip-alice-bob" / "heard.wav").read_bytes() == b"RIFF" * 4
    assert (folder / "02-the-page" / "page.png").stat().st_mode & 0o777 == 0o600
    said = json.loads((page.parent / "report.json").read_text())
    assert [(row["name"], row["held"]) for row in said["tests"]] == [
        ("voip: alice → bob", True),
        ("the page", False),
        ("a call", False),
    ]
    assert [row["skipped"] for row in said["tests"]] == [False, False, True]
    assert said["tests"][0]["exhibits"] == [
        "exhibits/01-voip-alice-bob/heard.wav",
        "exhibits/01-voip-alice-bob/bob.png",
    ]
    assert said["tests"][0]["figures"] == {"mos": 4.4}
    assert said["troubles"][-1]["who"] == "the page"
    assert [list(each.exhibits) for each in within_bounds(tests, most=20)] == [[], ["page.png"]]
    assert place_of(3, replace(good, title="→")) == "exhibits/03-test"


def test_values_of_secrets_are_found_where_they_are_kept(places: Places) -> None:
    assert {KEY.hex(), KEY[:32].hex(), KEY[32:].hex()} <= set(key_values(places.state))
    data = {"nodes": {"out": {"tokens": ["one-1", "two-2"], "count": 3}, "a": [{"token": "x"}]}}
    assert list(token_values(data)) == ["one-1", "two-2", "x"]
    redactor = Redactor(["one-1"])
    assert redactor.data({"one-1": ["one-1"], "secret": {"a": 1}, "psk": None}) == {
        REMOVED: [REMOVED],
        "secret": REMOVED,
        "psk": None,
    }
    assert redactor.text("paths=6 tokens=4 seed: 9") == f"paths=6 tokens={REMOVED} seed: {REMOVED}"
    of_murmurd = "1 => Password for 'SuperUser' set to '{}'"
    assert redactor.text(of_murmurd.format("jtzkNVdnY3Ud")) == of_murmurd.format(REMOVED)


class Page(HTMLParser):
    """Elements, and everything that could load or run something."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.active: list[tuple[str, str]] = []
        self.policy = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        known = dict(attrs)
        if known.get("http-equiv") == "Content-Security-Policy":
            self.policy = known.get("content") or ""
        for name, value in attrs:
            if (
                name in ("src", "href", "xlink:href", "srcdoc", "action", "style")
                or name[:2] == "on"
            ):
                self.active.append((tag, f"{name}={value}"))


def test_nothing_hostile_gets_out_and_nothing_is_loaded(
    monkeypatch: pytest.MonkeyPatch, places: Places
) -> None:
    said = statuses()
    said["alice"]["services"]["default"]["paths"][0]["purpose"] = HOSTILE
    said["r3"]["links"][0]["state"] = HOSTILE
    lines = {HOSTILE: [(0.0, 0.0), (1.0, 1.0)]}
    exhibits = {
        "a.series.json": series(HOSTILE, HOSTILE, HOSTILE, lines),
        "b.series.json": HOSTILE.encode(),
        "c.png": b"\x89PNG\r\n\x1a\n" + HOSTILE.encode(),
        "d.txt": HOSTILE.encode(),
    }
    test = TriedTest(HOSTILE, False, HOSTILE, HOSTILE, 1.0, 0.1, exhibits=exhibits)
    missing = [Missing("r1", "control socket", HOSTILE, HOSTILE)]
    line = f"2026-11-22T09:09:20.000Z info path.lost {HOSTILE}\n{HOSTILE}\n"
    happened = Occasion("testnet test", HOSTILE, missing, [test])
    text = render_page(gathered(monkeypatch, places, line, said, happened))
    page = Page(text)
    assert not page.tags & {"script", "iframe", "link", "object", "form", "a", "base"}
    assert [(tag, value[:26]) for tag, value in page.active] == [
        ("img", "src=data:image/png;base64,")
    ]
    assert page.policy.startswith("default-src 'none'; style-src 'sha256-")
    assert page.policy.split("; ")[2:4] == ["img-src data:", "media-src data:"]
    assert text.count("&lt;script&gt;") >= 6
    assert "\x1b" not in text
    assert "\u202e" not in text
    assert {"svg", "polyline", "dl", "table"} <= page.tags


def test_logs_are_bounded_and_no_link_is_followed(
    monkeypatch: pytest.MonkeyPatch, places: Places, tmp_path: Path
) -> None:
    evidence = gathered(monkeypatch, places, "first\n" + "x" * 5000 + "\n" + "line\n" * 50_000)
    (log,) = [log for log in evidence.logs if log.node == "alice"]
    assert sum(map(len, log.lines)) <= 1 << 16
    assert log.bytes_left_out > 100_000
    assert len(render_page(evidence)) < 100_000
    (tmp_path / "elsewhere").write_text("not yours")
    path = places.node("alice") / "lokinet.log"
    path.unlink()
    path.symlink_to(tmp_path / "elsewhere")
    backend: Any = Backend({"alice": {"lokinet": str(path)}})
    subject = Subject(places, backend, "running", None, None, lambda _: {})
    shown = gather(subject, Occasion("testnet report"), Witness(backend))
    assert [log.node for log in shown.logs] == []


def test_a_folder_is_whole_or_not_there(
    monkeypatch: pytest.MonkeyPatch, places: Places, tmp_path: Path
) -> None:
    evidence = gathered(monkeypatch, places)
    page = write_folder(evidence, tmp_path / "out")
    assert page == tmp_path / "out" / "index.html"
    assert json.loads((tmp_path / "out" / "report.json").read_text()) == summary(evidence)
    assert (page.stat().st_mode & 0o777, page.parent.stat().st_mode & 0o777) == (0o600, 0o700)
    with pytest.raises(UsageError, match="is in the way: name a new or an empty directory"):
        write_folder(evidence, tmp_path / "out")
    (tmp_path / "empty").mkdir()
    assert write_folder(evidence, tmp_path / "empty").is_file()

    def broken(_: Evidence) -> str:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("orchestrator.report.folder.render_page", broken)
    with pytest.raises(UsageError, match=r"cannot write .*/third: No space left on device"):
        write_folder(evidence, tmp_path / "third")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["empty", "out", "state"]


def test_reports_lie_where_down_leaves_them(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    monkeypatch.delenv(VARIABLE, raising=False)
    first = place_for("net", 0.0)
    assert first == tmp_path / "lokinet-testnet-reports" / "net-19700101T000000Z"
    first.mkdir(parents=True)
    assert place_for("net", 0.0).name == "net-19700101T000000Z-2"
    monkeypatch.setenv(VARIABLE, str(tmp_path / "mine"))
    assert place_for("net", 0.0).parent == tmp_path / "mine"


def test_history_is_in_order_of_time_from_both_forms_of_lines() -> None:
    text = ["2026-11-22T09:00:02.000Z info path.lost reason=gone", "no line of ours"]
    data = [
        '{"time": "2026-11-22T09:00:01.000Z", "level": "info", "event": "link.down", "reason": 7}',
        '{"time": 3, "level": "info", "event": "link.down"}',
        '{"time"',
        '{"time": "2026-11-22T09:00:03.000Z", "level": "info", "event": "dns.asked"}',
    ]
    found = history_of([("alice", text), ("web", data)], 10)
    assert [(line.node, line.event, line.detail) for line in found] == [
        ("web", "link.down", "reason=7"),
        ("alice", "path.lost", "reason=gone"),
    ]
    assert [line.node for line in history_of([("alice", text), ("web", data)], 1)] == ["alice"]


def test_a_network_without_trouble_says_so(monkeypatch: pytest.MonkeyPatch, places: Places) -> None:
    evidence = gathered(monkeypatch, places)
    text = render_page(
        Evidence(
            **{name: getattr(evidence, name) for name in evidence.__slots__} | {"troubles": ()}
        )
    )
    assert re.search(r'<header class="good".*Nothing is wrong', text, re.DOTALL)
