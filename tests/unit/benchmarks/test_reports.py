"""What other programs print, read: iperf3, ping, /proc/net/dev, /proc/cpuinfo."""

from __future__ import annotations

import json
from typing import Any

import pytest

from benchmarks.figures import BenchmarkFailed
from benchmarks.interfaces import Received, cells_per_burst, read_counters
from benchmarks.iperf import Transfer, read_report
from benchmarks.machine import cpu_model
from benchmarks.rtt import read_times
from benchmarks.tcp import busiest_burst

TCP = {"sum_sent": {"bytes": 9}, "sum_received": {"bytes": 125_000_000, "seconds": 5.0}}
UDP_NEW = {
    "sum": {"bytes": 12_500_000, "seconds": 5.0, "lost_percent": 9},
    "sum_received": {"bytes": 12_375_000, "seconds": 5.0, "lost_percent": 1},
}
UDP_OLD = {"sum": {"bytes": 12_500_000, "seconds": 5.0, "lost_percent": 2}}


@pytest.mark.parametrize(
    ("end", "expected"),
    [
        (TCP, Transfer(125_000_000, 5.0, 0)),
        (UDP_NEW, Transfer(12_375_000, 5.0, 1)),
        (UDP_OLD, Transfer(12_500_000, 5.0, 2)),
    ],
)
def test_iperf_tells_what_arrived(end: dict[str, Any], expected: Transfer) -> None:
    assert read_report(json.dumps({"start": {}, "end": end})) == expected


def test_a_rate_is_in_megabits_of_payload() -> None:
    assert Transfer(125_000_000, 5.0, 0).mbit_per_s == 200


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "cannot be read"),
        ("[]", "cannot be read"),
        ("{", "cannot be read"),
        ('{"end": {}}', "cannot be read"),
        ('{"end": {"sum": {"bytes": null}}}', "cannot be read"),
        ('{"end": {"sum_received": {"bytes": 0, "seconds": 5}}}', "nothing arrived"),
        ('{"error": "unable to connect: Connection refused", "end": {}}', "Connection refused"),
    ],
)
def test_a_report_of_no_transfer_fails_the_benchmark(text: str, reason: str) -> None:
    with pytest.raises(BenchmarkFailed, match=reason):
        read_report(text)


PING = """\
PING 172.16.0.2 (172.16.0.2) 56(84) bytes of data.
64 bytes from 172.16.0.2: icmp_seq=1 ttl=64 time=8.32 ms
64 bytes from 172.16.0.2: icmp_seq=3 ttl=64 time=15 ms
64 bytes from 172.16.0.2: icmp_seq=3 ttl=64 time=99 ms (DUP!)
From 172.16.0.1 icmp_seq=4 Destination Host Unreachable
64 bytes from 172.16.0.2: icmp_seq=5 ttl=64 time=0.041 ms

--- 172.16.0.2 ping statistics ---
5 packets transmitted, 3 received, +1 duplicates, 40% packet loss, time 973ms
rtt min/avg/max/mdev = 0.041/7.787/15.000/6.115 ms
"""


def test_ping_counts_every_answered_number_once() -> None:
    assert read_times(PING) == [8.32, 15.0, 0.041]


def test_no_answer_to_a_ping_fails_the_benchmark() -> None:
    with pytest.raises(BenchmarkFailed, match="no answer"):
        read_times("PING 172.16.0.2 (172.16.0.2) 56(84) bytes of data.\n")


DEV = """\
Inter-|   Receive                                                |  Transmit
 face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs drop
    lo:       5       6    0    0    0     0          0         0        7       8    0    0
  eth0: 29352466    2743    0    0    0     0          0         0 29327648    2480    0    0
"""


def test_an_interfaces_line_is_found_and_read() -> None:
    assert read_counters(DEV, "eth0") == Received(29_352_466, 2743)
    with pytest.raises(BenchmarkFailed, match="no eth1"):
        read_counters(DEV, "eth1")


def burst(cells: int) -> int:
    """Bytes an interface counts for one."""
    return cells * 1376 + 42


def test_bytes_and_packets_tell_the_cells_of_a_burst() -> None:
    before = Received(1000, 10)
    after = Received(1000 + burst(45) + burst(45) + 2 * burst(1), 14)
    assert cells_per_burst(before, after) == 23
    assert cells_per_burst(before, before) == 0


def test_bursts_are_told_of_the_router_that_received_most() -> None:
    before = {"router-1": Received(9_000_000, 7), "router-2": Received(0, 0)}
    after = {
        "router-1": Received(9_000_000 + burst(1), 8),
        "router-2": Received(burst(20) + burst(10), 2),
    }
    assert busiest_burst(before, after) == 15


def test_a_processor_is_named_where_the_kernel_names_it() -> None:
    assert cpu_model("processor\t: 0\nmodel name\t: Some  CPU @ 2.1GHz\nmodel name\t: B\n") == (
        "Some CPU @ 2.1GHz"
    )
    assert cpu_model("processor\t: 0\nBogoMIPS\t: 50.00\n")
