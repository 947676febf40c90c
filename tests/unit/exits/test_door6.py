"""IPv6 through an exit, from one tun to the other; scapy is the judge of packets."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scapy.layers.inet import TCP, UDP
from scapy.layers.inet6 import (
    ICMPv6DestUnreach,
    ICMPv6EchoReply,
    ICMPv6EchoRequest,
    ICMPv6MLReport2,
    ICMPv6ND_RS,
    ICMPv6PacketTooBig,
    ICMPv6TimeExceeded,
    IPv6,
    IPv6ExtHdrDestOpt,
    IPv6ExtHdrFragment,
    IPv6ExtHdrHopByHop,
    IPv6ExtHdrRouting,
    fragment6,
)
from scapy.packet import Raw

from lokinet_node.burst import ROWS
from lokinet_node.exits.refusals import Refusal
from lokinet_node.session.exit_rows6 import Rows6
from lokinet_node.session.packets import (
    GSO_UDP,
    NEEDS_CHECKSUM,
    NO_OFFLOAD,
    VNET,
    VNET_HEADER,
)
from lokinet_node.session.plaintexts import PLAINTEXT, TYPE_EXIT6, Plaintexts
from lokinet_node.wire.ip import checksum
from lokinet_node.wire.ip6 import DESTINATION, SOURCE
from tests.exit_pair import CONSUMER, GUEST, NOW, PREFIX, Pair

SITE, ROUTER = "2001:db8::80", "2001:db8:1::1"
ALICE, AT_EXIT, EXIT_INSIDE = "fd00::a00:1", "fd00::ac10:2", "fd00::ac10:1"
EXIT_AT_ALICE = "fd00::a00:2"


class Bench(Pair):
    def __init__(self) -> None:
        self.home: list[bytes] = []
        self.away: list[bytes] = []
        super().__init__(
            lambda packet: self.home.append(bytes(packet)),
            lambda packet: self.away.append(bytes(packet)),
        )

    def leave(self, packet: Any, vnet: bytes = NO_OFFLOAD) -> list[Any]:
        """What comes out at the exit for a packet of alice's kernel."""
        self.away.clear()
        read = bytearray(vnet + bytes(packet))
        self.consumer.packet(read, len(read), NOW)
        self.consumer.flush(NOW)
        return [taken(one) for one in self.away]

    def come(self, packet: Any) -> list[Any]:
        """What alice's kernel gets of a packet of the exit's."""
        self.home.clear()
        read = bytearray(NO_OFFLOAD + bytes(packet))
        self.provider.packet(read, len(read), NOW)
        self.provider.flush(NOW)
        return [taken(one) for one in self.home]


def taken(write: bytes) -> Any:
    """A packet as a kernel takes it: what is left open is filled in, then it must be whole."""
    flags, kind, _, _, start, field = VNET.unpack_from(write)
    assert kind == 0
    packet = bytearray(write[VNET_HEADER:])
    if flags & NEEDS_CHECKSUM:
        value = checksum(packet[start:]) or 0xFFFF
        packet[start + field : start + field + 2] = value.to_bytes(2, "big")
    found = IPv6(bytes(packet))
    assert found.plen == len(packet) - 40
    for layer, name in ((TCP, "chksum"), (UDP, "chksum")):
        if layer in found and IPv6ExtHdrFragment not in found and found.nh in (6, 17):
            assert right(found, layer, name)
    if found.nh == 58:
        assert right(found, type(found.payload), "cksum")
    return found


def right(packet: Any, layer: Any, name: str) -> bool:
    again = IPv6(bytes(packet))
    again[layer].delfieldval(name)
    return bool(IPv6(bytes(again))[layer].getfieldval(name) == packet[layer].getfieldval(name))


@pytest.fixture
def bench() -> Bench:
    bench = Bench()
    # the exit gives its first guest this address, the consumer its exit the other
    assert bench.provider.addresses.assign(CONSUMER) == GUEST
    return bench


@pytest.mark.parametrize("size", [0, 1, 1220])
def test_tcp_leaves_from_the_guests_address_and_comes_back_to_alices(
    bench: Bench, size: int
) -> None:
    (out,) = bench.leave(IPv6(src=ALICE, dst=SITE, fl=7, hlim=9) / TCP(dport=80) / Raw(bytes(size)))
    assert (out.src, out.dst, out[TCP].dport, out.hlim, out.fl) == (AT_EXIT, SITE, 80, 9, 7)
    answer = IPv6(src=SITE, dst=AT_EXIT) / TCP(sport=80, dport=20) / Raw(b"y" * size)
    (back,) = bench.come(answer)
    assert (back.src, back.dst, back[TCP].sport) == (SITE, ALICE, 80)
    assert bytes(back[TCP].payload) == b"y" * size
    assert bench.drops() == {}


def test_the_largest_packet_of_every_link_fits_exactly(bench: Bench) -> None:
    (out,) = bench.leave(IPv6(src=ALICE, dst=SITE) / UDP(dport=9) / Raw(bytes(1280 - 48)))
    assert len(out) == 1280
    assert bench.leave(IPv6(src=ALICE, dst=SITE) / UDP(dport=9) / Raw(bytes(1281 - 48))) == []
    assert bench.drops() == {"consumer ipv6-too-long": 1}


def test_neither_end_learns_an_address_of_the_others_tun(bench: Bench) -> None:
    rows, plain = Rows6(), Plaintexts()
    read = bytearray(NO_OFFLOAD + bytes(IPv6(src=ALICE, dst=SITE) / UDP() / Raw(b"x")))
    assert rows.split(read, len(read), plain, 0, DESTINATION) == 1
    assert plain.buffer[0] == TYPE_EXIT6
    assert PREFIX[:1] not in bytes(plain.buffer[3 : 3 + 24])
    error = IPv6(src=ROUTER, dst=AT_EXIT) / ICMPv6TimeExceeded() / IPv6(src=AT_EXIT, dst=SITE)
    read = bytearray(NO_OFFLOAD + bytes(error / UDP()))
    assert rows.split(read, len(read), plain, 0, SOURCE) == 1
    assert b"\xac\x10" not in bytes(plain.rows[0])


@pytest.mark.parametrize("sizes", [[1200] * 40 + [7], [1], [3, 3], [1232] * 3])
def test_joined_datagrams_are_cut(bench: Bench, sizes: list[int]) -> None:
    payload = b"".join(bytes((number,)) * size for number, size in enumerate(sizes))
    vnet = VNET.pack(NEEDS_CHECKSUM, GSO_UDP, 48, sizes[0], 40, 6)
    out = bench.leave(IPv6(src=ALICE, dst=SITE) / UDP(dport=9) / Raw(payload), vnet)
    assert [len(one[UDP].payload) for one in out] == sizes
    assert b"".join(bytes(one[UDP].payload) for one in out) == payload
    assert {(one.src, one.dst, one[UDP].dport) for one in out} == {(AT_EXIT, SITE, 9)}
    assert bench.there.records == [len(sizes)]


def test_packets_read_together_leave_together_and_no_more_than_fit(bench: Bench) -> None:
    read = bytearray(NO_OFFLOAD + bytes(IPv6(src=ALICE, dst=SITE) / UDP() / Raw(b"x")))
    for _ in range(ROWS + 1):
        bench.consumer.packet(read, len(read), NOW)
    bench.consumer.flush(NOW)
    assert bench.there.records == [ROWS, 1]
    assert len(bench.away) == ROWS + 1


def test_ping_goes_and_comes(bench: Bench) -> None:
    (out,) = bench.leave(IPv6(src=ALICE, dst=SITE) / ICMPv6EchoRequest(id=1, seq=2, data=b"odd"))
    assert (out.src, out.dst) == (AT_EXIT, SITE)
    (back,) = bench.come(IPv6(src=SITE, dst=AT_EXIT) / ICMPv6EchoReply(id=1, seq=2, data=b"odd"))
    assert (back.src, back.dst) == (SITE, ALICE)


def test_fragments_keep_a_checksum_that_is_right_in_the_end(bench: Bench) -> None:
    whole = IPv6(src=ALICE, dst=SITE) / IPv6ExtHdrFragment(id=5) / UDP(dport=9) / Raw(b"ab" * 1000)
    right_sum = IPv6(bytes(IPv6(src=AT_EXIT, dst=SITE) / UDP(dport=9) / Raw(b"ab" * 1000)))
    parts: list[Any] = fragment6(whole, 1280)  # type: ignore[no-untyped-call]
    first, second = [one for part in parts for one in bench.leave(part)]
    assert (first.src, second.src) == (AT_EXIT, AT_EXIT)
    assert first[UDP].chksum == right_sum[UDP].chksum
    assert len(first) == 1280 or len(first) > 1200
    assert second[IPv6ExtHdrFragment].offset > 0


@pytest.mark.parametrize(
    "error", [ICMPv6TimeExceeded(), ICMPv6DestUnreach(code=3), ICMPv6PacketTooBig(mtu=1280)]
)
def test_errors_of_routers_on_the_way_reach_who_sent(bench: Bench, error: Any) -> None:
    sent = IPv6(src=ALICE, dst=SITE) / UDP(sport=7, dport=33434) / Raw(b"probe")
    (out,) = bench.leave(sent)
    (back,) = bench.come(IPv6(src=ROUTER, dst=AT_EXIT) / error / out)
    assert (back.src, back.dst) == (ROUTER, ALICE)
    quoted = IPv6(bytes(back.payload)[8:])
    assert (quoted.src, quoted.dst, quoted[UDP].sport) == (ALICE, SITE, 7)
    assert bench.drops() == {}


def test_an_error_of_the_exits_own_kernel_comes_from_the_exit(bench: Bench) -> None:
    (out,) = bench.leave(IPv6(src=ALICE, dst=SITE, hlim=1) / UDP(sport=7) / Raw(b"probe"))
    (back,) = bench.come(IPv6(src=EXIT_INSIDE, dst=AT_EXIT) / ICMPv6TimeExceeded() / out)
    assert (back.src, back.dst) == (EXIT_AT_ALICE, ALICE)
    assert IPv6(bytes(back.payload)[8:]).dst == SITE


@pytest.mark.parametrize("source", ["::1", "fe80::9", EXIT_AT_ALICE, "::ffff:198.51.100.1"])
def test_an_error_never_comes_from_alices_machine_or_her_remotes(bench: Bench, source: str) -> None:
    (out,) = bench.leave(IPv6(src=ALICE, dst=SITE) / UDP(sport=7, dport=33434) / Raw(b"probe"))
    assert bench.come(IPv6(src=source, dst=AT_EXIT) / ICMPv6TimeExceeded() / out) == []
    assert bench.drops() == {"consumer not-our-exit": 1}


def test_an_error_about_what_came_reaches_the_site(bench: Bench) -> None:
    bench.leave(IPv6(src=ALICE, dst=SITE) / UDP(sport=7, dport=8))
    (back,) = bench.come(IPv6(src=SITE, dst=AT_EXIT) / UDP(sport=8, dport=7))
    (out,) = bench.leave(IPv6(src=ALICE, dst=SITE) / ICMPv6DestUnreach(code=4) / back)
    assert (out.src, out.dst) == (AT_EXIT, SITE)
    quoted = IPv6(bytes(out.payload)[8:])
    assert (quoted.src, quoted.dst) == (SITE, AT_EXIT)


@pytest.mark.parametrize(
    ("packet", "reason"),
    [
        (IPv6(dst="2001:db8:bad::1") / UDP(), Refusal.DENIED_RANGE),
        (IPv6(dst=SITE) / TCP(dport=25), Refusal.DENIED_PORT),
        (IPv6(dst="2606:4700::1") / UDP(), Refusal.RANGE),
        (IPv6(dst="fd99::1") / UDP(), Refusal.RANGE),
        (IPv6(dst="64:ff9b::a00:1") / UDP(), Refusal.LOCAL),
        (IPv6(dst="2002:a00:1::1") / UDP(), Refusal.LOCAL),
        (IPv6(dst="2001:0:a00:1::1") / UDP(), Refusal.LOCAL),
        (
            IPv6(dst=SITE) / IPv6ExtHdrFragment(offset=9, nh=6) / Raw(b"z" * 16),
            Refusal.FRAGMENT,
        ),
    ],
)
def test_what_an_exit_refuses_is_answered_as_prohibited_at_once(
    bench: Bench, packet: Any, reason: Refusal
) -> None:
    packet.src = ALICE
    assert bench.leave(packet) == []
    assert {why: n for why, n in bench.exit.refused.items() if n} == {reason: 1}
    (answer,) = [taken(one) for one in bench.home]
    assert (answer.src, answer.dst) == (packet.dst, ALICE)
    assert (answer.payload.type, answer.payload.code) == (1, 1)
    quoted = IPv6(bytes(answer.payload)[8:])
    assert (quoted.src, quoted.dst) == (ALICE, packet.dst)


@pytest.mark.parametrize(
    "packet",
    [
        IPv6(dst="ff02::2") / ICMPv6ND_RS(),
        IPv6(dst="ff02::16") / ICMPv6MLReport2(),
        IPv6(dst="fe80::1") / UDP(),
        IPv6(dst="::1") / UDP(),
        IPv6(dst="::ffff:a00:1") / UDP(),
    ],
)
def test_matters_of_one_link_go_no_further_and_are_not_answered(bench: Bench, packet: Any) -> None:
    packet.src = ALICE
    assert bench.leave(packet) == bench.home == []
    assert bench.drops() == {"consumer ipv6-local": 1}


@pytest.mark.parametrize(
    ("packet", "reason"),
    [
        (IPv6(dst=SITE) / IPv6ExtHdrRouting() / UDP(), "extension"),
        (IPv6(dst=SITE) / IPv6ExtHdrHopByHop() / UDP(), "extension"),
        (IPv6(dst=SITE) / IPv6ExtHdrDestOpt() / UDP(), "extension"),
        (IPv6(dst=SITE) / IPv6ExtHdrFragment(nh=43) / Raw(b"z" * 9), "extension"),
        (IPv6(dst=SITE) / ICMPv6ND_RS(), "icmp"),
        (IPv6(dst=SITE) / ICMPv6DestUnreach() / Raw(b"no quote"), "icmp"),
        (IPv6(dst=SITE, nh=6) / Raw(b"short"), "bad-length"),
        (IPv6(dst=SITE, plen=3) / UDP(), "bad-length"),
    ],
)
def test_what_is_not_carried_is_counted_at_both_ends(
    bench: Bench, packet: Any, reason: str
) -> None:
    packet.src = ALICE
    assert bench.leave(packet) == []
    assert bench.drops() == {f"consumer ipv6-{reason}": 1}
    # a peer that sends it all the same
    plain = Plaintexts()
    packet.src = "::"
    plain.put(0, TYPE_EXIT6, bytes(packet))
    door = bench.provider.door
    assert door is not None
    assert door.six is not None
    door.six.deliver(CONSUMER, GUEST, plain, 1, bench.away.append, NOW)
    assert bench.away == []
    assert bench.drops()[f"provider ipv6-{reason}"] == 1


def test_a_node_of_the_network_has_no_ipv6_address_for_others(bench: Bench) -> None:
    assert bench.leave(IPv6(src=ALICE, dst=EXIT_AT_ALICE) / UDP()) == []
    (answer,) = [taken(one) for one in bench.home]
    assert (answer.src, answer.payload.type) == (EXIT_AT_ALICE, 1)


def test_answers_count_only_from_the_exit_in_use(bench: Bench) -> None:
    assert bench.come(IPv6(src="2001:db8::99", dst=AT_EXIT) / UDP()) == []
    assert bench.drops() == {"consumer not-our-exit": 1}


def test_a_node_that_is_no_exit_lets_nothing_out(bench: Bench) -> None:
    assert bench.provider.door is not None
    bench.provider.door.provider = None
    assert bench.leave(IPv6(src=ALICE, dst=SITE) / UDP()) == []
    assert bench.drops() == {"provider not-an-exit": 1}


@given(st.binary(max_size=200), st.integers(0, 3))
def test_no_bytes_harm_either_end(data: bytes, head: int) -> None:
    bench = Bench()
    starts = (b"", b"\x60", bytes(IPv6(src=ALICE, dst=SITE))[:4], bytes(IPv6(dst=SITE, nh=44)))
    packet = starts[head] + data
    read = bytearray(NO_OFFLOAD + packet + bytes(64))  # a tun's buffer is longer than its reads
    bench.consumer.packet(read, len(NO_OFFLOAD + packet), NOW)
    plain = Plaintexts()
    plain.put(0, TYPE_EXIT6, packet)
    plain.put(1, TYPE_EXIT6, b"\x60" + bytes(3) + len(data).to_bytes(2, "big") + b"\x2c\0" + data)
    for traffic in (bench.consumer, bench.provider):
        assert traffic.door is not None
        assert traffic.door.six is not None
        traffic.door.six.deliver(CONSUMER, GUEST, plain, 2, lambda _: None, NOW)
    assert len(plain.buffer) == ROWS * PLAINTEXT
