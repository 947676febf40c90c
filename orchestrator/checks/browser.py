"""The check `browser`: a page in the distribution's Chromium, which knows nothing of Lokinet."""

from __future__ import annotations

import base64
import json
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

from orchestrator.backends import clean_environment
from orchestrator.backends.keys import PACKAGE_ROOT
from orchestrator.browsing import CHROMEDRIVER, CHROMIUM, Visit
from orchestrator.checklist_media import BrowserCheck
from orchestrator.checks.needs import missing_needs
from orchestrator.checks.network import Network
from orchestrator.checks.verdict import Verdict, failed, held
from orchestrator.errors import CheckFailed
from orchestrator.units import format_seconds

__all__ = ["check_browser"]

LOAD_S = 30.0
"""How long a page may take to load where the check itself allows more or says nothing."""
START_S = 60.0
"""For a browser to start and end on a machine that is busy."""
MESSAGES = 10
PAGE_STATUS = 200
SCREENSHOT = "page.png"
NO_NAME = "ERR_NAME_NOT_RESOLVED"
WORDS = {
    "ERR_CONNECTION_REFUSED": "nothing answers at {where}",
    "ERR_ADDRESS_UNREACHABLE": "{where} cannot be reached",
    "ERR_CONNECTION_TIMED_OUT": "{where} does not answer",
    "ERR_TIMED_OUT": "{where} had not sent all of the page in time",
    "ERR_EMPTY_RESPONSE": "{where} closes the connection without an answer",
    "ERR_CONNECTION_RESET": "{where} breaks the connection off",
}
"""Chromium's own words for what is wrong with the network."""


def check_browser(network: Network, check: BrowserCheck) -> Verdict:
    """Visit the page from the node, and judge all that was seen there."""
    port = check.port or network.port(check.to)
    host = network.host(check.to)
    where = f"{host}:{port}"
    url = f"http://{host if port == 80 else where}{check.path}"
    expected = "; ".join(_expected(url, check))
    programs = {CHROMIUM: "chromium", CHROMEDRIVER: "chromium-driver"}
    lack = missing_needs(expected, programs, "browser", ["selenium"])
    if lack is not None:
        return lack
    seen = _visited(network, check, url)
    shot = seen.get("screenshot")
    exhibits = {SCREENSHOT: base64.b64decode(shot)} if shot else {}
    if error := seen.get("error"):
        cause = _cause(network, check.from_, host, where, str(error))
        return failed(expected, cause, exhibits=exhibits)
    figures = _figures(seen)
    wrong = list(_wrong(seen, check))
    if wrong:
        return failed(expected, "; ".join(wrong), exhibits=exhibits, **figures)
    return held(expected, "; ".join(_told(seen)), exhibits=exhibits, **figures)


def _expected(url: str, check: BrowserCheck) -> Iterator[str]:
    title = f" called {check.title!r}" if check.title else ""
    text = f" with {check.contains!r} on it" if check.contains else ""
    within = f" within {format_seconds(check.at_most)}" if check.at_most else ""
    yield f"{url}{title}{text} in Chromium{within}"
    if check.fetch:
        yield f"{check.fetch} fetched"
    if check.websocket:
        yield f"a WebSocket's echo at {check.websocket}"
    if check.frames:
        most = "" if check.dropped is None else f", {check.dropped} dropped at most"
        yield f"{check.frames} frames of video{most}"


def _visited(network: Network, check: BrowserCheck, url: str) -> dict[str, Any]:
    """What the browser saw; raises CheckFailed if nothing can be known of that."""
    load_s = check.at_most or LOAD_S
    with tempfile.TemporaryDirectory(prefix="testnet-browser-", dir="/tmp") as home:
        visit = Visit(
            url=url,
            profile=f"{home}/profile",
            load_s=load_s,
            limit_s=check.for_,
            contains=check.contains or "",
            fetch=check.fetch or "",
            websocket=check.websocket or "",
            websocket_port=check.websocket_port or 0,
            messages=MESSAGES,
            frames=check.frames or 0,
        )
        argv = [sys.executable, "-P", "-m", "orchestrator.browsing", json.dumps(asdict(visit))]
        env = clean_environment() | {
            "HOME": home,
            "TMPDIR": home,
            "PYTHONPATH": str(PACKAGE_ROOT),
        }
        most_s = START_S + load_s + 4 * check.for_
        result = network.run_guest(check.from_, argv, most_s, env)
    try:
        seen: dict[str, Any] = json.loads(result.out)
    except ValueError:
        last = result.err.strip().splitlines()[-1:] or [f"it ended with {result.code}"]
        raise CheckFailed(f"the browser cannot be led: {last[0]}") from None
    return seen


def _cause(network: Network, node: str, host: str, where: str, error: str) -> str:
    """Chromium's word for it, and what that means here."""
    if NO_NAME in error:
        rcode = network.ask(node, host).rcode
        what = "no such name" if rcode == "NXDOMAIN" else "nobody resolves"
        return f"{what} {host} ({rcode})"
    for word, text in WORDS.items():
        if word in error:
            return f"{text.format(where=where)} ({word})"
    return error


def _wrong(seen: dict[str, Any], check: BrowserCheck) -> Iterator[str]:
    """Each thing that is not as it should be, in words."""
    if seen["timing"]["status"] != PAGE_STATUS:
        yield f"the page is answered with {seen['timing']['status']}"
    if check.title is not None and seen["title"] != check.title:
        yield f"the page is called {seen['title']!r}"
    load_s = seen["timing"]["load_ms"] / 1000
    if check.at_most is not None and load_s > check.at_most:
        yield f"the page took {format_seconds(load_s)}"
    if check.contains:
        shown = seen["shown"]
        if check.contains not in shown.get("text", ""):
            yield f"the page shows {shown.get('error') or shown['text']!r}"
    if check.fetch:
        yield from _wrong_fetch(seen["fetch"], check.fetch)
    if check.websocket and (error := seen["websocket"].get("error")):
        yield f"the WebSocket {seen['websocket'].get('url', '')} {error}"
    if check.frames:
        yield from _wrong_video(seen["video"], check.frames, check.dropped)


def _wrong_fetch(answer: dict[str, Any], path: str) -> Iterator[str]:
    if answer.get("error"):
        yield f"{path} is not fetched: {answer['error']}"
    elif answer["status"] != PAGE_STATUS:
        yield f"{path} is answered with {answer['status']}"


def _wrong_video(video: dict[str, Any], wanted: int, dropped: int | None) -> Iterator[str]:
    if "frames" not in video:
        yield str(video["error"])
    elif video["frames"] < wanted:
        why = f" ({video['error']})" if video["error"] else ""
        yield f"{video['frames']} frames were decoded in {video['wall_s']:.1f} s{why}"
    elif dropped is not None and video["dropped"] > dropped:
        yield f"{video['dropped']} of {video['frames']} frames were dropped"


def _told(seen: dict[str, Any]) -> Iterator[str]:
    """What is worth reading of a page where all is well."""
    yield f"{seen['title']!r} in {format_seconds(seen['timing']['load_ms'] / 1000)}"
    if fetch := seen.get("fetch"):
        yield f"{fetch['bytes']} bytes fetched in {format_seconds(fetch['ms'] / 1000)}"
    if websocket := seen.get("websocket"):
        median = _median(websocket["round_trips_ms"])
        yield f"echo in {median:.1f} ms"
    if video := seen.get("video"):
        size = f"{video['width']}x{video['height']}"
        yield f"{video['frames']} frames of {size}, {video['dropped']} dropped"


def _figures(seen: dict[str, Any]) -> dict[str, float]:
    """All that was measured, of what succeeded."""
    timing = seen["timing"].items()
    figures = {name: float(value) for name, value in timing if name.endswith("_ms")}
    if "ms" in (fetch := seen.get("fetch", {})):
        figures |= {"fetch_ms": fetch["ms"], "fetch_bytes": fetch["bytes"]}
    if "round_trips_ms" in (websocket := seen.get("websocket", {})):
        figures["websocket_ms"] = _median(websocket["round_trips_ms"])
    if "frames" in (video := seen.get("video", {})):
        figures |= {"frames": video["frames"], "frames_dropped": video["dropped"]}
        stall_s = max(0.0, video["wall_s"] - video["media_s"])
        figures |= {"video_stall_s": stall_s, "video_waits": video["waits"]}
    return figures


def _median(values: list[float]) -> float:
    return sorted(values)[len(values) // 2]
