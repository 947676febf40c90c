"""How long a download and a stream stand still when a relay of their route dies.

For each position a new network: alice downloads from web at full speed, and exchanges 50 datagrams
of 200 bytes a second with it; then the relay at that position is killed (`kill -9`), or once, the
pivot, stopped (SIGSTOP), which no ICMP error tells anybody. The figure is the longest time in which
no byte of the download, or no echo of the stream, arrived at alice, from the fault on until both
have been running again for a while. The longest such time before the fault is there to compare.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from benchmarks.arrivals import Arrivals, watched
from benchmarks.figures import NEVER, Benchmark, BenchmarkFailed, Figure, Reading, Readings
from benchmarks.network import Network, default_network, wait_for_line
from benchmarks.route import POSITIONS, Position, Route, counters, route_between

STREAM_PROGRAM = Path(__file__).parent / "programs" / "stream.py"
STREAM_PORT = 4000
FILE_BYTES = 16 << 30
"""Of a file of nothing that takes no room on disk: more than can be downloaded meanwhile."""
PATIENCE_S = 10
"""Until both have begun."""
BEFORE_S = 2
WATCH_S = 8
"""At least so long is watched after the fault."""
STEADY_S = 2
"""Both must have gone on for this long at the end of it."""
GIVE_UP_S = 30


@dataclass(frozen=True, slots=True)
class Gaps:
    """Longest times without an arrival, in seconds."""

    download: float
    stream: float


@dataclass(frozen=True, slots=True)
class Fault:
    """What is done to whom."""

    key: str
    title: str
    position: Position
    signal: signal.Signals


def _faults() -> Iterator[Fault]:
    for position in POSITIONS:
        yield Fault(position.key, f"{position.title} killed", position, signal.SIGKILL)
    pivot = next(position for position in POSITIONS if position.key == "pivot")
    yield Fault("frozen", f"{pivot.title} frozen", pivot, signal.SIGSTOP)


FAULTS = tuple(_faults())


def measure() -> Readings:
    """Every fault once, each in a network of its own."""
    readings: dict[str, Reading] = {}
    calm = Gaps(0, 0)
    for fault in FAULTS:
        with default_network() as network, _traffic(network) as traffic:
            before, after = traffic.through(fault)
        calm = Gaps(max(calm.download, before.download), max(calm.stream, before.stream))
        readings |= _readings(fault.key, after)
    return _readings("calm", calm) | readings


def _readings(key: str, gaps: Gaps) -> dict[str, Reading]:
    return {
        f"{key}-download": Reading(gaps.download),
        f"{key}-stream": Reading(gaps.stream),
    }


class _Traffic:
    """A download and a stream that run in a network."""

    def __init__(self, network: Network, download: Arrivals, stream: Arrivals) -> None:
        self._network = network
        self._flows = (download, stream)

    def through(self, fault: Fault) -> tuple[Gaps, Gaps]:
        """Gaps before a fault and after it."""
        self._wait_until_running()
        began = time.monotonic()
        router = fault.position.router(self._route())
        pid = self._pid_of(router)
        self._sleep_until(began + BEFORE_S)
        at = time.monotonic()
        before = Gaps(*(flow.gap(began, at) for flow in self._flows))
        os.kill(pid, fault.signal)
        end = self._watch(at)
        after = Gaps(*(self._gap_after(flow, at, end) for flow in self._flows))
        return before, after

    def _wait_until_running(self) -> None:
        end = time.monotonic() + PATIENCE_S
        while not all(flow.times for flow in self._flows):
            if time.monotonic() > end:
                raise BenchmarkFailed("the download or the stream did not begin")
            time.sleep(0.05)

    def _route(self) -> Route:
        """The route of the download now."""
        before = self._counters()
        time.sleep(BEFORE_S / 4)
        after = self._counters()
        return route_between((before[0], after[0]), (before[1], after[1]))

    def _counters(self) -> tuple[dict[tuple[str, ...], int], dict[tuple[str, ...], int]]:
        alice, web = (self._network.service_status(node) for node in ("alice", "web"))
        return dict(counters(alice, "cells_in")), dict(counters(web, "cells_out"))

    def _pid_of(self, router: str) -> int:
        addresses = self._network.report["addresses"]
        names = {address: name for name, address in addresses.items()}
        return self._network.node_pids()[names[router]]

    def _watch(self, at: float) -> float:
        """Wait until both go on again, or long enough; the instant at which that was."""
        end = at + WATCH_S
        while True:
            self._sleep_until(end)
            if self._is_steady(end) or end >= at + GIVE_UP_S:
                return end
            end += 1

    def _is_steady(self, end: float) -> bool:
        return all(flow.gap(end - STEADY_S, end) < STEADY_S / 2 for flow in self._flows)

    def _gap_after(self, flow: Arrivals, at: float, end: float) -> float:
        return flow.gap(at, end) if flow.gap(end - STEADY_S, end) < STEADY_S else NEVER

    def _sleep_until(self, instant: float) -> None:
        time.sleep(max(0.0, instant - time.monotonic()))


@contextmanager
def _traffic(network: Network) -> Iterator[_Traffic]:
    """Both flows, started."""
    _lay_out_file(network)
    address = network.web_address
    python = partial(network.running, "web", sys.executable, str(STREAM_PROGRAM))
    send = (sys.executable, str(STREAM_PROGRAM), "send", address, str(STREAM_PORT))
    with (
        python("echo", "0.0.0.0", str(STREAM_PORT)) as echo,
        network.running("alice", "curl", "-sSN", f"http://{address}/nothing") as body,
    ):
        wait_for_line(echo, "ready")
        with (
            network.running("alice", *send) as lines,
            watched(body, is_lines=False) as download,
            watched(lines, is_lines=True) as stream,
        ):
            yield _Traffic(network, download, stream)


def _lay_out_file(network: Network) -> None:
    """A sparse file beside web's page."""
    pages = Path(network.inspect("web")["directory"]) / "nginx" / "www"
    with (pages / "nothing").open("wb") as file:
        os.fchmod(file.fileno(), 0o644)
        file.truncate(FILE_BYTES)


def _figures() -> Iterator[Figure]:
    yield Figure("calm-download", "longest gap with no fault: download", "s")
    yield Figure("calm-stream", "… 50 packets/s", "s")
    for fault in FAULTS:
        outage = "never" if fault.position.key not in ("alice-1", "alice-2") else "30"
        yield Figure(f"{fault.key}-download", f"{fault.title}: download", "s", "< 1", outage)
        yield Figure(f"{fault.key}-stream", "… 50 packets/s", "s", "< 1", outage)


BENCHMARK = Benchmark(
    name="failover",
    summary="a relay of the route killed, each position in turn",
    figures=tuple(_figures()),
    measure=measure,
    programs=("nginx", "curl"),
)
