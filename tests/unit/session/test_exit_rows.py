"""Records of an exit: the fast marks and runs against slow twins, and what ICMP errors quote."""

from __future__ import annotations

from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scapy.layers.inet import ICMP, IP, TCP, UDP, fragment
from scapy.packet import Raw

from lokinet_node.burst import ROWS
from lokinet_node.session.exit_rows import exit_runs, is_about_others, keep_address, own_error
from lokinet_node.session.merge import Merger
from lokinet_node.session.packet_addresses import DESTINATION, SOURCE
from lokinet_node.session.plaintexts import PLAINTEXT, TYPE_EXIT4, Plaintexts
from lokinet_node.session.split import Splitter
from tests.unit.session.oracle import (
    ALICE,
    GSO_TCP4,
    GUEST,
    SERVER,
    address,
    cut,
    fresh,
    readdress,
    received,
    tun_read,
)

SITE = "192.0.2.7"
"""A host on the internet."""
HOP = "198.51.100.3"
"""A router on the way to it."""
fragments: Any = fragment  # scapy ships no type for it


def kept_in(packet: bytes, kept: int) -> bytes:
    return packet[kept : kept + 4]


def cross(packet: bytes, kept: int, kind: int = 0, segment: int = 0) -> list[bytes]:
    """What comes out at the other end of a session with an exit."""
    plain = Plaintexts()
    plain.buffer[:] = b"\xee" * len(plain.buffer)
    read, size = tun_read(packet, kind, segment)
    if packet[9] not in (6, 17) or int.from_bytes(packet[6:8], "big") & 0x3FFF:
        read[:10] = bytes(10)
    first = 1
    rows = Splitter().split(read, size, plain, first)
    assert rows
    before = bytes(plain.buffer)
    keep_address(plain, first, rows, read, kept)
    # the slow twin: row by row, byte by byte
    twin = bytearray(before)
    for row in range(first, first + rows):
        twin[row * PLAINTEXT] = 3
        for byte in range(4):
            twin[row * PLAINTEXT + 3 + kept + byte] = packet[kept + byte]
    if packet[9] == 1 and packet[20] in (3, 11, 12):
        quoted = 28 + (16 if kept == SOURCE else 12)
        twin[first * PLAINTEXT + 3 + quoted : first * PLAINTEXT + 3 + quoted + 4] = packet[
            quoted : quoted + 4
        ]
    assert plain.buffer == twin
    (run,) = exit_runs(plain, first, rows)
    assert (run.first, run.rows, run.kind) == (first, rows, TYPE_EXIT4)
    addresses = [run.source, run.destination]
    assert addresses == [
        kept_in(packet, SOURCE) if kept == SOURCE else bytes(4),
        kept_in(packet, DESTINATION) if kept == DESTINATION else bytes(4),
    ]
    writes: list[bytes] = []
    source, own = address(GUEST), address(SERVER)
    if kept == DESTINATION:
        own = run.destination
    else:
        source = run.source
    Merger(join_udp=True).write(plain, first, rows, source, own, writes.append, kept)
    return [packet for write in writes for packet in received(write)]


def seen(packet: bytes, kept: int) -> bytes:
    """The packet as the other end should see it."""
    if kept == DESTINATION:
        return readdress(packet, GUEST, IP(packet).dst)
    return readdress(packet, IP(packet).src, SERVER)


def between(kept: int) -> Any:
    return IP(src=ALICE, dst=SITE) if kept == DESTINATION else IP(src=SITE, dst=GUEST)


@pytest.mark.parametrize("kept", [SOURCE, DESTINATION])
@pytest.mark.parametrize(
    "content",
    [
        TCP(sport=4000, dport=80, seq=1, flags="S"),
        UDP(sport=4000, dport=53) / Raw(b"question"),
        ICMP(type=8, id=2, seq=3) / Raw(b"ping"),
        Raw(b"some other protocol"),
    ],
)
def test_a_packet_crosses_with_one_address_changed(content: Any, kept: int) -> None:
    packet = fresh(between(kept) / content)
    assert cross(packet, kept) == [seen(packet, kept)]


@pytest.mark.parametrize("kept", [SOURCE, DESTINATION])
def test_a_super_packet_stays_whole(kept: int) -> None:
    head = TCP(sport=4000, dport=80, seq=5, ack=7, flags="PA")
    packet = fresh(between(kept) / head / Raw(bytes(range(200)) * 200))
    got = cross(packet, kept, GSO_TCP4, 1240)
    want = [seen(one, kept) for one in cut(packet, 1240)]
    assert [IP(one).payload for one in got] == [IP(one).payload for one in want]
    assert [(IP(one).src, IP(one).dst) for one in got] == [
        (IP(one).src, IP(one).dst) for one in want
    ]


@pytest.mark.parametrize("kept", [SOURCE, DESTINATION])
def test_fragments_cross_with_a_checksum_that_holds_for_the_whole(kept: int) -> None:
    whole = fresh(between(kept) / UDP(sport=1, dport=2) / Raw(b"x" * 2000))
    got = [cross(bytes(one), kept)[0] for one in fragments(IP(whole), 1000)]
    content = b"".join(bytes(IP(one).payload) for one in got)
    assert content == bytes(IP(seen(whole, kept)).payload)


@pytest.mark.parametrize("source", [SITE, HOP])
def test_an_error_from_the_internet_quotes_what_the_client_sent(source: str) -> None:
    sent = fresh(IP(src=ALICE, dst=SITE, id=9) / UDP(sport=4000, dport=33434) / Raw(b"probe"))
    quoted = readdress(sent, GUEST, SITE)
    error = fresh(IP(src=source, dst=GUEST) / ICMP(type=11, code=0) / Raw(quoted))
    (got,) = cross(error, SOURCE)
    outer: Any = IP(got)
    inner: Any = IP(bytes(outer.payload)[8:])
    assert (outer.src, outer.dst) == (source, SERVER)
    assert (inner.src, inner.dst) == (SERVER, SITE), "quoted as the client sent it"
    assert bytes(inner.payload)[:6] == bytes(IP(sent).payload)[:6]


def test_an_error_of_a_client_quotes_what_the_internet_sent() -> None:
    sent = fresh(IP(src=SITE, dst=ALICE, id=9) / UDP(sport=53, dport=4000) / Raw(b"late answer"))
    error = fresh(IP(src=ALICE, dst=SITE) / ICMP(type=3, code=3) / Raw(sent))
    (got,) = cross(error, DESTINATION)
    outer: Any = IP(got)
    inner: Any = IP(bytes(outer.payload)[8:])
    assert (outer.src, outer.dst) == (GUEST, SITE)
    assert (inner.src, inner.dst) == (SITE, GUEST)


def test_an_error_of_the_exit_itself_has_no_source() -> None:
    own = address(SERVER)
    quoted = fresh(IP(src=GUEST, dst=SITE, ttl=1) / UDP(sport=1, dport=2) / Raw(b"x"))
    error = fresh(IP(src=SERVER, dst=GUEST) / ICMP(type=11, code=0) / Raw(quoted))
    read, size = tun_read(error)
    read[:10] = bytes(10)
    assert is_about_others(read, size, own)
    plain = Plaintexts()
    assert Splitter().split(read, size, plain, 0) == 1
    own_error(plain, 0, read)
    (run,) = exit_runs(plain, 0, 1)
    assert (run.kind, run.source, run.destination) == (TYPE_EXIT4, bytes(4), bytes(4))
    writes: list[bytes] = []
    Merger(join_udp=True).write(
        plain, 0, 1, address(GUEST), address(ALICE), writes.append, kept=SOURCE
    )
    inner: Any = IP(writes[0][10 + 28 :])
    assert (inner.src, inner.dst) == (ALICE, SITE)
    about_us = fresh(
        IP(src=SERVER, dst=GUEST) / ICMP(type=3, code=3) / Raw(readdress(quoted, GUEST, SERVER))
    )
    read, size = tun_read(about_us)
    assert not is_about_others(read, size, own)


@given(st.integers(0, ROWS), st.integers(0, ROWS), st.integers(0))
def test_runs_are_what_a_slow_look_finds(count: int, first: int, seed: int) -> None:
    """Rows of a few kinds in any order, junk in all bytes that are no part of a flow's name."""
    plain = Plaintexts()
    count = min(count, ROWS - first)
    junk = Random(seed)
    plain.buffer[:] = junk.randbytes(len(plain.buffer))
    names = []
    for row in range(first, first + count):
        kind, part, protocol, end = (junk.choice((0, 1)) for _ in range(4))
        at = row * PLAINTEXT
        plain.buffer[at] = 3 * kind
        plain.buffer[at + 9 : at + 11] = bytes((part, 0))
        plain.buffer[at + 11 : at + 15] = bytes((64, 6 + protocol, 0, 0))
        plain.buffer[at + 15 : at + 23] = bytes(4) + bytes((192, 0, 2, end))
        plain.buffer[at + 23 : at + 27] = bytes(4)
        names.append((3 * kind, part << 8, 6 + protocol, end))
    slow: list[list[Any]] = []
    for row, name in enumerate(names, first):
        if slow and slow[-1][2] == name:
            slow[-1][1] += 1
        else:
            slow.append([row, 1, name])
    runs = exit_runs(plain, first, count)
    assert [
        [run.first, run.rows, (run.kind, run.fragment, run.protocol, run.destination[3])]
        for run in runs
    ] == slow
