"""Bencode: one value, one encoding, and nothing but WireError for the rest."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lokinet_node.base.errors import LocalProtocolError, WireError
from lokinet_node.wire.bencode import Value, decode_bencode, encode_bencode

CASES: list[tuple[Value, bytes]] = [
    (0, b"i0e"),
    (-7, b"i-7e"),
    ((1 << 64) - 1, b"i18446744073709551615e"),
    (b"", b"0:"),
    (b"spam", b"4:spam"),
    ([], b"le"),
    ([b"a", [1]], b"l1:ali1eee"),
    ({}, b"de"),
    ({b"s": b"\x00" * 3, b"v": 0}, b"d1:s3:\x00\x00\x001:vi0ee"),
]

VALUES: st.SearchStrategy[Any] = st.recursive(
    st.binary(max_size=20) | st.integers(-(1 << 63), (1 << 64) - 1),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.binary(max_size=4), inner),
    max_leaves=12,
)


@pytest.mark.parametrize(("value", "data"), CASES)
def test_values_and_bytes_are_twins(value: Value, data: bytes) -> None:
    assert encode_bencode(value) == data
    assert decode_bencode(data) == value


@given(VALUES)
def test_every_value_survives_a_round_trip(value: Value) -> None:
    assert decode_bencode(encode_bencode(value)) == value


@given(st.binary(max_size=64) | st.text("0123456789:deil-", max_size=40).map(str.encode))
def test_any_bytes_decode_to_their_only_spelling_or_are_refused(data: bytes) -> None:
    try:
        value = decode_bencode(data)
    except WireError:
        return
    assert encode_bencode(value) == data


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"i01e",
        b"i-0e",
        b"ie",
        b"i1",
        b"i18446744073709551616e",
        b"i" + b"1" * 5000 + b"e",
        b"03:abc",
        b"4:abc",
        b"-1:a",
        b"1:ab",
        b"l",
        b"d1:a",
        b"di1ei2ee",
        b"d1:bi1e1:ai1ee",
        b"d1:ai1e1:ai1ee",
        b"l" * 1000 + b"e" * 1000,
        b"x",
    ],
)
def test_malformed_bytes_are_refused(data: bytes) -> None:
    with pytest.raises(WireError):
        decode_bencode(data)


def test_integers_beyond_64_bits_are_not_written() -> None:
    with pytest.raises(LocalProtocolError):
        encode_bencode(1 << 64)
