"""The distribution's Chromium on a `.loki` site, and what it says of one that is broken.

Faults that turn these red stand in docs/testing.md.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.integration.network.real import Network, new_network
from tests.integration.orchestrator.command import until

pytestmark = pytest.mark.anywhere

SITE = """\
name: site
nodes:
  router: {role: router, count: 4}
  web: {role: service, app: {kind: nginx, file: 1 MB, video: 6s, websocket: true}}
  alice: {role: client}
  chain: {role: chain}
names: {web.loki: web}
tests:
  - name: whole
    browser:
      {from: alice, to: web.loki, title: web, contains: 10 of 10 echoes,
       fetch: /file.bin, websocket: /echo, frames: 50}
  - {name: unbought, browser: {from: alice, to: unbought.loki}}
  - name: bare
    browser:
      {from: alice, to: web.loki, path: /bare, title: web,
       fetch: /none, websocket: /none, frames: 1, for: 2s}
  - {name: empty, browser: {from: alice, to: web.loki}}
  - {name: deaf, browser: {from: alice, to: web.loki, at-most: 4s}}
"""


@pytest.fixture(scope="module")
def site() -> Iterator[Network]:
    with new_network("site") as network:
        network.up(network.configure(SITE))
        yield network


def browse(site: Network, test: str, *more: str) -> dict[str, Any]:
    """The row of one of the tests above."""
    result = site.run("test", "-k", test, "--name", site.name, "--json", *more)
    (row,) = json.loads(result.stdout)["tests"]
    if row["skipped"]:
        pytest.skip(row["seen"])
    assert result.returncode == (0 if row["held"] else 1)
    found: dict[str, Any] = row
    return found


def test_a_page_fetches_talks_and_plays_and_is_pictured(site: Network, tmp_path: Path) -> None:
    row = browse(site, "whole", "--report", str(tmp_path / "report"))
    assert row["held"], row["seen"]
    figures = row["figures"]
    assert figures["fetch_bytes"] == 1_000_000
    assert figures["frames"] >= 50
    assert 0 < figures["first_byte_ms"] <= figures["load_ms"]
    (picture,) = (tmp_path / "report" / "exhibits").glob("*/page.png")
    assert picture.read_bytes().startswith(b"\x89PNG")


@pytest.mark.netns
def test_a_name_nobody_bought_does_not_exist(site: Network) -> None:
    assert browse(site, "unbought")["seen"] == "no such name unbought.loki (NXDOMAIN)"


@pytest.mark.netns
def test_whatever_is_missing_of_a_page_is_named(site: Network) -> None:
    assert browse(site, "bare")["seen"].split("; ") == [
        "the page is answered with 404",
        "the page is called '404 Not Found'",
        "/none is answered with 404",
        "the WebSocket ws://web.loki/none cannot be opened",
        "there is no video on the page",
    ]


@pytest.mark.netns
def test_a_film_that_is_gone_is_not_played(site: Network) -> None:
    shutil.rmtree(site.state / site.name / "nodes" / "web" / "nginx" / "www" / "video")
    seen = browse(site, "whole")["seen"]
    assert seen == "0 frames were decoded in 0.0 s (MEDIA_ELEMENT_ERROR: Format error)"


@pytest.mark.netns
def test_a_service_that_is_gone_does_not_answer(site: Network) -> None:
    assert site.run("kill", "web", "--program", "nginx", "--name", site.name).returncode == 0

    def is_over() -> bool:
        return any(row["program"] == "nginx" and not row["pid"] for row in site.programs())

    until("nginx ended", is_over)
    cause = "nothing answers at web.loki:80 (ERR_CONNECTION_REFUSED)"
    assert browse(site, "empty")["seen"] == cause
    assert site.run("stop", "web", "--name", site.name).returncode == 0
    cause = "web.loki:80 does not answer (ERR_CONNECTION_TIMED_OUT)"
    assert browse(site, "deaf")["seen"] == cause
