"""Checks by the machine's own programs, which know nothing of Lokinet: `http`, `ping`."""

from __future__ import annotations

import re

from orchestrator.checklist import HttpCheck, PingCheck
from orchestrator.checks.network import Network
from orchestrator.checks.verdict import Verdict, failed, held
from orchestrator.units import format_seconds

__all__ = ["check_http", "check_ping"]

TRY_S = 10.0
"""How long one try may take where the check itself allows more or says nothing."""
SLACK_S = 5.0
MOST_BYTES = 64 << 20
"""Of a page: it is read into memory."""
PING_INTERVAL_S = 0.2
"""The shortest that ping gives a plain user."""
PING_WAIT_S = 2
RECEIVED = re.compile(r"(\d+) packets transmitted, (\d+) received")
AVERAGE = re.compile(r"= [\d.]+/([\d.]+)/")


def check_http(network: Network, check: HttpCheck) -> Verdict:
    """Fetch a page with curl: its code, its text and its time."""
    port = check.port or network.port(check.to)
    where = network.host(check.to) + ("" if port == 80 else f":{port}")
    url = f"http://{where}{check.path}"
    expected = _expected_page(url, check)
    limit = check.at_most or TRY_S
    argv = ["curl", "-sS", "-g", "--max-filesize", str(MOST_BYTES), "-m", f"{limit:.3f}"]
    argv += ["-w", "\n%{http_code} %{time_total}", "--", url]
    result = network.run(check.from_, argv, limit + SLACK_S)
    if result.code != 0:
        return failed(expected, result.err.strip() or f"curl ended with {result.code}")
    page, _, tail = result.out.rpartition("\n")
    status, seconds = int(tail.split()[0]), float(tail.split()[1])
    seen = f"{status}, {len(page)} characters in {format_seconds(seconds)}"
    if status != check.status or (check.contains and check.contains not in page):
        return failed(expected, f"{seen}: {page}", seconds=seconds)
    return held(expected, seen, seconds=seconds)


def _expected_page(url: str, check: HttpCheck) -> str:
    text = f"{check.status} from {url}"
    if check.contains:
        text += f" with {check.contains!r} in it"
    if check.at_most:
        text += f" within {format_seconds(check.at_most)}"
    return text


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
