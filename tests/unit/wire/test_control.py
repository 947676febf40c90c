"""Control messages: one case list serves both directions; hostile bytes raise WireError only."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lokinet_node.base.errors import LocalProtocolError, WireError
from lokinet_node.base.ids import BlindedKey, Handle, PathID, RouterID
from lokinet_node.wire import control
from lokinet_node.wire.control import LinkKind, PathKind, Status

if TYPE_CHECKING:
    from collections.abc import Callable

KEY = BlindedKey(bytes(range(32)))
ROUTER = RouterID(bytes(range(32, 64)))
EIGHT = "0102030405060708"
PATH_ID = PathID(0x0102030405060708)

# (name of the pair of functions, value, bytes in hex)
CASES: list[tuple[str, Any, str]] = [
    ("token", 0x0102030405060708, EIGHT),
    ("build", control.Build(PATH_ID, b"\x09" * 1280), EIGHT + "09" * 1280),
    ("close", PATH_ID, EIGHT),
    ("broken", control.Broken(PATH_ID, b"\x0a" * 49), EIGHT + "0a" * 49),
    ("blame", control.Blame(3, ROUTER), "03" + ROUTER.hex()),
    ("contacts", control.ContactsPart(0, 1, ()), "0001"),
    ("contacts", control.ContactsPart(1, 3, (b"a", b"bc")), "0103 0001 61 0002 6263"),
    ("gossip", [b"abc", b"d"], "0003 616263 0001 64"),
    ("gossip", [], ""),
    ("store", control.Store(PATH_ID, b"\x0b" * 4096), EIGHT + "0b" * 4096),
    ("store_answer", control.StoreAnswer(PATH_ID, Status.STALE), EIGHT + "04"),
    ("find", control.Find(PATH_ID, KEY), EIGHT + KEY.hex()),
    ("find_answer", control.FindAnswer(PATH_ID, Status.OK, b"\x0c"), EIGHT + "00 0c"),
    ("find_answer", control.FindAnswer(PATH_ID, Status.NOT_FOUND), EIGHT + "01"),
    ("publish", control.Publish(PATH_ID, 3, b"\x0d"), EIGHT + "03 0d"),
    ("lookup", control.Lookup(PATH_ID, 2, KEY), EIGHT + "02" + KEY.hex()),
    ("handle", Handle(0x0102030405060708), EIGHT),
    ("registered", control.Registered(Handle(PATH_ID), Status.REFUSED), EIGHT + "02"),
]

MALFORMED: list[tuple[str, str]] = [
    ("token", EIGHT + "00"),
    ("token", ""),
    ("build", EIGHT + "09" * 1279),
    ("build", "00" * 8 + "09" * 1280),
    ("close", "00" * 8),
    ("close", EIGHT + "00"),
    ("broken", EIGHT + "0a" * 48),
    ("broken", "00" * 8 + "0a" * 49),
    ("blame", "03" * 32),
    ("contacts", "01"),
    ("contacts", "0101"),
    ("contacts", "0000"),
    ("contacts", "0001 0002 61"),
    ("gossip", "00"),
    ("gossip", "0000"),
    ("gossip", "0001"),
    ("gossip", "0001 61 0002 61"),
    ("store", EIGHT),
    ("store", EIGHT + "0b" * 4097),
    ("store_answer", EIGHT),
    ("store_answer", EIGHT + "06"),
    ("store_answer", EIGHT + "0000"),
    ("find", EIGHT + "00" * 31),
    ("find_answer", EIGHT),
    ("find_answer", EIGHT + "00"),
    ("find_answer", EIGHT + "01 0c"),
    ("find_answer", EIGHT + "09"),
    ("find_answer", EIGHT + "00" + "0c" * 4097),
    ("publish", EIGHT + "04 0d"),
    ("publish", EIGHT + "00"),
    ("publish", EIGHT + "00" + "0d" * 4097),
    ("lookup", EIGHT + "04" + "00" * 32),
    ("lookup", EIGHT + "00" + "00" * 33),
    ("handle", "00" * 8),
    ("handle", EIGHT + "00"),
    ("registered", EIGHT + "00" + "00"),
    ("registered", EIGHT + "ff"),
]

NAMES = sorted({name for name, _, _ in CASES})


def decoder(name: str) -> Callable[[bytes | memoryview], Any]:
    return getattr(control, "decode_" + name)  # type: ignore[no-any-return]


def encoder(name: str) -> Callable[[Any], bytes]:
    return getattr(control, "encode_" + name)  # type: ignore[no-any-return]


@pytest.mark.parametrize(("name", "value", "text"), CASES)
def test_value_and_bytes_are_each_others_only_form(name: str, value: Any, text: str) -> None:
    data = bytes.fromhex(text)
    assert encoder(name)(value) == data
    assert decoder(name)(data) == value
    assert decoder(name)(memoryview(bytearray(data))) == value


def test_every_decoder_of_the_module_has_a_case() -> None:
    decoders = {
        name.removeprefix("decode_") for name in vars(control) if name.startswith("decode_")
    }
    assert decoders == set(NAMES)


@pytest.mark.parametrize(("name", "text"), MALFORMED)
def test_malformed_payload_is_a_wire_error(name: str, text: str) -> None:
    with pytest.raises(WireError):
        decoder(name)(bytes.fromhex(text))


@given(st.sampled_from(NAMES), st.binary(max_size=1400))
def test_any_bytes_decode_to_what_encodes_to_them_or_raise_wire_error(
    name: str, data: bytes
) -> None:
    try:
        value = decoder(name)(data)
    except WireError:
        return
    assert encoder(name)(value) == data


@given(st.sampled_from(CASES), st.data())
def test_a_changed_or_cut_message_decodes_or_raises_wire_error(
    case: tuple[str, Any, str], draw: st.DataObject
) -> None:
    name, _, text = case
    data = bytearray.fromhex(text)
    del data[draw.draw(st.integers(0, len(data))) :]
    if data:
        data[draw.draw(st.integers(0, len(data) - 1))] = draw.draw(st.integers(0, 255))
    try:
        value = decoder(name)(bytes(data))
    except WireError:
        return
    assert encoder(name)(value) == bytes(data)


def test_decoded_values_own_their_bytes() -> None:
    buffer = bytearray.fromhex(EIGHT) + bytearray(1280)
    build = control.decode_build(memoryview(buffer))
    buffer[8:] = b"\xff" * 1280
    assert build.slots == bytes(1280)


@given(st.lists(st.binary(min_size=1, max_size=300), max_size=400))
def test_contact_list_survives_being_split(records: list[bytes]) -> None:
    payloads = control.split_contacts(records)
    assert all(len(payload) <= control.MESSAGE_LIMIT for payload in payloads)
    parts = [control.decode_contacts(payload) for payload in payloads]
    assert [part.part for part in parts] == list(range(len(parts)))
    assert {part.parts for part in parts} == {len(parts)}
    assert [record for part in parts for record in part.records] == records


def test_empty_contact_list_is_still_answered() -> None:
    assert control.split_contacts([]) == [b"\x00\x01"]


def test_contact_list_fills_its_messages() -> None:
    payloads = control.split_contacts([bytes(227)] * 142)
    assert len(payloads) == 2
    assert len(payloads[0]) == 2 + 71 * 229


def test_contact_list_beyond_255_messages_is_our_own_fault() -> None:
    with pytest.raises(LocalProtocolError):
        control.split_contacts([bytes(227)] * (71 * 255 + 1))


def test_gossip_is_split_and_nothing_is_no_message() -> None:
    payloads = control.split_gossip([bytes([n]) * 227 for n in range(100)])
    assert len(payloads) == 2
    assert all(len(payload) <= control.MESSAGE_LIMIT for payload in payloads)
    assert sum(len(control.decode_gossip(payload)) for payload in payloads) == 100
    assert control.split_gossip([]) == []


def test_kinds_are_those_of_the_wire_page() -> None:
    assert [int(kind) for kind in LinkKind] == list(range(1, 14))
    assert [int(kind) for kind in PathKind] == [1, 2, *range(20, 30)]
    assert {status.name: int(status) for status in Status} == {
        "OK": 0, "NOT_FOUND": 1, "REFUSED": 2, "UNREACHABLE": 3, "STALE": 4, "BUSY": 5,
    }  # fmt: skip
    assert [int(status) for status in control.BuildStatus] == list(range(6))
