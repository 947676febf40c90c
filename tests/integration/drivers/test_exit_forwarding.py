"""A client, its exit and a site: what the exit's kernel forwards, with that kernel as judge."""

from __future__ import annotations

import errno
import hashlib
import os
import socket
import subprocess
import threading
from collections.abc import Iterator

import pytest

from lokinet_node.base.addresses import parse_range
from lokinet_node.drivers.tun import MOST_SEGMENTS
from lokinet_node.exits.exit_range import parse_exit_range
from lokinet_node.exits.policy import Policy, Rules
from lokinet_node.exits.provider import ExitProvider
from lokinet_node.exits.refusals import Refusal
from lokinet_node.exits.services import parse_service
from lokinet_node.providing import own_ranges
from tests.integration.drivers.exit_pipe import EXIT, SITE, UPLINK, ExitPipe, exit_pipe
from tests.integration.drivers.namespaces import Namespace

MEGABYTE = 1 << 20
IP_MTU_DISCOVER = 10
WAIT_S = 10.0
CLOSED = "203.0.113.9"
"""An address the exit does not serve."""
NARROW = 1000
"""The MTU of a narrow internet."""

Joined = tuple[Namespace, Namespace, ExitPipe]


def policy() -> Policy:
    own = own_ranges([parse_range(f"{UPLINK}/24")], parse_range(f"{EXIT}/16"), "10.5.0.7")
    rules = Rules(
        allowed=(parse_exit_range("192.0.2.0/24"),), denied_services=(parse_service("tcp/25"),)
    )
    return Policy(rules, own)


@pytest.fixture(scope="module")
def joined() -> Iterator[Joined]:
    with exit_pipe(policy()) as ends:
        yield ends
        assert ends[2].client.drops() == {}
        assert ends[2].exit.drops() == {}


@pytest.fixture
def narrow() -> Iterator[Joined]:
    with exit_pipe(policy(), NARROW) as ends:
        yield ends


def opened(namespace: Namespace, kind: socket.SocketKind, bind: str = "") -> socket.socket:
    with namespace.entered():
        sock = socket.socket(socket.AF_INET, kind)
    sock.settimeout(WAIT_S)
    if bind:
        sock.bind((bind, 0))
    return sock


def connected(client: Namespace, site: Namespace) -> tuple[socket.socket, socket.socket]:
    """A connection from the client to the site: (the client's socket, the site's)."""
    with opened(site, socket.SOCK_STREAM, SITE) as listener:
        listener.listen()
        sock = opened(client, socket.SOCK_STREAM)
        sock.connect((SITE, listener.getsockname()[1]))
        accepted, peer = listener.accept()
        assert peer[0] == UPLINK, "a site sees the exit"
        accepted.settimeout(WAIT_S)
        return sock, accepted


def transfer(source: socket.socket, target: socket.socket, size: int) -> None:
    """Send so many bytes one way; what arrives is what was sent."""
    data = os.urandom(size)

    def send() -> None:
        source.sendall(data)
        source.shutdown(socket.SHUT_WR)

    sender = threading.Thread(target=send)
    sender.start()
    digest = hashlib.sha256()
    while part := target.recv(MEGABYTE):
        digest.update(part)
    sender.join(WAIT_S)
    assert digest.digest() == hashlib.sha256(data).digest()


def ping(namespace: Namespace, *options: str) -> str:
    """What ping prints, whether it was answered or not."""
    inside = ["nsenter", f"--net=/proc/{namespace.pid}/ns/net", "ping", "-n", "-c", "1", *options]
    done = subprocess.run(inside, capture_output=True, check=False, text=True, timeout=60)
    return done.stdout + done.stderr


def share_of_super_packets(reads: dict[tuple[int, int], int]) -> float:
    """Of all segments a tun gave, those that came in super-packets."""
    whole = sum(segments * count for (kind, segments), count in reads.items() if kind)
    return whole / sum(segments * count for (_, segments), count in reads.items())


def test_super_packets_stay_whole_to_the_internet_and_back(joined: Joined) -> None:
    client, site, carried = joined
    for end in (carried.client, carried.exit):
        end.reads.clear()
        end.writes.clear()
    up = connected(client, site)
    with up[0], up[1]:
        transfer(up[0], up[1], 24 * MEGABYTE)
    assert share_of_super_packets(carried.client.reads) > 0.9
    assert carried.exit.writes[1] > carried.exit.writes[0]
    carried.exit.reads.clear()
    down = connected(client, site)
    with down[0], down[1]:
        transfer(down[1], down[0], 24 * MEGABYTE)
    # what comes from the internet was joined by another device, up to 64 KiB
    assert max(segments for _, segments in carried.exit.reads) > MOST_SEGMENTS
    assert share_of_super_packets(carried.exit.reads) > 0.5


def test_udp_goes_through_also_in_fragments(joined: Joined) -> None:
    client, site, _ = joined
    with (
        opened(site, socket.SOCK_DGRAM, SITE) as echo,
        opened(client, socket.SOCK_DGRAM) as asking,
    ):
        # else the first one that is too long for the tun tells the site so, and is lost
        echo.setsockopt(socket.IPPROTO_IP, IP_MTU_DISCOVER, 0)
        for size in (0, 1, 1252, 1253, 4000, 30_000):
            payload = os.urandom(size)
            asking.sendto(payload, (SITE, echo.getsockname()[1]))
            data, peer = echo.recvfrom(MEGABYTE)
            assert (data, peer[0]) == (payload, UPLINK)
            echo.sendto(data, peer)
            assert asking.recvfrom(MEGABYTE) == (payload, (SITE, echo.getsockname()[1]))


def test_what_an_exit_refuses_fails_at_once(joined: Joined) -> None:
    client, _, carried = joined
    provider = carried.exit.door.provider
    assert isinstance(provider, ExitProvider)
    with opened(client, socket.SOCK_STREAM) as sock:
        assert sock.connect_ex((SITE, 25)) == errno.EHOSTUNREACH
    assert provider.refused[Refusal.DENIED_PORT] >= 1
    assert "Packet filtered" in ping(client, CLOSED)
    assert provider.refused[Refusal.RANGE] >= 1


def test_an_exit_is_no_way_into_its_own_machine(joined: Joined) -> None:
    client, _, carried = joined
    provider = carried.exit.door.provider
    assert isinstance(provider, ExitProvider)
    for address in (UPLINK, EXIT, "172.16.0.77"):
        before = provider.refused[Refusal.LOCAL]
        assert "Packet filtered" in ping(client, address)
        assert provider.refused[Refusal.LOCAL] > before


def test_who_says_that_a_time_to_live_is_over_is_told_apart(joined: Joined) -> None:
    client, _, carried = joined
    mapped = carried.client.mapped
    assert mapped is not None
    exit_ = ".".join(map(str, mapped))
    assert f"From {exit_} icmp_seq=1 Time to live exceeded" in ping(client, "-t", "1", SITE)
    assert "1 received" in ping(client, "-t", "2", SITE)


def test_a_narrow_internet_is_found_out(narrow: Joined) -> None:
    client, site, _ = narrow
    assert f"mtu = {NARROW}" in ping(client, "-M", "do", "-s", "1200", SITE)
    sock, accepted = connected(client, site)
    with sock, accepted:
        transfer(sock, accepted, 4 * MEGABYTE)
