"""Checksums and the one ICMP answer, with scapy as the independent reader."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scapy.layers.inet import ICMP, IP, TCP, UDP
from scapy.packet import Raw
from scapy.utils import checksum as scapy_checksum

from lokinet_node.base.errors import WireError
from lokinet_node.wire.ip import (
    HOST_UNKNOWN,
    checksum,
    icmp_unreachable,
    with_words,
    without_words,
    word_sum,
)

CLIENT = "10.0.0.1"
NOBODY = "10.0.0.77"


@given(st.binary(min_size=1, max_size=80).filter(any))
def test_checksum_is_the_internet_checksum(data: bytes) -> None:
    assert checksum(data) == scapy_checksum(data)


@given(st.binary(min_size=20, max_size=40), st.binary(min_size=8, max_size=8))
def test_zeroing_and_writing_addresses_is_addition(rest: bytes, addresses: bytes) -> None:
    whole = checksum(addresses + rest)
    zeroed = checksum(bytes(8) + rest)
    assert without_words(whole, word_sum(addresses)) == zeroed
    assert with_words(zeroed, word_sum(addresses)) == whole


@pytest.mark.parametrize(
    "layers",
    [
        UDP(sport=5, dport=53) / Raw(b"question " * 5),
        TCP(sport=5, dport=80, flags="S"),
        ICMP(type=8, id=3, seq=4) / Raw(b"ping"),
        UDP(sport=5, dport=53),
    ],
)
def test_unreachable_answers_in_the_name_of_the_destination(layers: Any) -> None:
    packet = bytes(IP(src=CLIENT, dst=NOBODY, ttl=7) / layers)
    answer = icmp_unreachable(memoryview(bytearray(packet)), HOST_UNKNOWN)
    assert answer is not None
    read: Any = IP(answer)
    assert (read.src, read.dst, read.proto, str(read.flags)) == (NOBODY, CLIENT, 1, "DF")
    assert read.len == len(answer) == 20 + 8 + 28
    assert (read[ICMP].type, read[ICMP].code) == (3, 7)
    assert answer[28:] == packet[:28]
    assert checksum(answer[:20]) == checksum(answer[20:]) == 0


@pytest.mark.parametrize(
    "packet",
    [
        IP(src=CLIENT, dst=NOBODY) / ICMP(type=3, code=1) / Raw(bytes(28)),
        IP(src=CLIENT, dst=NOBODY) / ICMP(type=11) / Raw(bytes(28)),
        IP(src=CLIENT, dst=NOBODY, frag=100) / Raw(bytes(64)),
        IP(src=CLIENT, dst="224.0.0.251") / UDP(dport=5353),
        IP(src=CLIENT, dst="255.255.255.255") / UDP(dport=67),
        IP(src="0.0.0.0", dst=NOBODY) / UDP(dport=67),
        IP(src="239.1.1.1", dst=NOBODY) / UDP(dport=67),
        IP(src=CLIENT, dst=NOBODY, proto=1),
    ],
)
def test_some_packets_are_not_to_be_answered(packet: Any) -> None:
    assert icmp_unreachable(bytes(packet), HOST_UNKNOWN) is None


@given(st.binary(max_size=80))
def test_anything_else_is_an_answer_none_or_a_wire_error(data: bytes) -> None:
    try:
        answer = icmp_unreachable(data, HOST_UNKNOWN)
    except WireError:
        assert len(data) < 20 or data[0] >> 4 != 4 or not 20 <= (data[0] & 15) * 4 <= len(data)
    else:
        assert answer is None or checksum(answer[:20]) == checksum(answer[20:]) == 0
