"""`throughput`: one TCP connection, as much as it carries for a while.

Both sockets are made inside the nodes' networks and used from here, so no program is needed there.
"""

from __future__ import annotations

import select
import socket
import time
from contextlib import ExitStack

from orchestrator.checklist import ThroughputCheck
from orchestrator.checks.network import Network
from orchestrator.checks.verdict import Verdict, failed, held
from orchestrator.errors import CheckFailed
from orchestrator.units import format_rate, format_seconds

__all__ = ["check_throughput"]

CONNECT_S = 10.0
BLOCK_BYTES = 1 << 18


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
        size, seconds = _carry(sender, receiver, check.for_)
    rate = size * 8 / seconds
    seen = f"{format_rate(rate)} ({size} bytes in {format_seconds(seconds)})"
    verdict = held if rate >= check.at_least else failed
    return verdict(expected, seen, bits_per_second=rate)


def _carry(sender: socket.socket, receiver: socket.socket, seconds: float) -> tuple[int, float]:
    """Bytes that arrived, and from the first send to the last look."""
    block, room, size = bytes(BLOCK_BYTES), bytearray(BLOCK_BYTES), 0
    for end in (sender, receiver):
        end.setblocking(False)
    poll = select.poll()
    poll.register(sender, select.POLLOUT)
    poll.register(receiver, select.POLLIN)
    began = time.monotonic()
    while (now := time.monotonic()) < began + seconds:
        for descriptor, _ in poll.poll((began + seconds - now) * 1000 + 1):
            if descriptor == sender.fileno():
                sender.send(block)
                continue
            got = receiver.recv_into(room)
            if got == 0:
                raise CheckFailed(f"the connection ended after {size} bytes")
            size += got
    return size, time.monotonic() - began
