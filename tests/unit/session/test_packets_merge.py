"""Merging rows into tun writes: what the kernel gets equals the rows one by one, readdressed."""

from __future__ import annotations

from struct import unpack_from
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scapy.layers.inet import IP, TCP, UDP
from scapy.packet import Raw

from lokinet_node.session.merge import Merger
from lokinet_node.session.plaintexts import TYPE_MESSAGE, Plaintexts
from lokinet_node.session.split import Splitter
from tests.unit.session.oracle import (
    ALICE,
    GSO_TCP4,
    GSO_UDP,
    GUEST,
    SERVER,
    TIMESTAMPS,
    WEB,
    address,
    bare,
    cut,
    fill,
    fresh,
    readdress,
    received,
    row_of,
    tun_read,
)

PAYLOAD = bytes(i * 7 & 0xFF for i in range(60_000))
BASE: dict[str, Any] = {"sport": 40_000, "dport": 80, "seq": 5, "ack": 7, "window": 9, "flags": "A"}


def tcp(size: int = 1000, ip: dict[str, Any] | None = None, **fields: Any) -> bytes:
    header = IP(**{"src": ALICE, "dst": WEB, "flags": "DF"} | (ip or {}))
    return fresh(header / TCP(**BASE | fields) / PAYLOAD[:size])


def udp(size: int = 500, ip: dict[str, Any] | None = None, sport: int = 4001) -> bytes:
    header = IP(**{"src": ALICE, "dst": WEB, "flags": "DF"} | (ip or {}))
    return fresh(header / UDP(sport=sport, dport=9999) / PAYLOAD[:size])


def merge(
    packets: list[bytes], *, join_udp: bool = True, first: int = 0
) -> tuple[list[bytes], Merger]:
    """Tun writes made of bare packets in rows from `first` on."""
    plain = Plaintexts()
    for number, packet in enumerate(packets):
        plain.rows[first + number][:] = row_of(packet)
    merger = Merger(join_udp=join_udp)
    writes: list[bytes] = []
    merger.write(plain, first, len(packets), address(GUEST), address(SERVER), writes.append)
    return writes, merger


def without_identity(packet: bytes) -> bytes:
    """Joined segments lose their identification; the header checksum follows it."""
    return packet[:4] + bytes(2) + packet[6:10] + bytes(2) + packet[12:]


def assert_same_packets(writes: list[bytes], sent: list[bytes]) -> None:
    got = [without_identity(packet) for write in writes for packet in received(write)]
    assert got == [without_identity(readdress(packet, GUEST, SERVER)) for packet in sent]


@pytest.mark.parametrize("rest", [0, 1, 700, 1227])
@pytest.mark.parametrize("flags", ["A", "PA", "FPA", "FA"])
@pytest.mark.parametrize("sequence", [5, 0xFFFFFFFF - 3000])
def test_a_super_packet_survives_splitting_and_merging(
    rest: int, flags: str, sequence: int
) -> None:
    count = 45 if rest == 0 else 44
    packet = tcp(count * 1228 + rest, options=TIMESTAMPS, flags=flags, seq=sequence)
    plain = Plaintexts()
    rows = Splitter().split(*tun_read(packet, GSO_TCP4, 1228), plain, 0)
    writes: list[bytes] = []
    merger = Merger(join_udp=False)
    merger.write(plain, 0, rows, address(GUEST), address(SERVER), writes.append)
    assert len(writes) == 1
    assert writes[0][:10] == bytes([1, GSO_TCP4, 52, 0, 1228 & 255, 1228 >> 8, 20, 0, 16, 0])
    assert_same_packets(writes, cut(packet, 1228))
    assert bytes(IP(writes[0][10:])[TCP].payload) == PAYLOAD[: count * 1228 + rest]


@pytest.mark.parametrize("size", [1, 1239, 1240])
def test_equal_datagrams_and_a_shorter_last_one_are_one_write(size: int) -> None:
    sent = [udp(1240)] * 44 + [udp(size)]
    writes, _ = merge([bare(packet) for packet in sent])
    assert [write[1] for write in writes] == [GSO_UDP]
    assert_same_packets(writes, sent)


def test_datagrams_stay_single_when_the_tun_has_no_segmentation_for_them() -> None:
    sent = [udp()] * 3
    writes, _ = merge([bare(packet) for packet in sent], join_udp=False)
    assert [write[1] for write in writes] == [0, 0, 0]
    assert_same_packets(writes, sent)


NEXT: dict[str, Any] = {"seq": 1005}
SECOND_SEGMENTS = [
    ("the sequence jumps", tcp(seq=1006)),
    ("it is sent again", tcp(seq=5)),
    ("another port", tcp(sport=40_001, **NEXT)),
    ("another acknowledgement", tcp(ack=8, **NEXT)),
    ("another window", tcp(window=10, **NEXT)),
    ("longer", tcp(1001, **NEXT)),
    ("empty", tcp(0, **NEXT)),
    ("empty with FIN", tcp(0, flags="FA", **NEXT)),
    ("SYN", tcp(flags="SA", **NEXT)),
    ("RST", tcp(flags="RA", **NEXT)),
    ("URG", tcp(flags="UA", urgptr=3, **NEXT)),
    ("urgent pointer", tcp(urgptr=3, **NEXT)),
    ("ECE", tcp(flags="EA", **NEXT)),
    ("CWR", tcp(flags="CA", **NEXT)),
    ("a reserved bit", tcp(reserved=1, **NEXT)),
    ("no ACK", tcp(flags="P", **NEXT)),
    ("options", tcp(options=TIMESTAMPS, **NEXT)),
    ("another time to live", tcp(ip={"ttl": 63}, **NEXT)),
    ("another type of service", tcp(ip={"tos": 3}, **NEXT)),
    ("may be fragmented", tcp(ip={"flags": 0}, **NEXT)),
    ("another protocol", udp()),
]


@pytest.mark.parametrize(
    "second", [one for _, one in SECOND_SEGMENTS], ids=[name for name, _ in SECOND_SEGMENTS]
)
def test_what_does_not_continue_a_segment_is_not_joined(second: bytes) -> None:
    sent = [tcp(), second]
    writes, merger = merge([bare(packet) for packet in sent])
    assert [write[1] for write in writes] == [0, 0]
    assert_same_packets(writes, sent)
    assert not any(merger.drops.values())


def test_other_options_are_not_joined() -> None:
    later = [("NOP", None), ("NOP", None), ("Timestamp", (8, 8))]
    sent = [tcp(options=TIMESTAMPS), tcp(options=later, **NEXT)]
    writes, _ = merge([bare(packet) for packet in sent])
    assert [write[1] for write in writes] == [0, 0]
    assert_same_packets(writes, sent)


@pytest.mark.parametrize("flags", ["PA", "FA", "SA", "EA", "CA", "UA", "R"])
def test_only_a_plain_segment_begins_a_super_packet(flags: str) -> None:
    sent = [tcp(flags=flags), tcp(**NEXT)]
    writes, _ = merge([bare(packet) for packet in sent])
    assert [write[1] for write in writes] == [0, 0]
    assert_same_packets(writes, sent)


@pytest.mark.parametrize(
    ("size", "fields"),
    [(1000, {"flags": "PA"}), (1000, {"flags": "FA"}), (999, {}), (999, {"flags": "FPA"})],
)
def test_push_fin_or_a_shorter_segment_ends_a_super_packet(
    size: int, fields: dict[str, Any]
) -> None:
    sent = [
        tcp(),
        tcp(size, **NEXT, **fields),
        tcp(seq=1005 + size),
        tcp(seq=2005 + size),
    ]
    writes, _ = merge([bare(packet) for packet in sent])
    assert [write[1] for write in writes] == [GSO_TCP4, GSO_TCP4]
    assert_same_packets(writes, sent)


@pytest.mark.parametrize(
    "second",
    [
        udp(501),
        udp(sport=4002),
        udp(499, sport=4002),
        udp(ip={"tos": 3}),
        udp(ip={"ttl": 3}),
        udp(0),
        tcp(),
    ],
)
def test_other_datagrams_are_not_joined(second: bytes) -> None:
    sent = [udp(), second]
    writes, _ = merge([bare(packet) for packet in sent])
    assert [write[1] for write in writes] == [0, 0]
    assert_same_packets(writes, sent)


MOVES = st.sampled_from(["next", "next", "next", "next", "last", "push", "other", "udp", "ack"])


@given(st.lists(MOVES, max_size=12), st.integers(1, 1240), st.integers(0, 0xFFFFFFFF))
def test_any_mixture_arrives_as_sent_and_in_order(
    moves: list[str], size: int, sequence: int
) -> None:
    sent = []
    for move in moves:
        fields: dict[str, Any] = {"seq": sequence}
        payload = size
        if move == "last":
            payload = (size + 1) // 2
        elif move == "push":
            fields["flags"] = "PA"
        elif move == "other":
            fields["sport"] = 50_000
        elif move == "ack":
            payload = 0
        sent.append(udp(size) if move == "udp" else tcp(payload, **fields))
        if move not in ("udp", "other"):
            sequence = (sequence + payload) % (1 << 32)
    writes, merger = merge([bare(packet) for packet in sent])
    assert_same_packets(writes, sent)
    assert not any(merger.drops.values())
    if moves[:2] == ["next", "next"]:
        assert writes[0][1] == GSO_TCP4


def test_addresses_of_a_row_are_never_delivered() -> None:
    spoofed = bytearray(bare(tcp()))
    spoofed[12:20] = address("10.9.9.9") + address("127.0.0.1")
    spoofed[10:12] = b"\xaa\xbb"
    spoofed[36:38] = b"\xcc\xdd"
    after = bytearray(spoofed)
    after[24:28] = (1005).to_bytes(4, "big")
    for packets in ([bytes(spoofed)], [bytes(spoofed), bytes(after)], [bare(tcp()), bytes(after)]):
        writes, _ = merge(packets)
        for write in writes:
            assert write[22:30] == address(GUEST) + address(SERVER)
            assert b"\x0a\x09\x09\x09" not in write
        assert_same_packets(writes, [tcp(), tcp(**NEXT)][: len(packets)])


def test_rows_of_other_types_are_passed_over() -> None:
    plain = Plaintexts()
    fill(plain, [bare(udp(5)), bare(udp(6)), bare(udp(7))])
    plain.put(1, TYPE_MESSAGE, b"E" + bytes(40))
    merger = Merger(join_udp=True)
    writes: list[bytes] = []
    merger.write(plain, 0, 3, address(GUEST), address(SERVER), writes.append)
    assert_same_packets(writes, [udp(5), udp(7)])
    assert not any(merger.drops.values())


def test_only_the_rows_asked_for_are_written() -> None:
    plain = Plaintexts()
    fill(plain, [bare(udp(20 + n)) for n in range(6)])
    writes: list[bytes] = []
    Merger(join_udp=True).write(plain, 2, 3, address(GUEST), address(SERVER), writes.append)
    assert_same_packets(writes, [udp(22), udp(23), udp(24)])
    plain = Plaintexts()
    fill(plain, [bare(tcp(seq=5 + 1000 * n)) for n in range(6)])
    writes = []
    Merger(join_udp=True).write(plain, 2, 3, address(GUEST), address(SERVER), writes.append)
    assert_same_packets(writes, [tcp(seq=5 + 1000 * n) for n in (2, 3, 4)])


def edited(packet: bytes, at: int, value: bytes) -> bytes:
    return packet[:at] + value + packet[at + len(value) :]


BAD_ROWS = [
    ("not-ipv4", edited(bare(tcp()), 0, b"\x60")),
    ("not-ipv4", edited(bare(tcp()), 0, b"\x05")),
    ("ip-options", edited(bare(tcp()), 0, b"\x46")),
    ("bad-length", edited(bare(tcp()), 2, b"\x04\x11")),
    ("bad-length", edited(bare(tcp()), 2, b"\x04\x0f")),
    ("bad-length", b"\x45\0\0\x13" + bytes(15)),
    ("bad-length", edited(bare(tcp()), 32, b"\x40")),
    ("bad-length", edited(bare(tcp(3)), 32, b"\xf0")),
    ("bad-length", bare(tcp())[:2] + b"\0\x27" + bare(tcp())[4:39]),
    ("bad-length", edited(bare(udp()), 24, b"\0\x08")),
    ("bad-length", edited(bare(udp()), 24, b"\xff\xff")),
    ("bad-length", fresh(IP(proto=17) / Raw(bytes(7)))),
    ("icmp", fresh(IP(proto=1) / Raw(bytes(7)))),
]


@pytest.mark.parametrize(("reason", "packet"), BAD_ROWS)
def test_a_bad_row_is_counted_and_the_others_go_on(reason: str, packet: bytes) -> None:
    writes, merger = merge([bare(udp(3)), packet, bare(udp(4))])
    assert {name: n for name, n in merger.drops.items() if n} == {reason: 1}
    assert_same_packets(writes, [udp(3), udp(4)])


def test_a_datagram_that_lies_about_its_length_is_not_joined() -> None:
    writes, merger = merge([bare(udp()), edited(bare(udp()), 24, b"\0\x09")])
    assert_same_packets(writes, [udp()])
    assert merger.drops["bad-length"] == 1


def test_a_record_longer_than_the_mtu_is_counted() -> None:
    plain = Plaintexts()
    fill(plain, [fresh(IP(proto=47) / Raw(bytes(1261)))])
    merger = Merger(join_udp=True)
    merger.write(plain, 0, 1, address(GUEST), address(SERVER), lambda _: pytest.fail("written"))
    assert merger.drops["bad-length"] == 1


@given(st.lists(st.binary(max_size=120), min_size=1, max_size=4), st.booleans(), st.booleans())
def test_any_rows_from_a_peer_raise_nothing(
    rows: list[bytes], plausible: bool, twice: bool
) -> None:
    plain = Plaintexts()
    for number, row in enumerate(rows * 2 if twice else rows):
        content = row
        if plausible and len(row) >= 20:
            content = b"\x45\0" + len(row).to_bytes(2, "big") + row[4:]
            content = content[:9] + (b"\x06", b"\x11", b"\x01")[row[0] % 3] + content[10:]
        plain.put(number, 1, content)
    count = len(rows) << twice
    merger = Merger(join_udp=True)
    writes: list[bytes] = []
    merger.write(plain, 0, count, address(GUEST), address(SERVER), writes.append)
    assert all(write[22:30] == address(GUEST) + address(SERVER) for write in writes)
    assert all(unpack_from("!H", write, 12)[0] == len(write) - 10 for write in writes)
    assert len(writes) + sum(merger.drops.values()) <= count
