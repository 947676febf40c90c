"""Control frames: twins, sizes and hostile bytes."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lokinet_node.base.errors import WireError
from lokinet_node.wire.channel import (
    FRAME_HEADER,
    LINK_CAPACITY,
    PATH_CAPACITY,
    Frame,
    decode_frame,
    encode_frame,
)

U32, U64 = st.integers(0, (1 << 32) - 1), st.integers(0, (1 << 64) - 1)
CASES = [
    (Frame(), b"\0\0\1" + bytes(23)),
    (
        Frame(kind=9, sequence=1, acknowledged=2, mask=3, message=4, payload=b"abc"),
        bytes.fromhex("09 00 01 01 00000001 00000002 0000000000000003 00000004 0003 616263"),
    ),
    (
        Frame(kind=1, fragment=12, fragments=13, sequence=0xFFFFFFFF, message=7),
        bytes.fromhex("01 0c 0d 01 ffffffff 00000000 0000000000000000 00000007 0000"),
    ),
    (Frame(sequence=5, message=6), bytes.fromhex("0000010100000005") + bytes(15) + b"\6\0\0"),
]


def test_sizes_are_those_of_the_page() -> None:
    assert (FRAME_HEADER, LINK_CAPACITY, PATH_CAPACITY) == (26, 1302, 1278)


@pytest.mark.parametrize(("frame", "data"), CASES)
def test_frames_are_the_bytes_of_the_page(frame: Frame, data: bytes) -> None:
    assert encode_frame(frame) == data
    assert decode_frame(data) == frame
    assert decode_frame(memoryview(data + bytes(100))) == frame


@pytest.mark.parametrize(
    ("place", "value", "problem"),
    [
        (1, 1, "fragment is out of range"),
        (2, 0, "fragment is out of range"),
        (2, 14, "fragment is out of range"),
        (3, 2, "flags"),
        (3, 0, "disagree"),
        (7, 0, "disagree"),
        (25, 4, "longer than its frame"),
        (0, 0, "kind 0"),
    ],
)
def test_malformed_frames_are_refused(place: int, value: int, problem: str) -> None:
    data = bytearray(CASES[1][1])
    data[place] = value
    with pytest.raises(WireError, match=problem):
        decode_frame(bytes(data))


def test_an_unsequenced_fragment_is_refused() -> None:
    with pytest.raises(WireError, match="unsequenced"):
        decode_frame(bytes.fromhex("02 00 02 00") + bytes(22))


@given(st.binary(max_size=1400))
def test_any_bytes_are_a_frame_or_a_wire_error(data: bytes) -> None:
    try:
        frame = decode_frame(data)
    except WireError:
        return
    assert data.startswith(encode_frame(frame))


@given(
    kind=st.integers(1, 255),
    sequence=U32,
    acknowledged=U32,
    mask=U64,
    message=U32,
    payload=st.binary(max_size=LINK_CAPACITY),
)
def test_decoding_undoes_encoding(
    kind: int, sequence: int, acknowledged: int, mask: int, message: int, payload: bytes
) -> None:
    frame = Frame(kind, 0, 1, sequence, acknowledged, mask, message, payload)
    assert decode_frame(encode_frame(frame)) == frame
