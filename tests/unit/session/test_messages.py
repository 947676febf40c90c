"""Session messages and handshake payloads: twins, sizes, and nothing but WireError for the rest."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lokinet_node.base.errors import LocalProtocolError, WireError
from lokinet_node.base.ids import Handle, RouterID
from lokinet_node.session.auth_messages import Auth, AuthCode, AuthResult, is_token
from lokinet_node.session.messages import (
    Answer,
    Close,
    Introductions,
    Opening,
    Ping,
    Pong,
    Received,
    SessionMessage,
    decode_answer,
    decode_message,
    decode_opening,
    encode_answer,
    encode_message,
    encode_opening,
)
from lokinet_node.session.plaintexts import MAX_CONTENT
from lokinet_node.session.refused import Refused
from lokinet_node.wire.introset import Introduction


def introductions(count: int) -> tuple[Introduction, ...]:
    return tuple(
        Introduction(RouterID(bytes([n]) * 32), Handle(1000 + n), 7000 + n) for n in range(count)
    )


MESSAGES: list[tuple[SessionMessage, bytes]] = [
    (Introductions(5, ()), b"\x01\0\0\0\x05\0"),
    (
        Introductions(1, introductions(1)),
        b"\x01\0\0\0\x01\x01" + bytes(32) + (1000).to_bytes(8, "big") + (7000).to_bytes(4, "big"),
    ),
    (Received(0xFFFFFFFF), b"\x02\xff\xff\xff\xff"),
    (Ping(b"12345678"), b"\x0312345678"),
    (Pong(b"87654321"), b"\x0487654321"),
    (Close(1), b"\x05\x01"),
    (Close(200), b"\x05\xc8"),
    (Auth(7, "open sesame"), b"\x06\0\0\0\x07\x0bopen sesame"),
    (Auth(0xFFFFFFFF, ""), b"\x06\xff\xff\xff\xff\0"),
    (AuthResult(7, AuthCode.PAYME, "1 \u20ac"), b"\x07\0\0\0\x07\x04\x051 \xe2\x82\xac"),
    (AuthResult(0, AuthCode.OKAY), b"\x07\0\0\0\0\0\0"),
    (
        Refused(2, 6, 25, b"\xc0\0\2\7", 3),
        b"\x08\x02\x06\0\x19\xc0\0\2\7\0\0\0\x03",
    ),
    (
        Refused(200, 1, 0, bytes(15) + b"\1", 0xFFFFFFFF),
        b"\x08\xc8\x01\0\0" + bytes(15) + b"\1\xff\xff\xff\xff",
    ),
]


@pytest.mark.parametrize(("message", "data"), MESSAGES)
def test_a_message_has_these_bytes(message: SessionMessage, data: bytes) -> None:
    assert encode_message(message) == data
    assert decode_message(memoryview(data)) == message


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\x00",
        b"\x06",
        b"\x01",
        b"\x01\0\0\0\x01",
        b"\x01\0\0\0\x01\x01" + bytes(43),
        b"\x01\0\0\0\x01\0x",
        b"\x01\0\0\0\x01\x0d" + bytes(13 * 44),
        b"\x02\0\0\0",
        b"\x03" + bytes(9),
        b"\x05",
        b"\x06\0\0\0\1\2a",
        b"\x06\0\0\0\1\1ab",
        b"\x06\0\0\0\1\1\xff",
        b"\x06\0\0\0\1\x81" + bytes(129),
        b"\x07\0\0\0\1\0",
        b"\x07\0\0\0\1\5\0",
        b"\x07\0\0\0\1\1\xc9" + bytes(201),
        b"\x08" + bytes(11),
        b"\x08" + bytes(13),
        b"\x08" + bytes(23),
        b"\x08" + bytes(25),
    ],
)
def test_other_bytes_are_no_message(data: bytes) -> None:
    with pytest.raises(WireError):
        decode_message(data)


@given(st.binary(max_size=600))
def test_any_bytes_are_a_message_or_a_wire_error(data: bytes) -> None:
    try:
        message = decode_message(data)
    except WireError:
        return
    assert encode_message(message) == data


def test_a_token_is_bounded_and_a_reason_is_cut_where_a_character_ends() -> None:
    with pytest.raises(LocalProtocolError):
        encode_message(Auth(1, "x" * 129))
    assert decode_message(encode_message(Auth(1, "x" * 128))) == Auth(1, "x" * 128)
    cut = decode_message(encode_message(AuthResult(1, AuthCode.REJECT, "x" + "\u20ac" * 100)))
    assert cut == AuthResult(1, AuthCode.REJECT, "x" + "\u20ac" * 66)
    odd = decode_message(encode_message(AuthResult(1, AuthCode.REJECT, "half \ud800")))
    assert odd == AuthResult(1, AuthCode.REJECT, "half ?")
    assert not is_token("half \ud800")
    assert "secret" not in repr(Auth(1, "secret"))


def test_the_longest_message_fits_a_record() -> None:
    assert len(encode_message(Introductions(1, introductions(12)))) <= MAX_CONTENT


@pytest.mark.parametrize("count", [1, 2])
@pytest.mark.parametrize("sign", [0, 1])
def test_payload_one_round_trips(count: int, sign: int) -> None:
    opening = Opening(1_700_000_000_000_000, 0xDEADBEEF, introductions(count), sign)
    payload = encode_opening(opening)
    assert len(payload) == 108
    assert decode_opening(payload) == opening


def test_payload_one_wants_one_or_two_introductions_and_an_index() -> None:
    with pytest.raises(LocalProtocolError):
        encode_opening(Opening(1, 1, introductions(3)))
    with pytest.raises(WireError):
        decode_opening(encode_opening(Opening(1, 1, ())))
    with pytest.raises(WireError):
        decode_opening(encode_opening(Opening(1, 0, introductions(1))))
    payload = bytearray(encode_opening(Opening(1, 1, introductions(2))))
    payload[12] = 3
    with pytest.raises(WireError):
        decode_opening(bytes(payload))
    with pytest.raises(WireError):
        decode_opening(bytes(payload[:-1]))


@given(st.binary(min_size=108, max_size=108))
def test_any_bytes_are_a_payload_one_or_a_wire_error(payload: bytes) -> None:
    try:
        opening = decode_opening(payload)
    except WireError:
        return
    assert decode_opening(encode_opening(opening)) == opening


@pytest.mark.parametrize("count", [0, 1, 12])
def test_payload_two_round_trips(count: int) -> None:
    payload = encode_answer(Answer(2, introductions(count)))
    assert len(payload) == 1268
    assert decode_answer(payload) == Answer(2, introductions(count))


def test_payload_two_of_another_size_or_count_is_a_wire_error() -> None:
    with pytest.raises(WireError):
        decode_answer(bytes(1267))
    with pytest.raises(WireError):
        decode_answer(b"\0\x0d" + bytes(1266))
