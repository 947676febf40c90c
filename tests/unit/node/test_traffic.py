"""The data plane of a tun by itself: what waits, what is dropped, what goes together."""

from __future__ import annotations

from lokinet_node.base.addresses import parse_range
from lokinet_node.burst import ROWS, Cells
from lokinet_node.exits.door import Door
from lokinet_node.exits.door6 import Door6
from lokinet_node.exits.policy import Policy, Rules
from lokinet_node.exits.provider import ExitProvider
from lokinet_node.node.traffic import WAITING_PACKETS, WAITING_REMOTES, Drop, Guard, Traffic
from lokinet_node.session.addresses import AddressMap, Remote
from lokinet_node.session.merge import Merger
from lokinet_node.session.split import Splitter
from lokinet_node.session.streams import ReceiveStream, SendStream
from lokinet_node.testing.packets import delivered, read_of, udp
from lokinet_node.wire.ip import HOST_UNREACHABLE, ICMP

KEY = bytes(range(44)) + b"\0\0\0\7"
NOW = 5


class Flow:
    """A way that can be there or not; keeps what it carried as (index, records)."""

    def __init__(self) -> None:
        self.is_open = True
        self.is_up = True
        self.refusal = False
        self.guard: Guard | None = None
        self.carries = True
        self.stream = SendStream(KEY)
        self.bursts: list[tuple[int, bytes]] = []

    def sending(self) -> tuple[SendStream, Flow, int] | None:
        return (self.stream, self, 9) if self.is_open else None

    def is_refused(self, now: int) -> bool:
        return self.refusal

    def carry(self, cells: Cells, count: int, now: int) -> bool:
        if self.carries:
            self.bursts.append((count, bytes(cells.span(0, count))))
        return self.carries


class Bench:
    def __init__(self, own: str = "172.16.0.1/16") -> None:
        self.wanted: list[Remote] = []
        self.written: list[bytes] = []
        self.traffic = Traffic(
            AddressMap(parse_range(own)),
            lambda packet: self.written.append(bytes(packet)),
            lambda remote, now: self.wanted.append(remote),
            Splitter(),
            Merger(join_udp=False),
        )

    def remote(self, number: int) -> Remote:
        return Remote(False, number.to_bytes(32, "big"))

    def flow(self, number: int) -> Flow:
        made = self.traffic.flows[self.remote(number)] = Flow()
        return made

    def send(self, number: int, payload: bytes = b"x") -> None:
        """A packet for a remote; it waits for a flush."""
        target = self.traffic.addresses.assign(self.remote(number))
        assert target is not None
        read = read_of(udp(self.traffic.addresses.own, target, payload))
        self.traffic.packet(read, len(read), NOW)

    def drops(self) -> dict[str, int]:
        return {drop.name: self.traffic.drops[drop] for drop in Drop if self.traffic.drops[drop]}


def test_packets_read_together_for_one_remote_leave_together() -> None:
    bench = Bench()
    flow = bench.flow(1)
    for _ in range(5):
        bench.send(1)
    assert flow.bursts == []
    bench.traffic.flush(NOW)
    assert [count for count, _ in flow.bursts] == [5]
    bench.traffic.flush(NOW)
    assert len(flow.bursts) == 1, "nothing is sent twice"


def test_another_remote_or_a_full_arena_ends_a_burst() -> None:
    bench = Bench()
    one, other = bench.flow(1), bench.flow(2)
    for number in (1, 2, 1):
        bench.send(number)
    assert [count for count, _ in one.bursts] == [1]
    assert [count for count, _ in other.bursts] == [1]
    for _ in range(ROWS):
        bench.send(1)
    assert [count for count, _ in one.bursts] == [1, ROWS]
    bench.traffic.flush(NOW)
    assert [count for count, _ in one.bursts] == [1, ROWS, 1]


def test_a_packet_of_more_segments_than_the_arena_has_rows_fills_it_repeatedly() -> None:
    bench = Bench()
    flow = bench.flow(1)
    target = bench.traffic.addresses.assign(bench.remote(1))
    assert target is not None
    whole = udp(bench.traffic.addresses.own, target, bytes(100 * 400 + 1))
    read = read_of(whole)
    read[:10] = bytes((1, 5, 28, 0)) + (400).to_bytes(2, "little") + bytes((20, 0, 6, 0))
    bench.send(1)
    bench.traffic.packet(read, len(read), NOW)
    bench.traffic.flush(NOW)
    assert [count for count, _ in flow.bursts] == [ROWS, ROWS, 1 + 101 - 2 * ROWS]
    assert bench.drops() == {}


def test_an_exit_does_not_dial_clients_that_are_gone() -> None:
    bench = Bench()
    door = bench.traffic.door = Door(bench.traffic.addresses.own)
    door.provider = ExitProvider(Policy(Rules()))
    target = bench.traffic.addresses.assign(bench.remote(1))
    assert target is not None
    read = read_of(udp(bytes((192, 0, 2, 7)), target, b"late"))
    bench.traffic.packet(read, len(read), NOW)
    assert bench.wanted == []
    assert bench.drops() == {"NO_REMOTE": 1}
    (error,) = (delivered(packet, 0) for packet in bench.written)
    assert (error.source, error.target) == (target, bytes((192, 0, 2, 7)))
    assert error.content[:2] == bytes((3, 1))
    bench.send(1)
    assert bench.wanted == [bench.remote(1)], "its own packets still open a session"


def test_what_waits_for_a_flow_goes_in_order_when_it_is_ready() -> None:
    bench = Bench()
    for number in range(3):
        bench.send(1, bytes([number]))
    assert bench.wanted == [bench.remote(1)] * 3
    flow = bench.flow(1)
    bench.traffic.ready(bench.remote(1), NOW)
    ((count, cells),) = flow.bursts
    arena = Cells()
    arena.view[: len(cells)] = cells
    far = Bench()
    far.traffic.records(far.remote(8), ReceiveStream(KEY), arena, 0, tuple(range(count)), NOW)
    assert [delivered(packet, 0).payload for packet in far.written] == [b"\0", b"\1", b"\2"]
    bench.traffic.ready(bench.remote(1), NOW)
    assert len(flow.bursts) == 1


class DownSoon:
    """A consumer with one exit, which is up or down."""

    def __init__(self, exit_: Remote) -> None:
        self.exit = exit_
        self.is_up = True

    def exit_for(self, destination: bytes) -> Remote | None:
        return self.exit if self.is_up else None

    def refusal(self, destination: bytes) -> int:
        return HOST_UNREACHABLE

    def accepts(self, remote: Remote, source: bytes) -> bool:
        return False

    def may_report(self, source: bytes) -> bool:
        return False


def test_what_waits_for_an_exit_that_goes_down_is_refused_and_so_is_what_follows() -> None:
    bench = Bench()
    door = bench.traffic.door = Door(bench.traffic.addresses.own)
    exits = door.consumer = DownSoon(bench.remote(1))

    def send(number: int) -> None:
        read = read_of(udp(door.own, bytes((203, 0, 113, number)), b"x"))
        bench.traffic.packet(read, len(read), NOW)

    def refused() -> list[tuple[bytes, bytes]]:
        """Who is said to be unreachable, and the type and code of it."""
        answers = [delivered(packet, NOW) for packet in bench.written]
        assert all(one.protocol == ICMP and one.target == door.own for one in answers)
        return [(one.source, one.content[:2]) for one in answers]

    bench.send(1, b"to the exit itself")
    send(7)
    send(8)
    assert bench.written == []
    exits.is_up = False
    bench.traffic.unreachable(bench.remote(1))
    code = bytes((3, HOST_UNREACHABLE))
    gone = [(bytes((203, 0, 113, number)), code) for number in (7, 8)]
    assert refused() == gone
    send(9)
    assert refused() == [*gone, (bytes((203, 0, 113, 9)), code)]
    bench.traffic.unreachable(bench.remote(1))
    flow = bench.flow(1)
    bench.traffic.ready(bench.remote(1), NOW)
    assert [count for count, _ in flow.bursts] == [1], "what was for the exit itself waited on"
    bench.traffic.failed(bench.remote(1))
    assert len(refused()) == 3


def test_ipv6_packets_that_wait_for_an_exit_are_told_from_those_for_the_exit_itself() -> None:
    bench = Bench("10.0.0.1/16")
    door = bench.traffic.door = Door(bench.traffic.addresses.own)
    prefix = bytes((0xFD, *bytes(11)))
    six = door.six = Door6(door, prefix)
    exits = door.consumer = DownSoon(bench.remote(1))
    mapped = bench.traffic.addresses.assign(bench.remote(1))
    assert mapped is not None
    site = bytes((0x20, 1, 0x0D, 0xB8, *bytes(11), 7))
    # bytes 16 to 20 of it, where IPv4 has its destination, are those of a mapped address
    own = prefix[:8] + mapped + bytes(4)
    packet = bytes((0x60, 0, 0, 0, 0, 8, 17, 64)) + own + site + bytes((0, 7, 0, 9, 0, 8, 0, 0))
    read = read_of(packet)
    bench.traffic.packet(read, len(read), NOW)
    assert bench.written == []
    assert six.own.startswith(prefix)
    exits.is_up = False
    bench.traffic.unreachable(bench.remote(1))
    (answer,) = bench.written
    assert answer[10] >> 4 == 6
    assert answer[10 + 40 : 10 + 42] == bytes((1, 3)), "address unreachable"


def test_a_remote_that_refuses_us_is_answered_for_at_once() -> None:
    bench = Bench()
    flow = bench.flow(1)
    bench.send(1)
    bench.traffic.flush(NOW)
    flow.is_open = False
    bench.send(1)
    assert bench.written == [], "it waits for the answer"
    bench.traffic.refused(bench.remote(1))
    flow.refusal = True
    bench.send(1)
    first, second = (delivered(packet, 0) for packet in bench.written)
    for answer in (first, second):
        assert answer.protocol == ICMP
        assert answer.content[:2] == b"\3\x0d", "administratively prohibited"
        assert answer.source == bench.traffic.addresses.by_remote[bench.remote(1)]
    assert bench.drops() == {"REFUSED": 2}


def test_only_so_many_packets_wait_the_newest_and_for_so_many_remotes() -> None:
    bench = Bench()
    for number in range(WAITING_PACKETS + 4):
        bench.send(1, bytes([number]))
    assert bench.drops() == {"NOT_READY": 4}
    for number in range(2, WAITING_REMOTES + 1):
        bench.send(number)
    bench.send(WAITING_REMOTES + 1)
    assert bench.drops() == {"NOT_READY": 5}
    bench.traffic.failed(bench.remote(1))
    assert bench.drops() == {"NOT_READY": 5 + WAITING_PACKETS}
    flow = bench.flow(1)
    bench.traffic.ready(bench.remote(1), NOW)
    assert flow.bursts == []


def test_a_flow_that_closes_between_read_and_flush_is_counted() -> None:
    bench = Bench()
    flow = bench.flow(1)
    for _ in range(2):
        bench.send(1)
    flow.is_open = False
    bench.traffic.flush(NOW)
    assert bench.drops() == {"NOT_READY": 2}
    flow.is_open, flow.carries = True, False
    bench.send(1)
    bench.traffic.flush(NOW)
    assert bench.drops() == {"NOT_READY": 2, "NO_PATH": 1}
    assert bench.traffic.packets_out == 0


def test_an_unmapped_address_is_answered_junk_is_not() -> None:
    bench = Bench()
    read = read_of(udp(bench.traffic.addresses.own, bytes([172, 16, 1, 1]), b"x"))
    bench.traffic.packet(read, len(read), NOW)
    (answer,) = bench.written
    assert delivered(answer, 0).protocol == ICMP
    for junk in (bytes(40), bytes(10) + b"\x60" + bytes(60), bytes(12)):
        bench.traffic.packet(bytearray(junk.ljust(64, b"\0")), len(junk), NOW)
    assert len(bench.written) == 1
    assert bench.drops() == {"NO_REMOTE": 4}


def test_when_the_range_is_full_the_address_nobody_used_is_taken() -> None:
    bench = Bench("172.16.0.1/29")  # five remotes fit
    for number in range(1, 6):
        bench.flow(number)
        bench.send(number)
    bench.traffic.flush(NOW)
    bench.send(1)  # the oldest, and in use
    bench.traffic.flush(NOW)
    newcomer = bench.traffic.addresses.assign(bench.remote(6))
    assert newcomer is not None
    known = bench.traffic.addresses.by_remote
    assert bench.remote(1) in known
    assert bench.remote(2) not in known
