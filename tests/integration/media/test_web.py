"""What an ordinary web site serves, fetched and played over a private Lokinet; and each red."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.integration.network.real import Network, new_network

pytestmark = [pytest.mark.anywhere, pytest.mark.timeout(300)]

NAME = "site"
SITE = """\
name: site
hops: 2
nodes:
  router: {role: router, count: 4}
  web:
    role: service
    app: {kind: nginx, tls: 443, file: 5 MB, video: 6s, websocket: true}
  slow: {role: service, app: {kind: nginx, video: 6s, rate: 150 kbit/s}}
  alice: {role: client}
  chain: {role: chain}
"""
DIGEST = "d87bc7a162a7ee60bec114de8da0991d492111de4e71dee89607f8cdf3f5ece0"
"""Of 5 MB of noise."""
ECHO = Path(__file__).parent / "inside" / "websocket.py"
SYSTEM_PYTHON = "/usr/bin/python3"
"""Whose library for WebSockets is the distribution's, as in the node."""


@pytest.fixture(scope="module")
def site() -> Iterator[Network]:
    """A site, a slow one, and somebody to look at them."""
    with new_network(NAME) as network:
        network.up(network.configure(SITE))
        yield network


def tried(site: Network, *tests: str) -> list[dict[str, Any]]:
    """What became of them."""
    file = site.configure(SITE + "tests:\n" + "".join(f"  - {test}\n" for test in tests))
    result = site.run("test", file, "--name", NAME, "--json", "--no-report")
    rows: list[dict[str, Any]] = json.loads(result.stdout)["tests"]
    return rows


def video(site: Network) -> Path:
    """Where web's film lies on this machine."""
    return site.state / NAME / "nodes" / "web" / "nginx" / "www" / "video"


def test_pages_over_tls_a_large_file_and_a_film_come(site: Network) -> None:
    rows = tried(
        site,
        "{http: {from: alice, to: web, contains: It works}, eventually: 10s}",
        "http: {from: alice, to: web, over: https, contains: It works}",
        "http: {from: alice, to: web, over: http2, contains: It works}",
        f"http: {{from: alice, to: web, path: /file.bin, sha256: {DIGEST}}}",
        "hls: {from: alice, to: web, for: 4s}",
    )
    assert [row["seen"] for row in rows if not row["held"]] == []
    https, http2, file, film = rows[1:]
    assert "over HTTP/1.1" in https["seen"]
    assert "over HTTP/2" in http2["seen"]
    assert "5000000 bytes" in file["seen"]
    assert film["figures"]["frames"] >= 98


def test_a_websocket_gives_back_what_it_gets(site: Network) -> None:
    url = f"ws://{site.addresses['web']}/echo"
    result = site.run_beside("alice", SYSTEM_PYTHON, str(ECHO), url)
    assert (result.returncode, result.stdout) == (0, "text and bytes came back\n"), result.stderr


@pytest.mark.netns
def test_what_is_not_as_it_should_be_is_red_in_words(site: Network) -> None:
    slow, nowhere, closed, absent, forged, plain = tried(
        site,
        "hls: {from: alice, to: slow, for: 3s}",
        "hls: {from: alice, to: nobody.loki, for: 3s}",
        "hls: {from: alice, to: web, port: 81, for: 3s}",
        "hls: {from: alice, to: web, path: /video/other.m3u8, for: 3s}",
        f"http: {{from: alice, to: web, path: /file.bin, sha256: {'0a' * 32}}}",
        "http: {from: alice, to: slow, over: http2}",
    )
    assert "it stood still for" in slow["seen"]
    assert slow["figures"]["stalled_s"] > 1
    assert "no such name nobody.loki (NXDOMAIN)" in nowhere["seen"]
    assert "nothing answers at" in closed["seen"]
    assert "404 Not Found" in absent["seen"]
    assert f"with sha256 {DIGEST}" in forged["seen"]
    assert "404" in plain["seen"]
    rows = (slow, nowhere, closed, absent, forged, plain)
    assert not any(row["held"] for row in rows)


@pytest.mark.netns
@pytest.mark.parametrize(
    ("harm", "words"),
    [
        (lambda segment: segment.unlink(), "pictures missing"),
        (lambda segment: segment.write_bytes(bytes(1000) * 100), "pictures missing"),
        (lambda segment: segment.write_bytes(garbled(segment.read_bytes())), "errors"),
    ],
)
def test_a_spoiled_film_is_red(site: Network, harm: Any, words: str) -> None:
    segment = video(site) / "segment001.ts"
    kept = segment.with_suffix(".kept")
    shutil.copy2(segment, kept)
    try:
        harm(segment)
        (row,) = tried(site, "hls: {from: alice, to: web, for: 4s}")
    finally:
        kept.replace(segment)
    assert not row["held"]
    assert words in row["seen"]


def garbled(data: bytes) -> bytes:
    """Packets of the transport stream stay packets; what is in every fifth of them does not."""
    packets = [bytearray(data[at : at + 188]) for at in range(0, len(data), 188)]
    for packet in packets[10::5]:
        packet[100:] = bytes(len(packet) - 100)
    return b"".join(packets)


@pytest.mark.netns
def test_a_stopped_service_is_red(site: Network) -> None:
    stopped = site.run("kill", "slow", "--name", NAME, "--program", "nginx")
    assert stopped.returncode == 0, stopped.stderr
    (row,) = tried(site, "hls: {from: alice, to: slow, for: 3s}")
    assert not row["held"]
    assert "nothing answers at" in row["seen"]
