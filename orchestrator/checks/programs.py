"""The check `ping`, by the machine's own ping, which knows nothing of Lokinet."""

from __future__ import annotations

import re

from orchestrator.checklist import PingCheck
from orchestrator.checks.network import Network
from orchestrator.checks.verdict import Verdict, failed, held
from orchestrator.units import format_seconds

__all__ = ["check_ping"]

TRY_S = 10.0
"""How long one try may take besides the waits of ping itself."""
PING_INTERVAL_S = 0.2
"""The shortest that ping gives a plain user."""
PING_WAIT_S = 2
RECEIVED = re.compile(r"(\d+) packets transmitted, (\d+) received")
AVERAGE = re.compile(r"= [\d.]+/([\d.]+)/")


def check_ping(network: Network, check: PingCheck) -> Verdict:
    """Ping by name: how many came back, and how fast."""
    host = network.host(check.to)
    expected = f"{check.count - check.lost} of {check.count} echoes from {host}"
    if check.at_most:
        expected += f", {format_seconds(check.at_most)} on average at most"
    argv = ["ping", "-n", "-q", "-c", str(check.count), "-i", str(PING_INTERVAL_S)]
    argv += ["-W", str(PING_WAIT_S), host]
    most_s = check.count * (PING_INTERVAL_S + PING_WAIT_S) + TRY_S
    result = network.run(check.from_, argv, most_s)
    counted = RECEIVED.search(result.out)
    if counted is None:
        return failed(expected, result.err.strip() or f"ping ended with {result.code}")
    received = int(counted[2])
    average = AVERAGE.search(result.out)
    rtt_s = float(average[1]) / 1000 if average else float("inf")
    seen = f"{received} of {counted[1]} echoes"
    if average:
        seen += f", {rtt_s * 1000:.1f} ms on average"
    is_late = check.at_most is not None and rtt_s > check.at_most
    if received < check.count - check.lost or is_late:
        return failed(expected, seen, received=received)
    return held(expected, seen, received=received, rtt_ms=rtt_s * 1000)
