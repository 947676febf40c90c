"""Contacts survive their layout, and no bytes at all get anything but WireError out of it."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lokinet_node.base.errors import LocalProtocolError, WireError
from lokinet_node.base.ids import LinkKey, RouterID
from lokinet_node.wire.contact import (
    MAX_CONTACT_SIZE,
    MIN_CONTACT_SIZE,
    Contact,
    decode_contact,
    decode_records,
    encode_contact_body,
    encode_records,
    pad_netid,
)

CONTACT = Contact(
    netid=b"testnet\0",
    router=RouterID(bytes(range(32))),
    link_key=LinkKey(bytes(range(32, 64))),
    onion_key_id=7,
    onion_key=bytes(range(64, 96)),
    ip="192.0.2.7",
    port=1090,
    issued=1_700_000_000_000_000,
    lifetime_s=7200,
    version=(0, 1, 2),
    name="first router",
)
SIGNATURE = bytes(range(100, 164))
RAW = encode_contact_body(CONTACT) + SIGNATURE

contacts = st.builds(
    Contact,
    netid=st.binary(min_size=8, max_size=8),
    router=st.binary(min_size=32, max_size=32).map(RouterID),
    link_key=st.binary(min_size=32, max_size=32).map(LinkKey),
    onion_key_id=st.integers(0, 2**32 - 1),
    onion_key=st.binary(min_size=32, max_size=32),
    ip=st.ip_addresses(v=4).map(str),
    port=st.integers(1, 65535),
    issued=st.integers(0, 2**64 - 1),
    lifetime_s=st.integers(0, 2**32 - 1),
    version=st.tuples(st.integers(0, 255), st.integers(0, 255), st.integers(0, 255)),
    name=st.text(st.characters(min_codepoint=0x20, max_codepoint=0x7E), max_size=32),
)


@given(contacts)
def test_every_contact_comes_back_from_its_bytes(contact: Contact) -> None:
    raw = encode_contact_body(contact) + SIGNATURE
    assert decode_contact(memoryview(raw)) == replace(contact, signature=SIGNATURE, raw=raw)


def test_the_bytes_are_where_the_specification_puts_them() -> None:
    assert RAW[:1] == b"\1"
    assert RAW[1:9] == b"testnet\0"
    assert RAW[9:41] == CONTACT.router
    assert RAW[41:73] == CONTACT.link_key
    assert RAW[73:77] == b"\0\0\0\7"
    assert RAW[77:109] == CONTACT.onion_key
    assert RAW[109:115] == bytes((192, 0, 2, 7, 4, 66))
    assert RAW[115:123] == CONTACT.issued.to_bytes(8, "big")
    assert RAW[123:127] == b"\0\0\x1c\x20"
    assert RAW[127:130] == bytes((0, 1, 2))
    assert RAW[130:-64] == b"\x0cfirst router"
    assert (MIN_CONTACT_SIZE, MAX_CONTACT_SIZE) == (195, 227)


def test_address_and_expiry_are_what_links_and_choice_need() -> None:
    contact = decode_contact(RAW)
    assert contact.address == ("192.0.2.7", 1090)
    assert contact.expires == contact.issued + 7200 * 1_000_000


@given(st.binary(max_size=300))
def test_random_bytes_are_only_ever_a_wire_error(data: bytes) -> None:
    for decode in (decode_contact, decode_records):
        try:
            decode(data)
        except WireError:
            continue


@given(st.binary(min_size=MIN_CONTACT_SIZE, max_size=MAX_CONTACT_SIZE), st.integers(0, 40))
def test_bytes_of_a_right_size_and_version_are_only_ever_a_wire_error(
    data: bytes, name_size: int
) -> None:
    data = b"\1" + data[1:130] + bytes((name_size,)) + data[131:]
    try:
        decode_contact(data)
    except WireError:
        return


@given(st.integers(0, len(RAW) - 1), st.integers(1, 255))
def test_a_changed_byte_is_seen_or_changes_the_contact(at: int, change: int) -> None:
    mutated = bytearray(RAW)
    mutated[at] ^= change
    try:
        contact = decode_contact(bytes(mutated))
    except WireError:
        return
    assert contact != decode_contact(RAW)
    assert encode_contact_body(contact) + contact.signature == bytes(mutated)


@pytest.mark.parametrize(
    "raw",
    [
        RAW[:-1],
        RAW + b"\0",
        b"\2" + RAW[1:],
        RAW[:113] + b"\0\0" + RAW[115:],
        RAW.replace(b"first", b"fi\x1bst"),
        RAW.replace(b"first", b"fi\xffst"),
    ],
    ids=["short", "long", "version", "no port", "escape character", "not ASCII"],
)
def test_a_malformed_contact_is_refused(raw: bytes) -> None:
    with pytest.raises(WireError):
        decode_contact(raw)


@pytest.mark.parametrize("name", ["x" * 33, "tab\t", "ö"])
def test_a_name_that_does_not_fit_is_our_own_mistake(name: str) -> None:
    with pytest.raises(LocalProtocolError):
        encode_contact_body(replace(CONTACT, name=name))


def test_a_netid_is_padded_and_never_cut() -> None:
    assert pad_netid(b"abc") == b"abc\0\0\0\0\0"
    with pytest.raises(LocalProtocolError):
        pad_netid(b"123456789")


def test_records_come_back_in_order() -> None:
    other = encode_contact_body(replace(CONTACT, name="")) + SIGNATURE
    data = encode_records([RAW, other])
    assert [contact.raw for contact in decode_records(memoryview(data))] == [RAW, other]
    assert decode_records(b"") == []


@pytest.mark.parametrize("cut", [1, 64, len(RAW), len(RAW) + 1])
def test_a_record_cut_short_is_refused(cut: int) -> None:
    with pytest.raises(WireError):
        decode_records(encode_records([RAW, RAW])[:-cut])
