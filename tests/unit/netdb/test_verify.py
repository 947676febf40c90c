"""A contact is believed only with its router's signature, in its network and in its time."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lokinet_node.base.errors import LocalProtocolError, WireError
from lokinet_node.base.ids import LinkKey, RouterID
from lokinet_node.base.units import HOUR, MINUTE, SECOND
from lokinet_node.crypto.keys import ed25519_keypair, ed25519_sign
from lokinet_node.netdb.verify import sign_contact, verify_contact
from lokinet_node.wire.contact import Contact, decode_contact

NOW = 1_700_000_000 * SECOND
IDENTITY = ed25519_keypair(bytes(32))
OTHER = ed25519_keypair(bytes(31) + b"\1")
CONTACT = Contact(
    netid=b"testnet",
    router=RouterID(IDENTITY.public),
    link_key=LinkKey(bytes(range(32))),
    onion_key_id=1,
    onion_key=bytes(range(32)),
    ip="10.0.0.1",
    port=1090,
    issued=NOW,
    lifetime_s=7200,
    version=(0, 1, 0),
    name="one",
)
RAW = sign_contact(CONTACT, IDENTITY.secret)


def signed(contact: Contact) -> Contact:
    return decode_contact(sign_contact(contact, IDENTITY.secret))


def test_a_signed_contact_is_believed() -> None:
    verify_contact(decode_contact(RAW), netid=b"testnet", now=NOW + HOUR)


def test_a_contact_is_signed_only_by_its_own_router() -> None:
    with pytest.raises(LocalProtocolError):
        sign_contact(CONTACT, OTHER.secret)


@given(st.integers(0, len(RAW) - 1), st.integers(1, 255))
def test_a_changed_byte_is_a_wire_error(at: int, change: int) -> None:
    mutated = bytearray(RAW)
    mutated[at] ^= change
    with pytest.raises(WireError):
        verify_contact(decode_contact(bytes(mutated)), netid=b"testnet", now=NOW)


def test_a_contact_of_another_network_is_refused() -> None:
    with pytest.raises(WireError, match="another network"):
        verify_contact(decode_contact(RAW), netid=b"other", now=NOW)


def test_a_contact_ends_with_its_lifetime_except_as_bootstrap() -> None:
    contact = decode_contact(RAW)
    verify_contact(contact, netid=b"testnet", now=NOW + 2 * HOUR - 1)
    with pytest.raises(WireError, match="expired"):
        verify_contact(contact, netid=b"testnet", now=NOW + 2 * HOUR)
    verify_contact(contact, netid=b"testnet", now=NOW + 2 * HOUR, allow_expired=True)


def test_a_contact_from_the_future_is_refused_beyond_the_tolerance() -> None:
    verify_contact(signed(replace(CONTACT, issued=NOW + 2 * MINUTE)), netid=b"testnet", now=NOW)
    late = signed(replace(CONTACT, issued=NOW + 2 * MINUTE + 1))
    with pytest.raises(WireError, match="future"):
        verify_contact(late, netid=b"testnet", now=NOW, allow_expired=True)


def test_another_router_s_signature_is_refused() -> None:
    stolen = replace(CONTACT, router=RouterID(OTHER.public))
    raw = (
        sign_contact(stolen, OTHER.secret)[:9] + RAW[9:41] + sign_contact(stolen, OTHER.secret)[41:]
    )
    with pytest.raises(WireError, match="signature"):
        verify_contact(decode_contact(raw), netid=b"testnet", now=NOW)


def test_a_signature_without_the_label_is_refused() -> None:
    raw = RAW[:-64] + ed25519_sign(IDENTITY.secret, RAW[:-64])
    with pytest.raises(WireError, match="signature"):
        verify_contact(decode_contact(raw), netid=b"testnet", now=NOW)


@pytest.mark.parametrize("point", [bytes(32), b"\1" + bytes(31), b"\xff" * 32])
def test_a_router_id_that_is_no_good_point_is_refused(point: bytes) -> None:
    raw = RAW[:9] + point + RAW[41:]
    with pytest.raises(WireError, match="subgroup"):
        verify_contact(decode_contact(raw), netid=b"testnet", now=NOW)
