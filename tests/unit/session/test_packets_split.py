"""Splitting a tun read: the rows are what the kernel's own segmentation would have sent."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scapy.layers.inet import IP, TCP, UDP
from scapy.layers.inet6 import IPv6
from scapy.packet import Raw

from lokinet_node.burst import ROWS
from lokinet_node.session.packets import read_destination
from lokinet_node.session.plaintexts import PLAINTEXT, Plaintexts
from lokinet_node.session.split import TUN_READ, Splitter
from tests.unit.session.oracle import (
    ALICE,
    GSO_TCP4,
    GSO_UDP,
    TIMESTAMPS,
    WEB,
    address,
    bare,
    cut,
    fresh,
    row_of,
    tun_read,
)

PAYLOAD = bytes(i * 7 & 0xFF for i in range(60_000))


def tcp(size: int, flags: str = "A", **fields: Any) -> bytes:
    segment = TCP(
        sport=40_000, dport=80, seq=fields.pop("seq", 9), ack=77, window=500, flags=flags, **fields
    )
    return fresh(IP(src=ALICE, dst=WEB, id=65_530, flags="DF", ttl=61) / segment / PAYLOAD[:size])


def udp(size: int) -> bytes:
    datagram = UDP(sport=5001, dport=9999)
    return fresh(IP(src=ALICE, dst=WEB, id=65_530, flags="DF", tos=8) / datagram / PAYLOAD[:size])


def dirty() -> Plaintexts:
    """Rows full of somebody else's packet."""
    plain = Plaintexts()
    plain.buffer[:] = b"\xee" * len(plain.buffer)
    return plain


def rows_from(plain: Plaintexts, at: int, count: int) -> list[bytes]:
    return [bytes(row) for row in plain.rows[at : at + count]]


@pytest.mark.parametrize(
    ("packet", "segment"),
    [
        (tcp(45 * 1228, "PA", options=TIMESTAMPS), 1228),
        (tcp(44 * 1228 + 1, "FPA", options=TIMESTAMPS), 1228),
        (tcp(3 * 1240, "A"), 1240),
        (tcp(2 * 1240 + 7, "PAC"), 1240),
        (tcp(5000, "A", seq=0xFFFFFFFF - 1500), 1000),
        (tcp(100, "PA"), 1240),
        (tcp(47, "PA"), 1),
    ],
)
@pytest.mark.parametrize("at", [0, 1])
def test_a_tcp_super_packet_becomes_the_segments_the_kernel_would_send(
    packet: bytes, segment: int, at: int
) -> None:
    expected = [row_of(bare(one)) for one in cut(packet, segment)]
    plain = dirty()
    splitter = Splitter()
    read, size = tun_read(packet, GSO_TCP4, segment)
    assert splitter.rows(read, size) == len(expected)
    fitting = min(len(expected), ROWS - at)
    assert splitter.split(read, size, plain, at) == fitting
    assert rows_from(plain, at, fitting) == expected[:fitting]
    assert not any(splitter.drops.values())


@pytest.mark.parametrize("kind", [GSO_TCP4, GSO_UDP])
@pytest.mark.parametrize("segments", [47, 48, 94, 100, 128])
@pytest.mark.parametrize("at", [0, 5, 46])
@pytest.mark.parametrize("rest", [0, 1])
def test_more_segments_than_there_is_room_for_go_in_parts(
    kind: int, segments: int, at: int, rest: int
) -> None:
    size = segments * 400 + rest
    packet = tcp(size, "FPEAC", seq=0xFFFFFFFF - 9000) if kind == GSO_TCP4 else udp(size)
    expected = [row_of(bare(one)) for one in cut(packet, 400)]
    read, length = tun_read(packet, kind, 400)
    splitter = Splitter()
    assert splitter.rows(read, length) == len(expected)
    got: list[bytes] = []
    while len(got) < len(expected):
        plain = dirty()
        count = splitter.split(read, length, plain, at, len(got))
        assert count == min(ROWS - at, len(expected) - len(got))
        got += rows_from(plain, at, count)
        at = 0
    assert got == expected
    assert splitter.split(read, length, dirty(), 0, len(got)) == 0, "that was all"
    assert splitter.drops["no-room"] == 1


@given(
    st.integers(1, 12_000),
    st.integers(300, 1240),
    st.sampled_from(["A", "PA", "FPA", "FA", "CA", "PEAC"]),
    st.booleans(),
    st.integers(0, 0xFFFFFFFF),
)
def test_fast_and_slow_segmentation_agree(
    size: int, segment: int, flags: str, stamped: bool, sequence: int
) -> None:
    segment -= 12 * stamped
    packet = tcp(size, flags, seq=sequence, options=TIMESTAMPS if stamped else [])
    expected = [row_of(bare(one)) for one in cut(packet, segment)]
    plain = dirty()
    assert Splitter().split(*tun_read(packet, GSO_TCP4, segment), plain, 0) == len(expected)
    assert rows_from(plain, 0, len(expected)) == expected


@pytest.mark.parametrize(
    ("size", "segment"), [(40 * 1200, 1200), (3 * 1252, 1252), (2501, 1250), (9, 1)]
)
def test_a_udp_super_packet_becomes_datagrams(size: int, segment: int) -> None:
    packet = udp(size)
    expected = [row_of(bare(one)) for one in cut(packet, segment)]
    plain = dirty()
    splitter = Splitter()
    read, length = tun_read(packet, GSO_UDP, segment)
    assert splitter.rows(read, length) == len(expected)
    assert splitter.split(read, length, plain, 0) == len(expected)
    assert rows_from(plain, 0, len(expected)) == expected


@pytest.mark.parametrize(
    "packet", [tcp(0), tcp(1240), tcp(1228, options=TIMESTAMPS), udp(0), udp(1), udp(1252)]
)
def test_a_single_packet_is_one_row_and_zeros(packet: bytes) -> None:
    plain = dirty()
    splitter = Splitter()
    read, size = tun_read(packet)
    assert splitter.rows(read, size) == 1
    assert splitter.split(read, size, plain, 3) == 1
    assert plain.rows[3] == row_of(bare(packet))
    assert plain.rows[2] == plain.rows[4] == b"\xee" * PLAINTEXT


def test_rows_show_no_address_and_no_sum_over_one() -> None:
    plain = dirty()
    for packet in (udp(5), tcp(5)):
        assert Splitter().split(*tun_read(packet), plain, 0) == 1
        row = bytes(plain.rows[0])
        assert address(ALICE) not in row
        assert address(WEB) not in row
        assert row[3 + 12 : 3 + 20] == bytes(8)


BAD_READS = [
    ("not-ipv4", bytes(IPv6() / UDP()), 0, 0),
    ("not-ipv4", b"", 0, 0),
    ("not-ipv4", udp(0)[:19], 0, 0),
    ("ip-options", b"\x46" + udp(0)[1:], 0, 0),
    ("bad-length", b"\x45" + bytes(1) + bytes([0, 60]) + udp(0)[4:], 0, 0),
    ("bad-length", fresh(IP(proto=6) / Raw(bytes(19))), 0, 0),
    ("bad-length", fresh(IP(proto=17) / Raw(bytes(7))), 0, 0),
    ("bad-length", fresh(IP(proto=17) / Raw(bytes(8))), GSO_UDP, 1000),
    ("bad-length", tcp(1)[:32] + b"\xf0" + tcp(1)[33:], GSO_TCP4, 1000),
    ("bad-length", tcp(1)[:32] + b"\x40" + tcp(1)[33:], GSO_TCP4, 1000),
    ("too-long", udp(1253), 0, 0),
    ("bad-segment-size", tcp(3000), GSO_TCP4, 0),
    ("bad-segment-size", tcp(3000), GSO_TCP4, 1241),
    ("bad-segment-size", tcp(3000), GSO_UDP, 1000),
    ("bad-segment-size", udp(3000), GSO_TCP4, 1000),
    ("bad-segment-size", udp(3000), GSO_UDP, 1253),
    ("bad-segment-size", tcp(3000), 4, 1000),
    ("bad-segment-size", tcp(3000), GSO_TCP4 | 0x80, 1000),
    ("bad-segment-size", fresh(IP(flags="MF") / TCP() / PAYLOAD[:3000]), GSO_TCP4, 1000),
]


@pytest.mark.parametrize(("reason", "packet", "kind", "segment"), BAD_READS)
def test_what_is_not_carried_is_counted_by_name_and_writes_nothing(
    reason: str, packet: bytes, kind: int, segment: int
) -> None:
    plain = dirty()
    splitter = Splitter()
    read, size = tun_read(packet.ljust(20, b"\0"), kind, segment)
    size = 10 + len(packet)
    assert splitter.rows(read, size) >= 1
    assert splitter.split(read, size, plain, 0) == 0
    assert {name: n for name, n in splitter.drops.items() if n} == {reason: 1}
    assert plain.buffer == b"\xee" * len(plain.buffer)


def test_a_packet_for_a_full_arena_is_counted() -> None:
    splitter = Splitter()
    assert splitter.split(*tun_read(udp(1)), dirty(), ROWS) == 0
    assert splitter.drops["no-room"] == 1


@given(
    st.binary(max_size=200),
    st.sampled_from([0, 1, 3, 4, 5, 0x81]),
    st.integers(0, 0xFFFF),
    st.booleans(),
)
def test_no_read_raises_and_each_is_carried_or_counted(
    data: bytes, kind: int, segment: int, plausible: bool
) -> None:
    if plausible and len(data) >= 20:
        data = b"\x45\0" + len(data).to_bytes(2, "big") + data[4:]
    read = bytearray(
        (bytes([1, kind, 0, 0]) + segment.to_bytes(2, "little") + bytes(4) + data).ljust(
            TUN_READ, b"\xcc"
        )
    )
    splitter = Splitter()
    rows = splitter.rows(read, 10 + len(data))
    written = splitter.split(read, 10 + len(data), dirty(), 0)
    assert written in (0, min(rows, ROWS))
    assert (written == 0) == (sum(splitter.drops.values()) == 1)


def test_the_destination_is_read_without_splitting() -> None:
    assert read_destination(*tun_read(udp(3))) == int.from_bytes(address(WEB), "big")
    assert read_destination(*tun_read(bytes(IPv6()))) == 0
    assert read_destination(bytearray(TUN_READ), 29) == 0
