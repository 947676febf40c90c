"""Tun, splitting and merging with the kernel as judge: real sockets on both sides."""

from __future__ import annotations

import hashlib
import os
import re
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import closing

import pytest

from lokinet_node.base.addresses import Range, parse_range
from lokinet_node.base.errors import OperatorError
from lokinet_node.drivers.routes import free_range, used_ranges
from lokinet_node.drivers.tun import MOST_SEGMENTS, Tun
from tests.integration.drivers.namespaces import Namespace
from tests.integration.drivers.pipe import ALICE, GUEST, NOBODY, SERVER, WEB, Pipe, pipe

UDP_SEGMENT, UDP_GRO = 103, 104
GSO_TCP4, GSO_UDP = 1, 5
SO_NO_CHECK = 11
WAIT_S = 10.0
MEGABYTE = 1 << 20


@pytest.fixture(scope="module")
def joined() -> Iterator[tuple[Namespace, Namespace, Pipe]]:
    with pipe() as ends:
        yield ends
        for end in ends[2].ends:
            assert end.drops() == {}, "a packet of a whole run was refused"


def opened(namespace: Namespace, kind: socket.SocketKind, bind: str | None = None) -> socket.socket:
    with namespace.entered():
        sock = socket.socket(socket.AF_INET, kind)
    sock.settimeout(WAIT_S)
    if bind:
        sock.bind((bind, 0))
    return sock


def tcp_pair(alice: Namespace, server: Namespace) -> tuple[socket.socket, socket.socket]:
    """A connection from alice to the server: (alice's socket, the server's)."""
    with opened(server, socket.SOCK_STREAM, SERVER) as listener:
        listener.listen()
        client = opened(alice, socket.SOCK_STREAM)
        client.connect((WEB, listener.getsockname()[1]))
        accepted, peer = listener.accept()
        assert peer[0] == GUEST
        assert client.getsockname()[0] == ALICE
        accepted.settimeout(WAIT_S)
        return client, accepted


def digest_all(sock: socket.socket) -> tuple[int, str]:
    total, digest = 0, hashlib.sha256()
    while data := sock.recv(MEGABYTE):
        total += len(data)
        digest.update(data)
    return total, digest.hexdigest()


def test_tcp_arrives_whole_in_both_directions_at_once(
    joined: tuple[Namespace, Namespace, Pipe],
) -> None:
    alice, server, carried = joined
    client, accepted = tcp_pair(alice, server)
    up, down = os.urandom(24 * MEGABYTE), os.urandom(24 * MEGABYTE + 777)

    def send(sock: socket.socket, data: bytes) -> None:
        sock.sendall(data)
        sock.shutdown(socket.SHUT_WR)

    with client, accepted:
        senders = [
            threading.Thread(target=send, args=(client, up)),
            threading.Thread(target=send, args=(accepted, down)),
        ]
        got: list[tuple[int, str]] = []
        reader = threading.Thread(target=lambda: got.append(digest_all(accepted)))
        for thread in (*senders, reader):
            thread.start()
        assert digest_all(client) == (len(down), hashlib.sha256(down).hexdigest())
        for thread in (*senders, reader):
            thread.join(WAIT_S)
        assert got == [(len(up), hashlib.sha256(up).hexdigest())]
    for end in carried.ends:
        # gso_max_segs holds, so that a read is one burst; and merging does happen
        assert max(rows for _, rows in end.reads) == MOST_SEGMENTS
        assert end.writes[GSO_TCP4] > 0


def test_a_short_connection_opens_answers_and_closes(
    joined: tuple[Namespace, Namespace, Pipe],
) -> None:
    alice, server, _ = joined
    for size in (0, 1, 1240, 1241, 60_000):
        client, accepted = tcp_pair(alice, server)
        with client:
            with accepted:
                accepted.sendall(b"x" * size)
            assert digest_all(client)[0] == size


@pytest.mark.parametrize("size", [0, 1, 1200, 1252, 1253, 4000, 65_507])
@pytest.mark.parametrize("no_checksum", [0, 1])
def test_udp_is_echoed_also_in_fragments(
    joined: tuple[Namespace, Namespace, Pipe], size: int, no_checksum: int
) -> None:
    alice, server, _ = joined
    payload = os.urandom(size)
    with (
        opened(server, socket.SOCK_DGRAM, SERVER) as echo,
        opened(alice, socket.SOCK_DGRAM) as client,
    ):
        for sock in (echo, client):
            sock.setsockopt(socket.SOL_SOCKET, SO_NO_CHECK, no_checksum)
        client.sendto(payload, (WEB, echo.getsockname()[1]))
        data, peer = echo.recvfrom(MEGABYTE)
        assert (data, peer[0]) == (payload, GUEST)
        echo.sendto(data, peer)
        assert client.recvfrom(MEGABYTE) == (payload, (WEB, echo.getsockname()[1]))


def test_udp_super_packets_are_cut_and_joined(
    joined: tuple[Namespace, Namespace, Pipe],
) -> None:
    alice, server, carried = joined
    first, second = carried.ends
    assert first.tun.segments_udp, "this kernel has no UDP segmentation on tun (needs Linux 6.2)"
    before = first.reads[GSO_UDP, 41], second.writes[GSO_UDP]
    payload = os.urandom(40 * 1200 + 7)
    with (
        opened(server, socket.SOCK_DGRAM, SERVER) as plain,
        opened(server, socket.SOCK_DGRAM, SERVER) as joining,
        opened(alice, socket.SOCK_DGRAM) as client,
    ):
        joining.setsockopt(socket.IPPROTO_UDP, UDP_GRO, 1)
        client.setsockopt(socket.IPPROTO_UDP, UDP_SEGMENT, 1200)
        client.sendto(payload, (WEB, plain.getsockname()[1]))
        datagrams = [plain.recv(MEGABYTE) for _ in range(41)]
        assert [len(data) for data in datagrams] == [1200] * 40 + [7]
        assert b"".join(datagrams) == payload
        client.sendto(payload, (WEB, joining.getsockname()[1]))
        assert joining.recv(MEGABYTE) == payload
    assert first.reads[GSO_UDP, 41] == before[0] + 2
    assert second.writes[GSO_UDP] == before[1] + 2


@pytest.mark.parametrize("size", [0, 56, 1252, 4000])
def test_ping_is_answered(joined: tuple[Namespace, Namespace, Pipe], size: int) -> None:
    alice, server, _ = joined
    for namespace, address in ((alice, WEB), (server, GUEST)):
        ran = namespace.run(f"ping -n -c 2 -i 0.01 -s {size} {address}")
        assert " 0% packet loss" in ran.stdout
        assert f"from {address}" in ran.stdout


def test_a_closed_udp_port_is_refused_at_the_other_end(
    joined: tuple[Namespace, Namespace, Pipe],
) -> None:
    alice, server, _ = joined
    with opened(server, socket.SOCK_DGRAM, SERVER) as gone:
        port = gone.getsockname()[1]
    with opened(alice, socket.SOCK_DGRAM) as client:
        client.connect((WEB, port))
        client.send(b"anybody?")
        with pytest.raises(ConnectionRefusedError):
            client.recv(1)


def test_a_closed_tcp_port_is_refused_at_the_other_end(
    joined: tuple[Namespace, Namespace, Pipe],
) -> None:
    alice, server, _ = joined
    with opened(server, socket.SOCK_STREAM, SERVER) as gone:
        port = gone.getsockname()[1]
    with opened(alice, socket.SOCK_STREAM) as client, pytest.raises(ConnectionRefusedError):
        client.connect((WEB, port))


def test_an_error_of_a_filter_reaches_the_sender(
    joined: tuple[Namespace, Namespace, Pipe],
) -> None:
    alice, server, _ = joined
    chain = "add chain ip t in { type filter hook input priority 0; }"
    rule = "add rule ip t in udp dport 4444 reject with icmp type host-prohibited"
    server.run(f"nft 'add table ip t; {chain}; {rule}'")
    with opened(alice, socket.SOCK_DGRAM) as client:
        client.connect((WEB, 4444))
        client.send(b"may I?")
        with pytest.raises(OSError, match="No route to host"):
            client.recv(1)
    server.run("nft delete table ip t")


def test_an_address_that_maps_to_nobody_is_refused_at_once(
    joined: tuple[Namespace, Namespace, Pipe],
) -> None:
    alice, _, _ = joined
    with opened(alice, socket.SOCK_STREAM) as client, pytest.raises(OSError, match="Host is down"):
        client.connect((NOBODY, 80))
    with opened(alice, socket.SOCK_DGRAM) as sender:
        sender.connect((NOBODY, 80))
        sender.send(b"anybody?")
        with pytest.raises(OSError, match="Host is down"):
            sender.recv(1)


def test_the_kernel_says_itself_what_is_too_long(
    joined: tuple[Namespace, Namespace, Pipe],
) -> None:
    alice, _, _ = joined
    with opened(alice, socket.SOCK_DGRAM) as client:
        client.setsockopt(socket.IPPROTO_IP, 10, 2)  # IP_MTU_DISCOVER: IP_PMTUDISC_DO
        client.sendto(bytes(1252), (WEB, 9))
        with pytest.raises(OSError, match="Message too long"):
            client.sendto(bytes(1253), (WEB, 9))


# --- the device itself


@pytest.fixture
def alone() -> Iterator[Namespace]:
    with closing(Namespace()) as namespace:
        yield namespace


def test_a_new_device_has_a_free_name_and_a_free_range(alone: Namespace) -> None:
    with alone.entered():
        alone.run("ip link add eth0 type veth")
        alone.run("ip address add 172.16.5.9/12 dev eth0")
        alone.run("ip address add 10.0.0.200/30 dev eth0")
        with closing(Tun()) as first, closing(Tun()) as second:
            assert (first.name, str(first.address)) == ("lokitun0", "10.1.0.1/16")
            assert (second.name, str(second.address)) == ("lokitun1", "10.2.0.1/16")
            link = alone.run("ip -d link show lokitun0").stdout
            for word in (",UP,", "mtu 1280", "gso_max_segs 45", "vnet_hdr on", "qlen 2000"):
                assert word in link
            routes = alone.run("ip route").stdout
            assert "10.1.0.0/16 dev lokitun0" in routes
            assert "inet6" not in alone.run("ip address show lokitun0").stdout
            assert Range(second.address.address, 16) in used_ranges()
        assert alone.run("ip -br link show type tun").stdout == ""


def test_an_idle_device_says_nothing(alone: Namespace) -> None:
    with alone.entered(), closing(Tun()) as tun:
        assert tun.read_into(bytearray(1 << 16)) == 0


def test_a_device_that_is_down_drops_and_one_that_is_removed_is_an_error(alone: Namespace) -> None:
    with alone.entered(), closing(Tun()) as tun:
        packet = bytes(10) + b"\x45" + bytes(19)
        alone.run("ip link set lokitun0 down")
        assert tun.read_into(bytearray(1 << 16)) == 0
        tun.write(packet)
        assert tun.drops == {"tun-refused": 1}
        alone.run("ip link delete lokitun0")
        with pytest.raises(OperatorError, match="lokitun0 is gone"):
            tun.read_into(bytearray(1 << 16))


def test_names_that_cannot_be_are_refused_with_the_key_to_change(alone: Namespace) -> None:
    with alone.entered(), closing(Tun("loki0")):
        with pytest.raises(OperatorError, match=r"loki0: Device or resource busy.*ifname="):
            Tun("loki0")
        with pytest.raises(OperatorError, match=r"Invalid argument.*ifname="):
            Tun("a/b")
        with pytest.raises(OperatorError, match="name too long"):
            Tun("x" * 16)


PROBE = """
from lokinet_node.base.errors import OperatorError
from lokinet_node.drivers.tun import Tun
try:
    Tun()
except OperatorError as error:
    print(error)
"""


@pytest.mark.parametrize(
    ("prelude", "reason"),
    [
        ("mount -t tmpfs none /dev/net", "/dev/net/tun is missing.*modprobe tun"),
        ("mount --bind /dev/null /dev/net/tun", "/dev/net/tun is something else"),
    ],
)
def test_a_host_without_the_device_is_told_what_to_do(prelude: str, reason: str) -> None:
    command = f"{prelude} && exec {sys.executable} -c '{PROBE}'"
    ran = subprocess.run(
        ["unshare", "--mount", "--net", "sh", "-c", command],
        capture_output=True,
        check=True,
        text=True,
        timeout=WAIT_S,
    )
    assert ran.stderr == ""
    assert re.match(f"tun device lokitun: .*{reason}", ran.stdout)


def test_a_user_without_the_right_is_told_what_to_do(alone: Namespace) -> None:
    with alone.entered():
        os.seteuid(65_534)
        try:
            with pytest.raises(OperatorError, match="root"):
                Tun()
        finally:
            os.seteuid(0)


@pytest.mark.parametrize(
    ("used", "found"),
    [
        ([], "172.16.0.1/16"),
        (["192.0.2.1/24", "172.16.255.1/30"], "172.17.0.1/16"),
        (["172.16.0.1/16", "172.24.0.9/13"], "172.17.0.1/16"),
        (["172.16.0.1/12"], "10.0.0.1/16"),
        (["172.16.0.1/12", "10.0.0.1/9", "10.128.3.3/32"], "10.129.0.1/16"),
        (["172.16.0.1/12", "10.0.0.1/8"], "192.168.0.1/24"),
        (["172.16.0.1/12", "10.0.0.1/8", "192.168.0.77/24"], "192.168.1.1/24"),
    ],
)
def test_ranges_are_tried_in_lokinets_order(used: list[str], found: str) -> None:
    assert str(free_range([parse_range(text) for text in used])) == found


def test_when_no_range_is_free_the_key_to_set_is_named() -> None:
    with pytest.raises(OperatorError, match="ifaddr="):
        free_range([parse_range("0.0.0.0/0")])
