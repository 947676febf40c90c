"""`throughput`: one TCP connection, as much as it carries for a while.

Both sockets are made inside the nodes' networks and used from here, so no program is needed there.
"""

from __future__ import annotations

import select
import socket
import time
from collections.abc import Sequence
from contextlib import ExitStack
from itertools import pairwise

from orchestrator.checklist import ThroughputCheck
from orchestrator.checks.exhibits import series
from orchestrator.checks.network import Network
from orchestrator.checks.verdict import Verdict, failed, held
from orchestrator.errors import CheckFailed
from orchestrator.units import format_rate, format_seconds

__all__ = ["check_throughput"]

CONNECT_S = 10.0
BLOCK_BYTES = 1 << 18
SAMPLE_S = 0.1
"""One point of the series: short enough for a stall of a few packets' timeouts to be seen."""


def check_throughput(network: Network, check: ThroughputCheck) -> Verdict:
    """Connect, send as fast as it goes, count what arrives."""
    ends = (check.to, check.from_) if check.reverse else (check.from_, check.to)
    least = format_rate(check.at_least)
    expected = f"{least} from {ends[0]} to {ends[1]} for {format_seconds(check.for_)}"
    address = network.resolve(check.from_, check.to)
    with ExitStack() as sockets:
        listener = sockets.enter_context(network.socket(check.to, "tcp"))
        listener.bind((network.tun_address(check.to), 0))
        listener.listen(1)
        near = sockets.enter_context(network.socket(check.from_, "tcp"))
        for end in (near, listener):
            end.settimeout(CONNECT_S)
        try:
            near.connect((address, listener.getsockname()[1]))
            far = sockets.enter_context(listener.accept()[0])
        except TimeoutError:
            raise CheckFailed(f"{check.from_} got no connection to {check.to}") from None
        sender, receiver = (far, near) if check.reverse else (near, far)
        arrived = _carry(sender, receiver, check.for_)
    seconds, size = arrived[-1]
    rate = size * 8 / seconds
    seen = f"{format_rate(rate)} ({size} bytes in {format_seconds(seconds)})"
    verdict = held if rate >= check.at_least else failed
    way = f"{ends[0]} → {ends[1]}"
    exhibit = series("throughput", "s", "Mbit/s", {way: _rates(arrived)})
    exhibits = {"throughput.series.json": exhibit}
    return verdict(expected, seen, exhibits=exhibits, bits_per_second=rate)


def _rates(arrived: Sequence[tuple[float, int]]) -> list[tuple[float, float]]:
    """Mbit/s between two samples, at the end of each; the last takes in one just before it."""
    *samples, last = arrived
    if samples and last[0] - samples[-1][0] < SAMPLE_S / 2:
        samples.pop()
    return [
        (later, (after - before) * 8 / 1e6 / (later - earlier))
        for (earlier, before), (later, after) in pairwise([(0.0, 0), *samples, last])
    ]


def _carry(
    sender: socket.socket, receiver: socket.socket, seconds: float
) -> list[tuple[float, int]]:
    """Bytes that arrived until then, about every SAMPLE_S; the last is all, after the last look."""
    block, room, size = bytes(BLOCK_BYTES), bytearray(BLOCK_BYTES), 0
    for end in (sender, receiver):
        end.setblocking(False)
    poll = select.poll()
    poll.register(sender, select.POLLOUT)
    poll.register(receiver, select.POLLIN)
    arrived: list[tuple[float, int]] = []
    began = time.monotonic()
    while (past := time.monotonic() - began) < seconds:
        due = (arrived[-1][0] if arrived else 0.0) + SAMPLE_S
        if past >= due:
            arrived.append((past, size))
            continue
        for descriptor, _ in poll.poll((min(due, seconds) - past) * 1000 + 1):
            if descriptor == sender.fileno():
                sender.send(block)
                continue
            got = receiver.recv_into(room)
            if got == 0:
                raise CheckFailed(f"the connection ended after {size} bytes")
            size += got
    arrived.append((time.monotonic() - began, size))
    return arrived
