"""What the check `browser` says of what a browser saw, and of a browser that is not there."""

from __future__ import annotations

import base64
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import pytest

from orchestrator.backends import Running
from orchestrator.checks import BrowserCheck, Network, Verdict, attempt, make
from orchestrator.checks.verdict import missing
from tests.unit.orchestrator.loopback import (
    ADDRESSES,
    LoopbackBackend,
    Resolver,
    Said,
    network,
    resolver,
)

PNG = b"\x89PNG..."
SEEN: dict[str, Any] = {
    "title": "tea",
    "timing": {"status": 200, "dns_ms": 1, "connect_ms": 2, "first_byte_ms": 5, "load_ms": 1500},
    "shown": {"text": "hello, ready"},
    "fetch": {"status": 200, "bytes": 9, "ms": 12.0},
    "websocket": {"url": "ws://x/echo", "round_trips_ms": [9.0, 4.0, 3.0]},
    "video": {
        "error": "",
        "frames": 60,
        "dropped": 3,
        "waits": 1,
        "media_s": 2.0,
        "wall_s": 2.5,
        "width": 640,
        "height": 360,
    },
    "screenshot": base64.b64encode(PNG).decode(),
}
WANTED: dict[str, Any] = {
    "from_": "alice",
    "to": "web",
    "title": "tea",
    "contains": "ready",
    "fetch": "/f",
    "websocket": "/echo",
    "frames": 50,
}


class Browser(LoopbackBackend):
    """Programs of this machine print `saw` and end."""

    saw: str = ""
    asked: Mapping[str, Any]
    home: str = ""

    def beside(
        self,
        node: str,
        argv: Sequence[str],
        stdio: tuple[int, int, int],
        env: Mapping[str, str],
    ) -> Running:
        assert os.path.isdir(env["HOME"])
        self.home = env["HOME"]
        self.asked = json.loads(argv[-1])
        os.write(stdio[1], self.saw.encode())
        os.write(stdio[2], b"noise\nthe last word\n")
        return Said(0)


@pytest.fixture
def browser(monkeypatch: pytest.MonkeyPatch) -> Browser:
    monkeypatch.setattr("orchestrator.checks.browser.missing_needs", lambda *_: None)
    return Browser(observed=network(monkeypatch)[0].observed)


@pytest.fixture
def names(monkeypatch: pytest.MonkeyPatch) -> Iterator[Resolver]:
    with resolver(monkeypatch) as found:
        yield found


def tried(browser: Browser, seen: object = SEEN, **words: Any) -> Verdict:
    browser.saw = json.dumps(seen) if isinstance(seen, dict) else str(seen)
    return attempt(Network.of(browser), make(BrowserCheck, **(WANTED | words)))


def test_a_page_where_all_is_well_is_told_with_figures_and_its_picture(browser: Browser) -> None:
    verdict = tried(browser)
    assert verdict
    assert verdict.seen == (
        "'tea' in 1.50 s; 9 bytes fetched in 0.01 s; echo in 4.0 ms; "
        "60 frames of 640x360, 3 dropped"
    )
    assert verdict.exhibits == {"page.png": PNG}
    assert verdict.figures["video_stall_s"] == 0.5
    assert verdict.figures["load_ms"] == 1500
    assert browser.asked["url"] == f"http://{ADDRESSES['web']}:8080/"
    assert browser.home
    assert not os.path.exists(browser.home)


@pytest.mark.parametrize(
    ("words", "seen", "said"),
    [
        ({"title": "coffee"}, {}, "the page is called 'tea'"),
        (
            {},
            {"timing": SEEN["timing"] | {"status": 404}},
            "the page is answered with 404",
        ),
        ({"at_most": "1s"}, {}, "the page took 1.50 s"),
        ({"contains": "gone"}, {}, "the page shows 'hello, ready'"),
        ({}, {"fetch": {"error": "Failed to fetch"}}, "/f is not fetched: Failed to fetch"),
        ({}, {"fetch": {"status": 404, "bytes": 1, "ms": 1}}, "/f is answered with 404"),
        (
            {},
            {"websocket": {"url": "ws://x/echo", "error": "cannot be opened"}},
            "the WebSocket ws://x/echo cannot be opened",
        ),
        ({}, {"video": {"error": "there is no video"}}, "there is no video"),
        ({"frames": 61}, {}, "60 frames were decoded in 2.5 s"),
        (
            {"frames": 61},
            {"video": SEEN["video"] | {"error": "its source cannot be loaded"}},
            "60 frames were decoded in 2.5 s (its source cannot be loaded)",
        ),
        ({"dropped": 2}, {}, "3 of 60 frames were dropped"),
    ],
)
def test_each_thing_that_is_wrong_is_named(
    browser: Browser, words: dict[str, Any], seen: dict[str, Any], said: str
) -> None:
    verdict = tried(browser, SEEN | seen, **words)
    assert not verdict
    assert verdict.seen == said
    assert verdict.exhibits == {"page.png": PNG}


def test_a_page_that_does_not_come_has_its_cause(browser: Browser, names: Resolver) -> None:
    names.rcodes["gone.loki"] = 3
    unknown = tried(browser, {"error": "net::ERR_NAME_NOT_RESOLVED"}, to="gone.loki")
    assert unknown.seen == "no such name gone.loki (NXDOMAIN)"
    unsure = tried(browser, {"error": "net::ERR_NAME_NOT_RESOLVED"}, to="other.loki")
    assert unsure.seen == "nobody resolves other.loki (SERVFAIL)"
    refused = tried(browser, {"error": "net::ERR_CONNECTION_REFUSED"}, to="web.loki", port=81)
    assert refused.seen == "nothing answers at web.loki:81 (ERR_CONNECTION_REFUSED)"
    other = tried(browser, {"error": "Chromium does not start: no"})
    assert other.seen == "Chromium does not start: no"


def test_a_browser_that_says_nothing_is_told_by_its_last_word(browser: Browser) -> None:
    verdict = tried(browser, "no JSON")
    assert verdict.seen == "the browser cannot be led: the last word"


def test_without_a_browser_it_is_not_tried(
    browser: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("CI", raising=False)
    monkeypatch.setattr(
        "orchestrator.checks.browser.missing_needs", lambda what, *_: missing(what, "none", "get")
    )
    verdict = tried(browser)
    assert verdict.is_skipped
    assert "http://" in verdict.expected
    assert not hasattr(browser, "asked")
