"""The link socket on real kernels: bursts stay bursts, errors are hints, drops have names."""

from __future__ import annotations

import errno
import select
import socket
from collections.abc import Callable, Iterator
from contextlib import closing

import pytest

from lokinet_node.base.errors import OperatorError
from lokinet_node.burst import DATAGRAM, ROWS, Datagrams
from lokinet_node.drivers.udp import GATHER_LIMIT, Address, UdpSocket, source_towards
from tests.integration.drivers.namespaces import Namespace, join, two_namespaces

LOOPBACK = ("127.0.0.1", 0)
WAIT_MS = 5000


@pytest.fixture
def pair() -> Iterator[tuple[UdpSocket, UdpSocket]]:
    with closing(UdpSocket(LOOPBACK)) as first, closing(UdpSocket(LOOPBACK)) as second:
        yield first, second


def datagrams(count: int, mark: int = 0) -> bytes:
    return b"".join(bytes([mark + i]) * DATAGRAM for i in range(count))


def is_readable(sock: UdpSocket, timeout_ms: int = WAIT_MS) -> bool:
    poll = select.poll()
    poll.register(sock, select.POLLIN)
    return bool(poll.poll(timeout_ms))


def read(sock: UdpSocket) -> tuple[int, Address, bytes]:
    """The next burst, as a loop that waits for readability sees it."""
    burst = Datagrams()
    got = None
    while got is None:
        assert is_readable(sock), "nothing arrived"
        got = sock.receive(burst)
    count, address = got
    return count, address, bytes(burst.bursts[count])


def counts_until_dry(sock: UdpSocket) -> list[int]:
    """Datagrams of each burst until the socket is not readable any more."""
    counts = []
    while is_readable(sock, 0):
        while (got := sock.receive(Datagrams())) is not None:
            counts.append(got[0])
    return counts


def test_a_burst_on_loopback_is_one_read(pair: tuple[UdpSocket, UdpSocket]) -> None:
    sender, receiver = pair
    for count in (1, 2, 45, ROWS):
        sender.send(receiver.address, memoryview(datagrams(count)))
        assert read(receiver) == (count, sender.address, datagrams(count))
        assert not is_readable(receiver, 0)
    assert not any((*sender.drops.values(), *receiver.drops.values()))
    assert receiver.take_hints() == []


def test_a_burst_on_veth_is_one_read() -> None:
    with two_namespaces() as (first, second):
        ends = join(first, second)
        with first.entered():
            sender = UdpSocket((ends[0], 1090))
        with second.entered():
            receiver = UdpSocket((ends[1], 1090))
        with closing(sender), closing(receiver):
            sender.send(receiver.address, memoryview(datagrams(45)))
            assert read(receiver) == (45, sender.address, datagrams(45))


def test_single_datagrams_of_one_sender_are_gathered(
    pair: tuple[UdpSocket, UdpSocket],
) -> None:
    sender, receiver = pair
    for number in range(10):
        sender.send(receiver.address, memoryview(datagrams(1, number)))
    assert read(receiver) == (10, sender.address, datagrams(10))
    assert receiver.receive(Datagrams()) is None


def test_after_a_lone_one_the_next_is_handed_on_before_what_lies_behind_it(
    pair: tuple[UdpSocket, UdpSocket],
) -> None:
    sender, receiver = pair

    def send(count: int) -> None:
        for number in range(count):
            sender.send(receiver.address, memoryview(datagrams(1, number)))

    send(1)
    assert counts_until_dry(receiver) == [1]
    send(4)
    assert read(receiver) == (1, sender.address, datagrams(1))
    assert receiver.receive(Datagrams()) == (3, sender.address)
    assert receiver.receive(Datagrams()) is None
    send(4)
    assert counts_until_dry(receiver) == [4], "something lay behind the last one"


def test_what_has_no_room_stays_for_the_next_burst(pair: tuple[UdpSocket, UdpSocket]) -> None:
    sender, receiver = pair
    for count in (5, 40, 3, GATHER_LIMIT + 1, 1):
        sender.send(receiver.address, memoryview(datagrams(count)))
    got = counts_until_dry(receiver)
    assert got == [45, 3 + GATHER_LIMIT + 1 + 1]
    assert sum(got) == 5 + 40 + 3 + GATHER_LIMIT + 1 + 1


def test_datagrams_of_several_senders_are_kept_apart_and_in_order(
    pair: tuple[UdpSocket, UdpSocket],
) -> None:
    first, receiver = pair
    with closing(UdpSocket(LOOPBACK)) as second:
        for sender, count, mark in ((first, 1, 1), (first, 2, 2), (second, 3, 10), (second, 1, 13)):
            sender.send(receiver.address, memoryview(datagrams(count, mark)))
        first.send(receiver.address, memoryview(datagrams(1, 4)))
        assert read(receiver) == (3, first.address, datagrams(3, 1))
        assert read(receiver) == (4, second.address, datagrams(4, 10))
        assert read(receiver) == (1, first.address, datagrams(1, 4))
        assert counts_until_dry(receiver) == []


@pytest.mark.parametrize("size", [0, 1, 1375, 1377, 2 * DATAGRAM + 5])
def test_other_sizes_are_counted_and_stop_nothing(
    pair: tuple[UdpSocket, UdpSocket], size: int
) -> None:
    sender, receiver = pair
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as stranger:
        sender.send(receiver.address, memoryview(datagrams(1)))
        stranger.sendto(b"?" * size, receiver.address)
        sender.send(receiver.address, memoryview(datagrams(2)))
        assert counts_until_dry(receiver) == [1, size // DATAGRAM, 2]
    assert receiver.drops["odd-size"] == 1


def closed_port() -> Address:
    with closing(UdpSocket(LOOPBACK)) as gone:
        return gone.address


def test_an_icmp_error_is_a_hint_about_whom_it_quotes(pair: tuple[UdpSocket, UdpSocket]) -> None:
    sender, _ = pair
    dead = closed_port()
    sender.send(dead, memoryview(datagrams(1)))
    assert sender.receive(Datagrams()) is not None  # the pending error, nothing read
    assert sender.take_hints() == [dead]
    assert sender.take_hints() == []
    assert not any(sender.drops.values())


def test_an_error_about_one_peer_costs_the_next_one_nothing(
    pair: tuple[UdpSocket, UdpSocket],
) -> None:
    sender, receiver = pair
    dead = closed_port()
    sender.send(dead, memoryview(datagrams(1)))
    sender.send(receiver.address, memoryview(datagrams(45)))
    assert read(receiver)[0] == 45
    assert sender.take_hints() == [dead]
    assert not any(sender.drops.values())


def test_queued_errors_do_not_keep_the_socket_readable(
    pair: tuple[UdpSocket, UdpSocket],
) -> None:
    sender, _ = pair
    dead = closed_port()
    for _ in range(3):
        sender.send(dead, memoryview(datagrams(1)))
    turns = 0
    hints: set[Address] = set()
    while is_readable(sender, 0):
        turns += 1
        assert turns < 10, "the loop would spin"
        while sender.receive(Datagrams()) is not None:
            pass
        hints.update(sender.take_hints())
    assert hints == {dead}


def test_a_way_with_a_small_mtu_is_counted_and_others_keep_their_bursts() -> None:
    with two_namespaces() as (first, second):
        ends = join(first, second, mtu=1300)
        with first.entered():
            sender = UdpSocket((ends[0], 0))
            near = UdpSocket((ends[0], 0))
        with closing(sender), closing(near):
            sender.send((ends[1], 1090), memoryview(datagrams(3)))
            assert sender.drops["send-too-large"] == 3
            assert sender.take_hints() == []
            sender.send(near.address, memoryview(datagrams(3)))
            assert read(near)[0] == 3
            assert sender.segments


def test_an_unreachable_network_is_counted() -> None:
    namespace = Namespace()
    with closing(namespace), namespace.entered(), closing(UdpSocket(LOOPBACK)) as sender:
        sender.send(("192.0.2.1", 1090), memoryview(datagrams(2)))
        assert sender.drops["send-failed"] == 2


def test_a_forbidden_send_is_counted() -> None:
    namespace = Namespace()
    with closing(namespace), namespace.entered(), closing(UdpSocket(LOOPBACK)) as sender:
        chain = "add chain ip t out { type filter hook output priority 0; }"
        namespace.run(f"nft 'add table ip t; {chain}; add rule ip t out udp dport 9 drop'")
        sender.send(("127.0.0.1", 9), memoryview(datagrams(2)))
        assert sender.drops["send-failed"] == 2


def refusing_bursts(sock: UdpSocket) -> Callable[[memoryview, Address], object]:
    real = sock._socket

    def sendto(view: memoryview, address: Address) -> int:
        if len(view) > DATAGRAM:
            raise OSError(errno.EIO, "no checksum offload")
        return real.sendto(view, address)

    return sendto


def test_where_bursts_are_refused_datagrams_leave_one_by_one(
    pair: tuple[UdpSocket, UdpSocket],
) -> None:
    """The one fault no kernel here shows: devices without checksum offload before Linux 6.11."""
    sender, receiver = pair
    sender._sendto = refusing_bursts(sender)
    for _ in range(2):
        sender.send(receiver.address, memoryview(datagrams(20)))
        assert read(receiver) == (20, sender.address, datagrams(20))
    assert not sender.segments
    assert not any(sender.drops.values())


def test_a_full_buffer_drops_and_counts() -> None:
    with two_namespaces() as (first, second):
        ends = join(first, second)
        shaper = "rate 8kbit burst 70000 limit 20000000"
        first.run(f"tc qdisc add dev v0 root tbf {shaper}")
        with first.entered():
            sender = UdpSocket((ends[0], 0))
        with closing(sender):
            for _ in range(400):
                sender.send((ends[1], 1090), memoryview(datagrams(45)))
            assert sender.drops["send-full"] > 0
            assert sender.drops["send-full"] % 45 == 0


def test_sockets_bind_one_address() -> None:
    with pytest.raises(OperatorError, match=r"not 0\.0\.0\.0"):
        UdpSocket(("0.0.0.0", 0))
    with pytest.raises(OperatorError, match="no interface of this host"):
        UdpSocket(("192.0.2.77", 1090))
    with closing(UdpSocket(LOOPBACK)) as taken, pytest.raises(OperatorError, match="another node"):
        UdpSocket(taken.address)


def test_the_source_towards_a_peer_is_the_routes() -> None:
    assert source_towards("127.0.0.1") == "127.0.0.1"
    with two_namespaces() as (first, second):
        ends = join(first, second)
        with first.entered():
            assert source_towards(ends[1]) == ends[0]
            with pytest.raises(OperatorError, match=r"no route to 198\.51\.100\.1"):
                source_towards("198.51.100.1")


def test_datagrams_leave_unfragmented_whatever_the_path_says(
    pair: tuple[UdpSocket, UdpSocket],
) -> None:
    sender, _ = pair
    assert sender._socket.getsockopt(socket.IPPROTO_IP, 10) == 3
    assert sender._socket.getsockopt(socket.IPPROTO_IP, 11) == 1
