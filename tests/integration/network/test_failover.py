"""Any relay of the way between alice and web may die: what they were doing goes on.

The one that died is started again after each test and has to become ready.

No time is asserted here: `make bench` prints the gaps. Faults that turn these red stand in
docs/testing.md.
"""

from __future__ import annotations

import os
import select
import signal
import subprocess
from collections.abc import Iterator

import pytest

from tests.integration.network.pages import Download, Downloading, offer
from tests.integration.network.real import Network, new_network, next_line
from tests.integration.network.ways import Way, service_of, way
from tests.integration.orchestrator.command import until

pytestmark = pytest.mark.anywhere

RATE = 2_000_000
MEGABYTES = 40
"""More than lies in buffers on the way and what comes until the kill."""
BEFORE = 1_000_000
"""Bytes that must have come before the kill."""
ECHO_PORT = "7008"
PACKETS_PER_SECOND = 50
IN_FLIGHT = 25
"""Packets that may have been under way at the kill; whatever is later went another way."""
GOES_ON = 100
"""Echoes of later packets that must come."""
STANDSTILL_S = 30.0
"""Ten times the longest gap allowed: a stream that is silent for longer does not go on."""

POSITIONS = (
    "alice's first hop",
    "alice's second hop",
    "alice's third hop",
    "the pivot",
    "web's third hop",
    "web's second hop",
    "web's first hop",
)
"""In the order of `Way.relays` from alice."""


@pytest.fixture(scope="module")
def survivors() -> Iterator[Network]:
    """One network for all kills."""
    with new_network("killed") as found:
        found.up()
        yield found


@pytest.fixture(scope="module")
def page(survivors: Network) -> Download:
    return offer(survivors, "page", MEGABYTES)


@pytest.fixture
def network(survivors: Network) -> Iterator[Network]:
    """Whole again after each test: `up` starts what was killed, and waits for it."""
    yield survivors
    assert survivors.up()["changes"] <= 1, "something had died that nobody killed"


@pytest.mark.parametrize("direction", ["alice to web", "web to alice"])
@pytest.mark.parametrize("position", POSITIONS)
def test_a_download_and_a_stream_outlive(
    network: Network, page: Download, position: str, direction: str
) -> None:
    target = network.addresses["web"], ECHO_PORT, str(PACKETS_PER_SECOND)
    pids = {row["node"]: row["pid"] for row in network.programs() if row["program"] == "lokinet"}
    before = {node: service_of(network, node) for node in ("alice", "web")}
    with (
        network.running("web", "echo.py", ECHO_PORT),
        network.running("alice", "stream.py", *target) as stream,
        Downloading(network, "alice", page, taken=RATE) as download,
    ):
        until("a part has come", lambda: download.is_under_way(BEFORE), within_s=30)
        sender, _, receiver = direction.partition(" to ")
        carrying, _ = way(network, sender, receiver, before)
        victim = relays_from_alice(carrying)[POSITIONS.index(position)]
        last = max(echoed(stream, within_s=5))
        assert download.is_under_way(BEFORE)
        os.kill(pids[victim], signal.SIGKILL)
        goes_on(stream, after=last + IN_FLIGHT)
        download.finish(within_s=60)


def test_the_only_seed_finds_its_way_back_when_it_is_started_again(network: Network) -> None:
    """Nobody needs it: the others have links enough. It keeps no list of routers itself."""
    pids = {row["node"]: row["pid"] for row in network.programs() if row["program"] == "lokinet"}
    os.kill(pids["router-1"], signal.SIGKILL)
    until("it is missed", lambda: network.run("status").returncode == 1)
    assert network.up()["changes"] == 1
    assert network.run("status").returncode == 0


def relays_from_alice(found: Way) -> tuple[str, ...]:
    return found.relays if found.sender == "alice" else found.relays[::-1]


def echoed(stream: subprocess.Popen[str], within_s: float) -> list[int]:
    """The numbers that came back since this was asked last; at least one."""
    numbers = [int(next_line(stream, within_s))]
    while has_line(stream):
        numbers.append(int(next_line(stream, within_s)))
    return numbers


def has_line(stream: subprocess.Popen[str]) -> bool:
    assert stream.stdout is not None
    return bool(select.select([stream.stdout], [], [], 0)[0])


def goes_on(stream: subprocess.Popen[str], after: int) -> None:
    """Later packets come back, GOES_ON of them."""
    later: set[int] = set()
    while len(later) < GOES_ON:
        later |= {number for number in echoed(stream, STANDSTILL_S) if number > after}
