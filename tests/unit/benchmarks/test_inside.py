"""What runs inside this process or on loopback: the relay, the ends, the stream, /proc."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks import ends, relay
from benchmarks.arrivals import Arrivals, read_lines
from benchmarks.figures import BenchmarkFailed
from benchmarks.loopback import Chain, chain
from benchmarks.processes import cpu_seconds, pss_mib, since_boot, started_at
from benchmarks.programs import stream
from benchmarks.relay import PARTS, Gate, timed
from benchmarks.stopwatch import Stopwatch
from lokinet_node.session.packets import VNET_HEADER


def test_a_chain_on_loopback_carries_every_cell_through_its_relay() -> None:
    with chain() as links:
        before = links.relay.node.pump.drops[:]
        for size in (45, 8, 1):
            links.send(size)
            links.relay.turn()
            links.last.turn()
        assert links.delivered == 45 + 8 + 1
        assert links.relay.node.pump.drops == before
        assert len(links.path.routers) == 2


def test_a_relay_that_loses_cells_fails_the_benchmark(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Chain, "send", lambda *_: None)
    with pytest.raises(BenchmarkFailed, match=r"^0 of 20 cells reached the end"):
        relay.relay_cost(1, 20, 0)


def test_the_parts_of_a_relay_are_all_found_and_are_put_back_afterwards() -> None:
    before = [getattr(owner, name) for _, methods in PARTS.values() for owner, name in methods]
    costs = relay.part_costs(8, 20, 0)
    assert costs.keys() == PARTS.keys()
    assert all(cost > 0 for cost in costs.values())
    after = [getattr(owner, name) for _, methods in PARTS.values() for owner, name in methods]
    assert before == after


def test_a_timed_method_counts_only_while_the_gate_is_open() -> None:
    class Owner:
        def double(self, value: int) -> int:
            return 2 * value

    watch, gate = Stopwatch(), Gate()
    with timed(Owner, "double", watch, gate):
        assert Owner().double(1) == 2
        gate.start()
        assert Owner().double(2) == 4
        gate.stop()
        assert Owner().double(3) == 6
    assert watch.laps == 1
    assert Owner().double(4) == 8
    assert watch.laps == 1


@pytest.mark.parametrize("segments", [45, 1])
def test_what_one_end_reads_the_other_writes(segments: int) -> None:
    both = ends.Ends(cost=0)
    read, size = ends.tun_read(segments)
    for _ in range(3):
        assert both.carry(read, size) == segments
        assert both.written.endswith(bytes(read[VNET_HEADER + ends.HEADERS : size]))
    assert {watch.laps for watch in both.watches.values()} == {3}


def test_the_ends_benchmark_gives_a_reading_for_each_figure(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(ends, "BURSTS", {45: 2, 1: 2})
    readings = ends.measure()
    assert readings.keys() == {figure.key for figure in ends.BENCHMARK.figures}
    for size in (45, 1):
        out = sum(readings[f"{step}-{size}"].value for step in ends.STEPS if step in OUT)
        assert readings[f"out-{size}"].value == pytest.approx(out)


OUT = ("split", "seal", "wrap", "link-seal")


def test_the_relay_benchmark_gives_a_reading_for_each_figure(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(relay, "BURSTS", dict.fromkeys(relay.BURSTS, 10))
    readings = relay.measure()
    assert readings.keys() == {figure.key for figure in relay.BENCHMARK.figures}


# --- /proc


def test_a_process_says_what_it_used_when_it_began_and_what_it_holds() -> None:
    me = os.getpid()
    before = cpu_seconds([me])
    assert before > 0
    sum(range(3_000_000))
    assert cpu_seconds([me]) > before
    assert cpu_seconds([me, me]) >= 2 * before
    assert 0 < started_at(me) <= since_boot()
    assert pss_mib(me) > 1


def test_a_process_that_has_ended_fails_the_benchmark() -> None:
    child = subprocess.Popen([sys.executable, "-c", ""])
    child.wait()
    for ask in (pss_mib, started_at):
        with pytest.raises(BenchmarkFailed, match="has ended"):
            ask(child.pid)
    with pytest.raises(BenchmarkFailed, match="has ended"):
        cpu_seconds([child.pid])


# --- the stream


def test_a_stream_reports_each_echo_once_with_its_instant() -> None:
    program = str(Path(stream.__file__))
    with subprocess.Popen(
        [sys.executable, program, "echo", "127.0.0.1", "0"], stdout=subprocess.PIPE
    ) as echo:
        assert echo.stdout is not None
        assert echo.stdout.readline() == b"ready\n"
        port = bound_port(echo.pid)
        with subprocess.Popen(
            [sys.executable, program, "send", "127.0.0.1", str(port)], stdout=subprocess.PIPE
        ) as send:
            assert send.stdout is not None
            lines = [send.stdout.readline().split() for _ in range(10)]
            send.terminate()
        echo.terminate()
    assert [int(number) for number, _ in lines] == list(range(10))
    instants = [float(instant) for _, instant in lines]
    assert instants == sorted(instants)


def bound_port(pid: int) -> int:
    """Of the only UDP socket of a process."""
    inodes = [os.readlink(link) for link in Path(f"/proc/{pid}/fd").iterdir()]
    for line in Path("/proc/net/udp").read_text().splitlines()[1:]:
        fields = line.split()
        if f"socket:[{fields[9]}]" in inodes:
            return int(fields[1].partition(":")[2], 16)
    raise AssertionError("no UDP socket")


def test_lines_that_are_no_arrivals_are_passed_over(tmp_path: Path) -> None:
    file = tmp_path / "lines"
    file.write_bytes(b"1 10.5\nTraceback (most recent call last):\n2 11.25\n\nbroken")
    arrivals = Arrivals()
    with file.open("rb") as lines:
        read_lines(lines, arrivals)
    assert arrivals.times == [10.5, 11.25]
    assert arrivals.latest() == 11.25
    assert arrivals.gap(10.5, 11.25) == 0.75
