"""Inside a node's network: stock Chromium, led by chromedriver through one page.

Run as a program (`python -m orchestrator.browsing JSON`), as all it starts has to be in that
network; what came of it is one JSON object on standard output. Needs the extra `browser`.

Rules: what the page does is awaited inside the page, with a limit; nothing here judges.
"""

from __future__ import annotations

import json
import re
import shutil
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

__all__ = ["Visit", "main"]

CHROMIUM = "chromium"
CHROMEDRIVER = "chromedriver"
OPTIONS = (
    "--headless=new",
    "--no-sandbox",  # root has none; the network has no way out, and the page is one's own
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--disable-background-networking",  # its own errands
    "--disable-component-update",
    "--autoplay-policy=no-user-gesture-required",
    "--window-size=800,600",
    # A name is asked of the system's resolver, and http:// means that.
    "--disable-features=DnsOverHttps,HttpsUpgrades,HttpsFirstBalancedModeAutoEnable",
)
SLACK_S = 10.0
"""For the driver, when the page's own limit is over."""

WHERE = "return [document.URL, document.body ? document.body.innerText : ''];"
CODE = re.compile("ERR_[A-Z_]+")
TIMING = """
const [entry] = performance.getEntriesByType('navigation');
return entry && {
  status: entry.responseStatus,
  dns_ms: entry.domainLookupEnd - entry.domainLookupStart,
  connect_ms: entry.connectEnd - entry.connectStart,
  first_byte_ms: entry.responseStart,
  load_ms: entry.loadEventEnd,
};
"""
CONTAINS = """
const [wanted, limit] = arguments;
const began = performance.now();
while (!document.body.innerText.includes(wanted) && performance.now() - began < limit)
  await new Promise(done => setTimeout(done, 50));
return {text: document.body.innerText};
"""
FETCH = """
const [path, limit] = arguments;
const began = performance.now();
try {
  const answer = await fetch(path, {cache: 'no-store', signal: AbortSignal.timeout(limit)});
  const bytes = (await answer.arrayBuffer()).byteLength;
  return {status: answer.status, bytes, ms: performance.now() - began};
} catch (error) {
  return {error: error.name === 'TimeoutError' ? 'not all of it came in time' : error.message};
}
"""
WEBSOCKET = """
const [port, path, count, limit] = arguments;
const host = port ? `${location.hostname}:${port}` : location.host;
const url = `${location.protocol === 'https:' ? 'wss' : 'ws'}://${host}${path}`;
const socket = new WebSocket(url);
socket.binaryType = 'arraybuffer';
const events = [];
let wake = () => {};
const heard = event => { events.push(event); wake(); };
for (const kind of ['open', 'message', 'close']) socket.addEventListener(kind, heard);
const over = new Promise(done => setTimeout(() => done(null), limit));
const next = async () => {
  if (!events.length) await Promise.race([new Promise(done => { wake = done; }), over]);
  return events.shift() || null;
};
const round_trips_ms = [];
const closed = (event) => event ? `was closed (${event.code})` : 'fell silent';
try {
  const opened = await next();
  if (!opened || opened.type !== 'open') return {url, error: 'cannot be opened'};
  for (let number = 0; number < count; number += 1) {
    const text = `${number} ${'é'.repeat(100)}`;
    const began = performance.now();
    socket.send(text);
    const answer = await next();
    if (!answer || answer.type !== 'message') return {url, error: closed(answer)};
    if (answer.data !== text) return {url, error: 'sent another text back'};
    round_trips_ms.push(performance.now() - began);
  }
  const bytes = Uint8Array.from({length: 60000}, (_, number) => number * 7);
  socket.send(bytes);
  const answer = await next();
  if (!answer || answer.type !== 'message') return {url, error: closed(answer)};
  const back = answer.data instanceof ArrayBuffer ? new Uint8Array(answer.data) : [];
  if (back.length !== bytes.length || bytes.some((byte, number) => byte !== back[number]))
    return {url, error: 'sent other bytes back'};
  return {url, round_trips_ms};
} finally {
  socket.close();
}
"""
VIDEO = """
const [wanted, limit] = arguments;
const began = performance.now();
const video = document.querySelector('video');
if (!video) return {error: 'there is no video on the page'};
const pause = () => new Promise(done => setTimeout(done, 50));
const sources = [video, ...video.querySelectorAll('source')];
let broken = '';
for (const source of sources)
  source.addEventListener('error', () => { broken = 'its source cannot be loaded'; });
let waits = 0;
video.addEventListener('waiting', () => { waits += 1; });
video.muted = true;
video.play().catch(error => { broken = broken || error.message; });
const quality = () => video.getVideoPlaybackQuality();
while (quality().totalVideoFrames < wanted && performance.now() - began < limit) {
  if (video.error) broken = video.error.message || `error ${video.error.code}`;
  if (broken || video.ended) break;
  await pause();
}
const {totalVideoFrames, droppedVideoFrames} = quality();
return {
  error: broken, frames: totalVideoFrames, dropped: droppedVideoFrames, waits,
  media_s: video.currentTime, wall_s: (performance.now() - began) / 1000,
  width: video.videoWidth, height: video.videoHeight,
};
"""


@dataclass(frozen=True, slots=True)
class Visit:
    """What is to be done, and for how long at most each."""

    url: str
    profile: str
    """An empty directory for what Chromium keeps."""
    load_s: float
    limit_s: float
    """For each of what follows."""
    contains: str = ""
    fetch: str = ""
    websocket: str = ""
    websocket_port: int = 0
    messages: int = 0
    frames: int = 0


def main(arguments: Sequence[str]) -> int:
    """Visit, and tell what was seen."""
    json.dump(visit(Visit(**json.loads(arguments[0]))), sys.stdout)
    return 0


def visit(todo: Visit) -> Mapping[str, Any]:
    """A browser from its start to its end.

    Returns:
        `title`, `shown`, `timing`, `fetch`, `websocket`, `video` as the scripts above tell them,
        those that were wanted; `screenshot`, a PNG in base64; or `error`, Chromium's own word.
    """
    from selenium import webdriver
    from selenium.common.exceptions import TimeoutException, WebDriverException

    options = webdriver.ChromeOptions()
    options.binary_location = shutil.which(CHROMIUM) or CHROMIUM
    for option in (*OPTIONS, f"--user-data-dir={todo.profile}"):
        options.add_argument(option)
    service = webdriver.ChromeService(shutil.which(CHROMEDRIVER) or CHROMEDRIVER)
    try:
        driver = webdriver.Chrome(options, service)
    except WebDriverException as error:
        return {"error": f"Chromium does not start: {_first_line(error)}"}
    try:
        driver.set_page_load_timeout(todo.load_s)
        driver.set_script_timeout(todo.limit_s + SLACK_S)
        seen: dict[str, Any] = {}
        try:
            driver.get(todo.url)
        except TimeoutException:
            seen["error"] = _error_shown(driver) or _why_late(driver, todo.url)
        except WebDriverException as error:
            seen["error"] = _first_line(error)
        else:
            shown = _error_shown(driver)  # some of its errors it does not tell
            seen |= {"error": shown} if shown else _tried(driver, todo)
        seen["screenshot"] = driver.get_screenshot_as_base64()
        return seen
    finally:
        driver.quit()


def _tried(driver: Any, todo: Visit) -> dict[str, Any]:
    """All that is wanted of a page that has come."""
    limit_ms = todo.limit_s * 1000

    def run(script: str, *words: object) -> Any:
        later = "const finish = arguments[arguments.length - 1];"
        body = f"(async function() {{ {script} }}).apply(null, [...arguments].slice(0, -1))"
        return driver.execute_async_script(
            f"{later} {body}.then(finish, error => finish({{error: `${{error}}`}}));",
            *words,
            limit_ms,
        )

    seen: dict[str, Any] = {"title": driver.title, "timing": driver.execute_script(TIMING)}
    if todo.fetch:
        seen["fetch"] = run(FETCH, todo.fetch)
    if todo.websocket:
        seen["websocket"] = run(WEBSOCKET, todo.websocket_port, todo.websocket, todo.messages)
    if todo.frames:
        seen["video"] = run(VIDEO, todo.frames)
    if todo.contains:
        seen["shown"] = run(CONTAINS, todo.contains)
    return seen


def _error_shown(driver: Any) -> str | None:
    """Chromium's word for what is wrong, where it shows its own page about that."""
    place, text = driver.execute_script(WHERE)
    if not place.startswith("chrome-error:"):
        return None
    found = CODE.search(text)
    return found[0] if found else "ERR_FAILED"


def _why_late(driver: Any, url: str) -> str:
    """Some of the page had come in time, or nothing."""
    place, _ = driver.execute_script(WHERE)
    return "ERR_TIMED_OUT" if place.startswith(url) else "ERR_CONNECTION_TIMED_OUT"


def _first_line(error: Exception) -> str:
    text = getattr(error, "msg", None) or str(error)
    return str(text).strip().splitlines()[0].removeprefix("unknown error: ")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
