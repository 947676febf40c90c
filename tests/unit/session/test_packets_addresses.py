"""Packets the fast path leaves: ICMP with its quotes, fragments, other protocols."""

from __future__ import annotations

from struct import pack
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scapy.layers.inet import ICMP, IP, TCP, UDP, fragment
from scapy.packet import Raw

from lokinet_node.session.merge import Merger
from lokinet_node.session.plaintexts import Plaintexts
from lokinet_node.session.split import Splitter
from tests.unit.session.oracle import (
    ALICE,
    GUEST,
    SERVER,
    WEB,
    address,
    fill,
    folded,
    fresh,
    readdress,
    tun_read,
)

QUOTED_BY_SERVER = fresh(
    IP(src=GUEST, dst=SERVER, id=3) / UDP(sport=4001, dport=9999) / Raw(b"lost datagram")
)
"""What alice sent as the server received it: an error of the server quotes this."""
QUOTED_FOR_ALICE = readdress(QUOTED_BY_SERVER, ALICE, WEB)
fragments: Any = fragment  # scapy ships no type for it
UNREACHABLE = IP(src=SERVER, dst=GUEST) / ICMP(type=3, code=3)


def row(packet: bytes) -> tuple[bytes, Splitter]:
    """What the sender puts into a row; nothing when it drops the packet."""
    plain = Plaintexts()
    plain.buffer[:] = b"\xee" * len(plain.buffer)
    splitter = Splitter()
    read, size = tun_read(packet)
    read[:10] = bytes(10)  # complete: the kernel computes these checksums itself
    count = splitter.split(read, size, plain, 0)
    content = bytes(plain.content(0) or b"") if count else b""
    assert not any(plain.rows[0][3 + len(content) :]) or not count
    return content, splitter


def write(packet: bytes, source: str, own: str) -> tuple[bytes, Merger]:
    """What the receiver writes for a row; nothing when it drops the packet."""
    plain = Plaintexts()
    fill(plain, [packet])
    merger = Merger(join_udp=True)
    writes: list[bytes] = []
    merger.write(plain, 0, 1, address(source), address(own), writes.append)
    if not writes:
        return b"", merger
    assert writes[0][:10] == bytes(10)
    return writes[0][10:], merger


def carried(packet: bytes, source: str, own: str) -> bytes:
    content, _ = row(packet)
    assert content
    assert content[10:20] == bytes(10)
    return write(content, source, own)[0]


@pytest.mark.parametrize("kind", [0, 8, 13, 14])
@pytest.mark.parametrize("size", [0, 1, 56, 1240])
def test_icmp_queries_arrive_unchanged_but_for_addresses(kind: int, size: int) -> None:
    packet = fresh(IP(src=ALICE, dst=WEB) / ICMP(type=kind, id=2, seq=3) / Raw(b"p" * size))
    assert carried(packet, GUEST, SERVER) == readdress(packet, GUEST, SERVER)


@pytest.mark.parametrize("kind", [3, 11, 12])
@pytest.mark.parametrize("quoted", [28, 29, len(QUOTED_BY_SERVER)])
def test_an_icmp_error_quotes_what_the_receiver_sent(kind: int, quoted: int) -> None:
    error: Any = UNREACHABLE.copy()
    error[ICMP].type = kind
    sent = fresh(error / Raw(QUOTED_BY_SERVER[:quoted]))
    got = carried(sent, WEB, ALICE)
    expected = bytearray(QUOTED_FOR_ALICE[:quoted])
    expected[26:28] = bytes(2)  # the quoted UDP checksum, a sum over addresses
    assert got[:20] == fresh(IP(src=WEB, dst=ALICE, proto=1) / Raw(got[20:]))[:20]
    assert got[28:] == expected
    assert got[20:22] == bytes([kind, 3])
    assert folded(got[20:]) == 0xFFFF


def test_an_icmp_error_shows_no_address_on_its_way() -> None:
    syn = fresh(IP(src=GUEST, dst=SERVER) / TCP(sport=4001, dport=9))
    for quoted in (QUOTED_BY_SERVER, syn):
        content, _ = row(fresh(UNREACHABLE / Raw(quoted)))
        assert address(GUEST) not in content
        assert address(SERVER) not in content
        assert content[28 + 10 : 28 + 20] == bytes(10)
        at = 28 + 20 + (16 if quoted is syn else 6)
        assert content[at : at + 2] == bytes(2)


BAD_ICMP = [
    ("redirect", IP() / ICMP(type=5, code=1) / Raw(QUOTED_BY_SERVER)),
    ("source quench", IP() / ICMP(type=4) / Raw(QUOTED_BY_SERVER)),
    ("router advertisement", IP() / ICMP(type=9) / Raw(bytes(40))),
    ("unknown", IP() / ICMP(type=77) / Raw(bytes(40))),
    ("no quote", IP() / ICMP(type=3)),
    ("half a quote", IP() / ICMP(type=3) / Raw(QUOTED_BY_SERVER[:27])),
    ("a quote with options", IP() / ICMP(type=3) / Raw(b"\x46" + QUOTED_BY_SERVER[1:])),
    ("a quote of IPv6", IP() / ICMP(type=3) / Raw(b"\x60" + bytes(60))),
    ("an error in fragments", IP(flags="MF") / ICMP(type=3) / Raw(QUOTED_BY_SERVER)),
    ("no header", IP(proto=1) / Raw(b"\x08\0\0")),
]


@pytest.mark.parametrize("packet", [one for _, one in BAD_ICMP], ids=[name for name, _ in BAD_ICMP])
def test_other_icmp_is_dropped_and_counted_at_both_ends(packet: Any) -> None:
    packet.src, packet.dst = SERVER, GUEST
    content, splitter = row(fresh(packet))
    assert content == b""
    assert splitter.drops["icmp"] == 1
    got, merger = write(fresh(packet), WEB, ALICE)
    assert got == b""
    assert merger.drops["icmp"] == 1


@pytest.mark.parametrize("checksum", [True, False])
@pytest.mark.parametrize("payload", [bytes(4000), b"datagram" * 500])
def test_fragments_reassemble_to_a_datagram_with_a_right_checksum(
    checksum: bool, payload: bytes
) -> None:
    datagram: Any = IP(src=ALICE, dst=WEB, id=9) / UDP(sport=4001, dport=9999) / Raw(payload)
    if not checksum:
        datagram[UDP].chksum = 0
    whole = bytes(datagram)
    pieces = [bytes(piece) for piece in fragments(IP(whole), 1256)]
    assert len(pieces) == 4
    got = [carried(piece, GUEST, SERVER) for piece in pieces]
    assert [one[:10] for one in got] == [piece[:10] for piece in pieces]
    assert all(folded(one[:20]) == 0xFFFF for one in got)
    expected = readdress(whole, GUEST, SERVER) if checksum else whole
    assert b"".join(one[20:] for one in got) == expected[20:]
    assert all(one[12:20] == address(GUEST) + address(SERVER) for one in got)


def test_fragments_are_never_joined() -> None:
    datagram: Any = IP(src=ALICE, dst=WEB, id=9) / UDP(sport=4001, dport=9999) / Raw(bytes(4000))
    plain = Plaintexts()
    fill(plain, [bytes(piece) for piece in fragments(IP(bytes(datagram)), 1256)][:3])
    writes: list[bytes] = []
    Merger(join_udp=True).write(plain, 0, 3, address(GUEST), address(SERVER), writes.append)
    assert [one[:10] for one in writes] == [bytes(10)] * 3


@given(st.binary(min_size=18, max_size=60), st.integers(0, 0xFFFF), st.sampled_from([6, 17, 33]))
def test_a_checksum_in_a_first_fragment_follows_the_addresses(
    data: bytes, value: int, protocol: int
) -> None:
    at = 16 if protocol == 6 else 6
    data = data[:at] + pack("!H", value) + data[at + 2 :]
    packet = fresh(IP(src=ALICE, dst=WEB, flags="MF", proto=protocol) / Raw(data))
    got = carried(packet, GUEST, SERVER)
    assert got[20 : 20 + at] == data[:at]
    assert got[22 + at :] == data[at + 2 :]
    new = int.from_bytes(got[20 + at : 22 + at], "big")
    if protocol == 17 and value == 0:
        assert new == 0
        return
    assert new or protocol != 17
    before = folded(packet[12:20] + pack("!H", value))
    after = folded(got[12:20] + pack("!H", new))
    assert before % 0xFFFF == after % 0xFFFF


@pytest.mark.parametrize("protocol", [2, 47, 50, 132])
def test_other_protocols_arrive_unchanged_but_for_addresses(protocol: int) -> None:
    packet = fresh(IP(src=ALICE, dst=WEB, proto=protocol) / Raw(b"anything at all"))
    assert carried(packet, GUEST, SERVER) == readdress(packet, GUEST, SERVER)


def test_a_checksum_the_kernel_left_to_us_is_filled_in_where_nobody_else_does() -> None:
    segment = bytes(6) + b"\x12\x34" + bytes(12)  # its checksum field holds the pseudo header sum
    packet = fresh(IP(src=ALICE, dst=WEB, proto=33) / Raw(segment))
    read, size = tun_read(packet)
    read[:10] = pack("<BBHHHH", 1, 0, 0, 0, 20, 6)
    plain = Plaintexts()
    splitter = Splitter()
    assert splitter.split(read, size, plain, 0) == 1
    got, _ = write(bytes(plain.content(0) or b""), ALICE, WEB)
    assert got[26:28] == (0xFFFF - 0x1234).to_bytes(2, "big")
    read[:10] = pack("<BBHHHH", 1, 0, 0, 0, 20, 19)
    assert splitter.split(read, size, plain, 0) == 0
    assert splitter.drops["bad-length"] == 1


def test_a_udp_checksum_never_turns_into_none() -> None:
    """Zero would say that there is no checksum; ones' complement has another zero."""
    for ends in ((ALICE, WEB), (GUEST, SERVER)):
        value = 0xFFFF - folded(address(ends[0]) + address(ends[1]))
        data = pack("!HHHH", 4001, 9999, 2000, value) + bytes(16)
        packet = fresh(IP(src=ALICE, dst=WEB, flags="MF", proto=17) / Raw(data))
        content, _ = row(packet)
        got, _ = write(content, *ends)
        assert bytes(2) not in (content[26:28], got[26:28])
        assert readdress(packet, *ends)[:20] == got[:20]


def test_a_quote_gets_a_right_header_checksum_whatever_the_peer_wrote_there() -> None:
    content, _ = row(fresh(UNREACHABLE / Raw(QUOTED_BY_SERVER)))
    got, _ = write(content[:38] + b"\xbe\xef" + content[40:], WEB, ALICE)
    assert got[28:48] == QUOTED_FOR_ALICE[:20]
    assert folded(got[20:]) == 0xFFFF
