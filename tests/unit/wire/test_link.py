"""Handshake datagrams: sizes, twins, hostile bytes."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lokinet_node.base.errors import WireError
from lokinet_node.burst import DATAGRAM
from lokinet_node.wire.link import (
    CELL_HEADS,
    CELL_WORD,
    INITIATION_PAYLOAD_SIZE,
    MAC1_AT,
    MAC2_AT,
    RESPONSE_PAYLOAD_SIZE,
    Cookie,
    HandshakeType,
    InitiationPayload,
    Response,
    ResponsePayload,
    Role,
    decode_cookie,
    decode_initiation,
    decode_initiation_payload,
    decode_response,
    decode_response_payload,
    encode_cookie,
    encode_initiation,
    encode_initiation_payload,
    encode_other_version,
    encode_response,
    encode_response_payload,
    handshake_type,
    index_of_any_version,
)

NOISE_1, NOISE_2 = bytes(range(256)) * 5 + bytes(56), bytes(range(256)) * 5 + bytes(52)


def test_sizes_are_those_of_the_page() -> None:
    assert (MAC1_AT, MAC2_AT) == (1344, 1360)
    assert (INITIATION_PAYLOAD_SIZE, RESPONSE_PAYLOAD_SIZE) == (1240, 1284)
    assert len(NOISE_1) == 32 + 48 + 1240 + 16
    assert len(NOISE_2) == 32 + 1284 + 16


def test_initiation_is_the_bytes_of_the_page() -> None:
    data = encode_initiation(0x01020304, NOISE_1)
    assert data == bytes.fromhex("01010000 01020304") + NOISE_1
    assert len(data) == MAC1_AT
    assert decode_initiation(data + bytes(32)) == (0x01020304, NOISE_1)


def test_version_is_the_bytes_of_the_page() -> None:
    data = encode_other_version(0x01020304)
    assert data == bytes.fromhex("05010000 01020304").ljust(DATAGRAM, b"\0")
    assert handshake_type(0x05010000) == (HandshakeType.OTHER_VERSION, 1)
    assert index_of_any_version(data) == 0x01020304


def test_the_index_of_an_initiation_is_read_in_any_version() -> None:
    data = encode_initiation(0x01020304, NOISE_1) + bytes(32)
    assert index_of_any_version(data[:1] + b"\7" + data[2:]) == 0x01020304


def test_response_is_the_bytes_of_the_page() -> None:
    response = Response(0x01020304, 0x05060708, NOISE_2)
    data = encode_response(response)
    assert data == bytes.fromhex("02010000 01020304 05060708") + NOISE_2
    assert decode_response(data + bytes(32)) == response


def test_cookie_is_the_bytes_of_the_page_and_as_long_as_what_it_answers() -> None:
    cookie = Cookie(0x01020304, b"n" * 24, b"s" * 32)
    data = encode_cookie(cookie)
    assert data == bytes.fromhex("03010000 01020304") + b"n" * 24 + b"s" * 32 + bytes(1312)
    assert len(data) == DATAGRAM
    assert decode_cookie(data) == cookie


def test_payloads_are_the_bytes_of_the_page() -> None:
    first = InitiationPayload(0x0102030405060708, Role.ROUTER, b"bootboot", (1, 2, 3))
    data = encode_initiation_payload(first)
    assert data == bytes.fromhex("0102030405060708 01 01") + b"bootboot\1\2\3" + bytes(1219)
    assert decode_initiation_payload(data) == first
    second = ResponsePayload(b"bootboot", (1, 2, 3))
    data = encode_response_payload(second)
    assert data == b"\1bootboot\1\2\3" + bytes(1272)
    assert decode_response_payload(data) == second


def test_unknown_suites_and_roles_are_refused() -> None:
    data = bytearray(
        encode_initiation_payload(InitiationPayload(1, Role.CLIENT, bytes(8), (0, 1, 0)))
    )
    data[9] = 2
    with pytest.raises(WireError, match="suite 2"):
        decode_initiation_payload(bytes(data))
    data[8:10] = b"\2\1"
    with pytest.raises(WireError, match="role"):
        decode_initiation_payload(bytes(data))
    with pytest.raises(WireError, match="suite 0"):
        decode_response_payload(bytes(1284))


def test_first_words_are_told_apart() -> None:
    assert handshake_type(0x01010000) == (HandshakeType.INITIATION, 1)
    assert handshake_type(0x02070000) == (HandshakeType.RESPONSE, 7)
    assert handshake_type(0x03010000) == (HandshakeType.COOKIE, 1)
    for word in (CELL_WORD >> 32, 0, 0x06010000, 0x01010001, 0x01010100, 0xFFFFFFFF):
        with pytest.raises(WireError, match="unknown type"):
            handshake_type(word)


def test_heads_of_cells_are_the_bytes_of_the_page() -> None:
    data = bytes.fromhex("04000000 01020304 1112131415161718") + bytes(1360)
    heads = (CELL_WORD | 0x01020304, 0x1112131415161718)
    for count in (1, 47):
        assert CELL_HEADS[count].unpack(data * count) == heads * count
        assert CELL_HEADS[count].pack(*heads * count) == data * count


@given(st.integers(0, (1 << 32) - 1))
def test_any_first_word_is_a_type_or_a_wire_error(word: int) -> None:
    try:
        kind, version = handshake_type(word)
    except WireError:
        return
    assert word == kind << 24 | version << 16


@given(st.binary(max_size=1300) | st.binary(min_size=1240, max_size=1240))
def test_any_bytes_are_a_datagram_or_a_wire_error(data: bytes) -> None:
    decoders = (
        decode_initiation,
        decode_response,
        decode_cookie,
        decode_initiation_payload,
        decode_response_payload,
    )
    for decode in decoders:
        for size in (len(data), INITIATION_PAYLOAD_SIZE, RESPONSE_PAYLOAD_SIZE, DATAGRAM):
            try:
                decode(data.ljust(size, b"\1"))
            except WireError:
                continue
