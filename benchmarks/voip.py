"""Calls by Mumble and by SIP, without Lokinet and over it in turn; a conference; others' downloads.

The shipped topology `voip` with a web server beside it. Every figure is what the checks
`voip-mumble` (its scripted client, and two stock ones) and `voip-sip` measure; for the bare link
the same programs call an address on the underlay, in the same network a few seconds before, so both
meet the same machine.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from benchmarks.downloads import downloads
from benchmarks.figures import Benchmark, Figure, Reading, Readings
from benchmarks.network import ROOT, Meter, Network, scratch_network

TOPOLOGY = ROOT / "topologies/voip.yaml"
NAME = "probably.loki"
PHONE = "phone.loki"
PATIENCE = "30s"
"""For a name that was bought a moment ago."""
GROUP = ("bob", "carol", "dave", "erin")
DOWNLOADERS = ("alice", "bob", "carol", "dave")
TAKEN = ("delay_p50_ms", "delay_p95_ms", "loss", "jitter_ms", "pesq", "mos")
BY_STOCK = ("mouth_to_ear_ms", "mos_heard", "pesq")
BY_SIP = ("p50_ms", "p95_ms", "loss", "jitter_ms", "pesq", "mos")
"""Each way has its own; the figure is the worse of both."""


def measure() -> Readings:
    """One call of each kind; two of those that are compared."""
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
        for link in ("bare", "overlay"):
            stock = network.tried(tests, f"stock-{link}")
            found |= _readings(f"stock-{link}", stock, BY_STOCK)
            found |= _readings(f"sip-{link}", _worse(network.tried(tests, f"sip-{link}")), BY_SIP)
        with downloads(network, "files", DOWNLOADERS):
            found |= _readings("busy", network.tried(tests, "overlay"))
            found |= _readings("sip-busy", _worse(network.tried(tests, "sip-overlay")), BY_SIP)
    found["heard-less"] = Reading(
        found["stock-bare-mos_heard"].value - found["stock-overlay-mos_heard"].value
    )
    return {key: found[key] for key in (figure.key for figure in BENCHMARK.figures)}


def _readings(
    call: str, figures: dict[str, float], taken: tuple[str, ...] = TAKEN
) -> dict[str, Reading]:
    """Of one call; shares become percents."""
    scale = {"loss": 100.0}
    return {f"{call}-{key}": Reading(figures[key] * scale.get(key, 1.0)) for key in taken}


def _worse(figures: dict[str, float]) -> dict[str, float]:
    """Of a call's two ways: the longer delay, the higher loss, the worse sound."""
    ways = {key: (figures[f"there_{key}"], figures[f"back_{key}"]) for key in BY_SIP}
    return {key: min(both) if key in ("pesq", "mos") else max(both) for key, both in ways.items()}


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
    servers = {"bare": network.underlay_address("mumble"), "overlay": NAME}
    phones = {"bare": network.underlay_address("phone"), "overlay": PHONE}
    calls: dict[str, dict[str, Any]] = {"group": {**two, "to": list(GROUP), "server": NAME}}
    for link, server in servers.items():
        calls[link] = {**two, "server": server}
        calls[f"stock-{link}"] = {**calls[link], "client": "stock"}
    tests = [{"name": name, "voip-mumble": call} for name, call in calls.items()]
    for link, phone in phones.items():
        call = {"from": "alice", "to": "phone", "name": phone}
        tests.append({"name": f"sip-{link}", "voip-sip": call})
    topology["tests"] = [{**test, "eventually": PATIENCE} for test in tests]
    return _written(network.directory / "calls.yaml", topology)


def _written(file: Path, topology: dict[str, Any]) -> Path:
    file.write_text(json.dumps(topology), encoding="utf-8")  # which is YAML as well
    return file


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
    ways = {"bare": "without Lokinet", "overlay": "over 4+4 hops", "busy": "beside 4 × 50 Mbit/s"}
    for link, title in ways.items():
        for key, unit, word in zip(BY_SIP, units, words, strict=True):
            name = f"SIP, {title}: {word}" if key == BY_SIP[0] else word
            yield Figure(f"sip-{link}-{key}", name, unit)
    for link in ("bare", "overlay"):
        yield Figure(f"stock-{link}-mouth_to_ear_ms", f"stock, {ways[link]}: mouth to ear", "ms")
        yield Figure(f"stock-{link}-mos_heard", "… MOS of that delay", "")
        yield Figure(f"stock-{link}-pesq", "… PESQ", "")
    yield Figure("heard-less", "stock: MOS less than without", "", "≤ 0.05")
    yield Figure("added", "two: what Lokinet adds, one way, p50", "ms", "≤ 5")
    yield Figure("worse", "… PESQ less than without", "", "≤ 0.15")
    yield Figure("cpu", "… CPU of all nodes", "µs/packet")


BENCHMARK = Benchmark(
    name="voip",
    summary="calls by Mumble and SIP: the bare link and the overlay in turn",
    figures=tuple(_figures()),
    measure=measure,
    programs=("murmurd", "nginx", "curl", "espeak-ng", "mumble", "baresip"),
)
