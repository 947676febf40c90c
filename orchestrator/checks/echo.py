"""`udp-echo`: numbered datagrams out, the same ones back.

Both sockets are made inside the nodes' networks and used from here, so no program is needed there.
"""

from __future__ import annotations

import select
import socket
import time
from contextlib import ExitStack, suppress

from orchestrator.checklist import UdpEchoCheck
from orchestrator.checks.network import Network
from orchestrator.checks.verdict import Verdict, failed, held

__all__ = ["check_udp_echo"]

SEND_EVERY_S = 0.01
LAST_ANSWER_S = 2.0
"""How long is waited for answers after the last datagram."""
LARGEST_DATAGRAM = 65_535
NUMBER_BYTES = 8
MOST_DATAGRAMS = 1 << 20
"""A larger number was sent by somebody else."""


def check_udp_echo(network: Network, check: UdpEchoCheck) -> Verdict:
    """Send all, count those that come back unchanged."""
    expected = f"{check.count - check.lost} of {check.count} datagrams of {check.size} bytes back"
    address = network.resolve(check.from_, check.to)
    with ExitStack() as sockets:
        far, port = None, check.port
        if port is None:
            far = sockets.enter_context(network.socket(check.to, "udp"))
            far.bind((network.tun_address(check.to), 0))
            far.setblocking(False)
            port = int(far.getsockname()[1])
        near = sockets.enter_context(network.socket(check.from_, "udp"))
        near.connect((address, port))
        near.setblocking(False)
        back, rtts = _exchange(near, far, check)
    seen = f"{back} of {check.count} datagrams back"
    if rtts:
        seen += f", {sorted(rtts)[len(rtts) // 2] * 1000:.1f} ms in the median"
    verdict = held if back >= check.count - check.lost else failed
    return verdict(expected, seen, back=back)


def _exchange(
    near: socket.socket, far: socket.socket | None, check: UdpEchoCheck
) -> tuple[int, list[float]]:
    """How many came back unchanged, and their round trips in seconds."""
    sent_at: list[float] = []
    rtts: dict[int, float] = {}
    poll = select.poll()
    for end in (near, far):
        if end is not None:
            poll.register(end, select.POLLIN)
    next_at = time.monotonic()
    deadline = next_at + check.count * SEND_EVERY_S + LAST_ANSWER_S
    while len(rtts) < check.count and (now := time.monotonic()) < deadline:
        if len(sent_at) < check.count and now >= next_at:
            with suppress(OSError):  # refused by an earlier one's ICMP error, no room: it is lost
                near.send(_datagram(len(sent_at), check.size))
            sent_at.append(now)
            next_at = now + SEND_EVERY_S
        wake = next_at if len(sent_at) < check.count else deadline
        for descriptor, _ in poll.poll(max(0.0, wake - time.monotonic()) * 1000 + 1):
            if far is not None and descriptor == far.fileno():
                _answer(far)
            elif (number := _number(near, check.size)) is not None and number < len(sent_at):
                rtts.setdefault(number, time.monotonic() - sent_at[number])
    return len(rtts), list(rtts.values())


def _datagram(number: int, size: int) -> bytes:
    """Bytes that differ from one datagram to the next, and along each."""
    pattern = bytes((number + offset) & 0xFF for offset in range(256))
    return (number.to_bytes(NUMBER_BYTES, "big") + pattern * (size // 256 + 1))[:size]


def _answer(far: socket.socket) -> None:
    with suppress(OSError):  # an ICMP error of an earlier answer
        data, sender = far.recvfrom(LARGEST_DATAGRAM)
        far.sendto(data, sender)


def _number(near: socket.socket, size: int) -> int | None:
    """Of a datagram that came back as it was sent."""
    try:
        data = near.recv(LARGEST_DATAGRAM)
    except OSError:
        return None  # an ICMP error: nobody is there, which the count will say
    number = int.from_bytes(data[:NUMBER_BYTES], "big")
    return number if number < MOST_DATAGRAMS and data == _datagram(number, size) else None
