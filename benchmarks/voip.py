"""Calls over a Mumble server, without Lokinet and over it in turn; a conference; others' downloads.

The shipped topology `voip` with a web server beside it. Every figure is what the check
`voip-mumble` measures with its scripted client; for the bare link the same client calls the
server's address on the underlay, in the same network a few seconds before, so both meet the same
machine.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import yaml

from benchmarks.figures import Benchmark, Figure, Reading, Readings
from benchmarks.network import ROOT, Meter, Network, scratch_network, wait_for_line

TOPOLOGY = ROOT / "topologies/voip.yaml"
NAME = "probably.loki"
PATIENCE = "30s"
"""For a name that was bought a moment ago."""
GROUP = ("bob", "carol", "dave", "erin")
DOWNLOADERS = ("alice", "bob", "carol", "dave")
RATE = 6_250_000
"""Bytes a second of each download: 50 Mbit/s."""
TAKEN = ("delay_p50_ms", "delay_p95_ms", "loss", "jitter_ms", "pesq", "mos")
BEGUN = "begun"


def measure() -> Readings:
    """One call of each kind; two of the kind that is compared."""
    found: dict[str, Reading] = {}
    with scratch_network() as network:
        network.up(str(_topology(network.directory)))
        tests = _tests(network)
        bare = network.tried(tests, "bare")
        found |= _readings("bare", bare)
        overlay, found["cpu"] = _metered(network, tests, "overlay")
        found |= _readings("overlay", overlay)
        found["added"] = Reading(overlay["delay_p50_ms"] - bare["delay_p50_ms"])
        found["worse"] = Reading(bare["pesq"] - overlay["pesq"])
        found |= _readings("group", network.tried(tests, "group"))
        with _downloads(network):
            found |= _readings("busy", network.tried(tests, "overlay"))
    return {key: found[key] for key in (figure.key for figure in BENCHMARK.figures)}


def _readings(call: str, figures: dict[str, float]) -> dict[str, Reading]:
    """Of one call; shares become percents."""
    scale = {"loss": 100.0}
    return {f"{call}-{key}": Reading(figures[key] * scale.get(key, 1.0)) for key in TAKEN}


def _metered(network: Network, tests: Path, title: str) -> tuple[dict[str, float], Reading]:
    meter = Meter(network)
    figures = network.tried(tests, title)
    cpu_s = meter.read()
    return figures, Reading(cpu_s * 1e6 / figures["packets"], cpu_s)


def _topology(directory: Path) -> Path:
    """As shipped, and somebody who has large files."""
    topology: dict[str, Any] = yaml.safe_load(TOPOLOGY.read_text(encoding="utf-8"))
    topology["nodes"]["files"] = {"role": "service", "app": {"kind": "nginx", "file": "100 MB"}}
    return _written(directory / "voip.yaml", topology)


def _tests(network: Network) -> Path:
    """The same network, with the calls of this benchmark."""
    topology = yaml.safe_load((network.directory / "voip.yaml").read_text(encoding="utf-8"))
    two: dict[str, Any] = {"from": "alice", "to": "bob"}
    calls = {
        "bare": {**two, "server": network.underlay_address("mumble")},
        "overlay": {**two, "server": NAME},
        "group": {"from": "alice", "to": list(GROUP), "server": NAME},
    }
    topology["tests"] = [
        {"name": name, "voip-mumble": call, "eventually": PATIENCE} for name, call in calls.items()
    ]
    return _written(network.directory / "calls.yaml", topology)


def _written(file: Path, topology: dict[str, Any]) -> Path:
    file.write_text(json.dumps(topology), encoding="utf-8")  # which is YAML as well
    return file


@contextmanager
def _downloads(network: Network) -> Iterator[None]:
    """Four, 50 Mbit/s each, over and over until the block ends."""
    page = f"http://{network.report['addresses']['files']}/file.bin"
    fetch = f"curl -sS -o /dev/null --limit-rate {RATE} {page}"
    with ExitStack() as running:
        for node in DOWNLOADERS:
            loop = f"curl -sS -o /dev/null -r 0-0 {page} && echo {BEGUN}; while {fetch}; do :; done"
            wait_for_line(running.enter_context(network.running(node, "sh", "-c", loop)), BEGUN)
        yield


def _figures() -> Iterator[Figure]:
    goals = {
        "overlay-loss": "0",
        "overlay-mos": "≥ 4.3",
        "group-loss": "0",
        "group-mos": "≥ 4.3",
    }
    units = ("ms", "ms", "%", "ms", "", "")
    words = ("one way, p50", "… p95", "… lost or late", "… jitter", "… PESQ", "… MOS")
    calls = {
        "bare": "two, without Lokinet",
        "overlay": "two, over 4+4 hops",
        "group": "five at once",
        "busy": "two, beside 4 × 50 Mbit/s",
    }
    for call, title in calls.items():
        for key, unit, word in zip(TAKEN, units, words, strict=True):
            name = f"{title}: {word}" if key == TAKEN[0] else word
            yield Figure(f"{call}-{key}", name, unit, goals.get(f"{call}-{key}", ""))
    yield Figure("added", "two: what Lokinet adds, one way, p50", "ms", "≤ 5")
    yield Figure("worse", "… PESQ less than without", "", "≤ 0.15")
    yield Figure("cpu", "… CPU of all nodes", "µs/packet")


BENCHMARK = Benchmark(
    name="voip",
    summary="Mumble calls: the bare link and the overlay in turn",
    figures=tuple(_figures()),
    measure=measure,
    programs=("murmurd", "nginx", "curl", "espeak-ng"),
)
