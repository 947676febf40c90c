"""A web site: a page in Chromium and a film in ffmpeg, without Lokinet and over 4+4 hops in turn.

And the second once more beside downloads of others. The shipped topology `web`. Every figure is
what the checks `browser` and `hls` measure; for the bare link the same programs ask at the server's
address on the underlay, in the same network a few seconds before.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from benchmarks.downloads import downloads
from benchmarks.figures import Benchmark, Figure, Reading, Readings
from benchmarks.network import ROOT, Network, scratch_network

TOPOLOGY = ROOT / "topologies/web.yaml"
NAME = "web.loki"
PATIENCE = "30s"
TAKEN = {
    "page": ("load_ms", "websocket_ms", "frames_dropped"),
    "film": ("start_s", "stalled_s", "frames"),
}
DOWNLOADS = ("bob",) * 4
LINKS = {
    "bare": "without Lokinet",
    "overlay": "over 4+4 hops",
    "busy": "beside 4 × 50 Mbit/s",
}


def measure() -> Readings:
    """Each once without and once with Lokinet, and once with Lokinet beside downloads."""
    found: dict[str, Reading] = {}
    with scratch_network() as network:
        network.up(str(TOPOLOGY))
        tests = _tests(network)
        for what, keys in TAKEN.items():
            for link in ("bare", "overlay"):
                figures = network.tried(tests, f"{link}-{what}")
                found |= {f"{link}-{what}-{key}": Reading(figures[key]) for key in keys}
        with downloads(network, "web", DOWNLOADS):
            for what, keys in TAKEN.items():
                figures = network.tried(tests, f"overlay-{what}")
                found |= {f"busy-{what}-{key}": Reading(figures[key]) for key in keys}
    return found


def _tests(network: Network) -> Path:
    topology: dict[str, Any] = yaml.safe_load(TOPOLOGY.read_text(encoding="utf-8"))
    tests: list[dict[str, Any]] = []
    for link, host in (("bare", network.underlay_address("web")), ("overlay", NAME)):
        way = {"from": "alice", "to": host}
        page = {**way, "websocket": "/echo", "frames": 100}
        for what, test in (("page", {"browser": page}), ("film", {"hls": {**way, "for": "10s"}})):
            tests.append({"name": f"{link}-{what}", **test, "eventually": PATIENCE})
    file = network.directory / "tests.yaml"
    file.write_text(json.dumps({**topology, "tests": tests}), encoding="utf-8")  # which is YAML
    return file


def _figures() -> Iterator[Figure]:
    words = {
        "page-load_ms": ("a page in Chromium", "ms", ""),
        "page-websocket_ms": ("… echo of a WebSocket", "ms", ""),
        "page-frames_dropped": ("… frames of its film dropped", "", "0"),
        "film-start_s": ("film: first picture", "s", ""),
        "film-stalled_s": ("… stood still for", "s", "0"),
        "film-frames": ("… pictures decoded, of 250", "", ""),
    }
    for what, keys in TAKEN.items():
        for link, name in LINKS.items():
            for key in keys:
                title, unit, goal = words[f"{what}-{key}"]
                title += f", {name}" if key == keys[0] else ""
                yield Figure(f"{link}-{what}-{key}", title, unit, goal if link == "overlay" else "")


BENCHMARK = Benchmark(
    name="web",
    summary="a page, a WebSocket and films, without Lokinet and with it",
    figures=tuple(_figures()),
    measure=measure,
    programs=("nginx", "ffmpeg", "chromium", "chromedriver"),
)
