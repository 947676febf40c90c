"""Questions and answers about names: one case list for both directions; hostile bytes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lokinet_node.base.errors import WireError
from lokinet_node.crypto import ons
from lokinet_node.wire import names
from lokinet_node.wire.control import Status
from lokinet_node.wire.names import FindName, NameTold

EIGHT = "0102030405060708"
NUMBER = 0x0102030405060708
HASH = bytes(range(32))
VALUE = bytes(range(72))

CASES: list[tuple[str, Any, str]] = [
    ("find_name", FindName(NUMBER, HASH), EIGHT + HASH.hex()),
    (
        "name_told",
        NameTold(NUMBER, Status.OK, 7, VALUE),
        EIGHT + "00" + "0000000000000007" + VALUE.hex(),
    ),
    ("name_told", NameTold(NUMBER, Status.NOT_FOUND, 2**64 - 1), EIGHT + "01" + "ff" * 8),
    ("name_told", NameTold(NUMBER, Status.UNREACHABLE), EIGHT + "03" + "00" * 8),
]
MALFORMED: list[tuple[str, str]] = [
    ("find_name", EIGHT),
    ("find_name", EIGHT + "00" * 31),
    ("find_name", EIGHT + "00" * 33),
    ("name_told", EIGHT + "00"),
    ("name_told", EIGHT + "00" + "00" * 8),
    ("name_told", EIGHT + "00" + "00" * 8 + "00" * 71),
    ("name_told", EIGHT + "00" + "00" * 8 + "00" * 73),
    ("name_told", EIGHT + "01" + "00" * 8 + "00" * 72),
    ("name_told", EIGHT + "01" + "00" * 7),
    ("name_told", EIGHT + "06" + "00" * 8),
]
KINDS = ["find_name", "name_told"]


def decoder(kind: str) -> Callable[[bytes | memoryview], Any]:
    return getattr(names, "decode_" + kind)  # type: ignore[no-any-return]


def encoder(kind: str) -> Callable[[Any], bytes]:
    return getattr(names, "encode_" + kind)  # type: ignore[no-any-return]


@pytest.mark.parametrize(("kind", "value", "text"), CASES)
def test_value_and_bytes_are_each_others_only_form(kind: str, value: Any, text: str) -> None:
    data = bytes.fromhex(text)
    assert encoder(kind)(value) == data
    assert decoder(kind)(data) == value
    assert decoder(kind)(memoryview(bytearray(data))) == value


def test_sizes_are_those_of_the_page_and_of_the_registry() -> None:
    assert names.NAME_VALUE_SIZE == ons.VALUE_SIZE
    assert names.NAME_HASH_SIZE == ons.NAME_HASH_SIZE
    sizes = [len(bytes.fromhex(text)) for _, _, text in CASES]
    assert sizes == [40, 89, 17, 17]


@pytest.mark.parametrize(("kind", "text"), MALFORMED)
def test_malformed_payload_is_a_wire_error(kind: str, text: str) -> None:
    with pytest.raises(WireError):
        decoder(kind)(bytes.fromhex(text))


@given(st.sampled_from(KINDS), st.binary(max_size=120))
def test_any_bytes_decode_to_what_encodes_to_them_or_raise_wire_error(
    kind: str, data: bytes
) -> None:
    try:
        value = decoder(kind)(data)
    except WireError:
        return
    assert encoder(kind)(value) == data


@given(st.sampled_from(CASES), st.data())
def test_a_changed_or_cut_message_decodes_or_raises_wire_error(
    case: tuple[str, Any, str], draw: st.DataObject
) -> None:
    kind, _, text = case
    data = bytearray.fromhex(text)
    del data[draw.draw(st.integers(0, len(data))) :]
    if data:
        data[draw.draw(st.integers(0, len(data) - 1))] = draw.draw(st.integers(0, 255))
    try:
        value = decoder(kind)(bytes(data))
    except WireError:
        return
    assert encoder(kind)(value) == bytes(data)
