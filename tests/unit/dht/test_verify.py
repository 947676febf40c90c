"""A router holds only introsets that are signed, fresh and under a good key."""

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from nacl.bindings import crypto_core_ed25519_add

from lokinet_node.base.errors import WireError
from lokinet_node.base.units import MINUTE, SECOND
from lokinet_node.crypto.blind import ExpandedSigner, blind_secret
from lokinet_node.crypto.keys import ed25519_keypair
from lokinet_node.dht.verify import verify_sealed_introset
from lokinet_node.wire.introset import (
    SealedIntroset,
    decode_sealed_introset,
    encode_authenticated,
    encode_sealed_body,
)

NOW = 1_700_000_000 * SECOND
SIGNER = blind_secret(ed25519_keypair(bytes(32)).secret, 3, 60)
ORDER_TWO = bytes.fromhex("ec" + "ff" * 30 + "7f")


def make(
    sequence: int = NOW, lifetime_s: int = 1200, signer: ExpandedSigner = SIGNER, key: bytes = b""
) -> SealedIntroset:
    authenticated = encode_authenticated(key or signer.public, sequence, lifetime_s)
    body = encode_sealed_body(authenticated, bytes(24), random.Random(1).randbytes(100))
    return decode_sealed_introset(body + signer.sign(body))


def test_a_fresh_signed_introset_is_believed() -> None:
    verify_sealed_introset(make(), NOW)
    verify_sealed_introset(make(), NOW + 1200 * SECOND - 1)
    verify_sealed_introset(make(), NOW - 2 * MINUTE)


@pytest.mark.parametrize(
    ("now", "why"), [(NOW + 1200 * SECOND, "expired"), (NOW - 2 * MINUTE - 1, "future")]
)
def test_an_introset_out_of_its_time_is_refused(now: int, why: str) -> None:
    with pytest.raises(WireError, match=why):
        verify_sealed_introset(make(), now)


def test_no_introset_outlives_what_the_network_allows() -> None:
    with pytest.raises(WireError, match="longer"):
        verify_sealed_introset(make(lifetime_s=1201), NOW)
    with pytest.raises(WireError, match="longer"):
        verify_sealed_introset(make(lifetime_s=61), NOW, longest=MINUTE)
    verify_sealed_introset(make(lifetime_s=60), NOW, longest=MINUTE)


@settings(max_examples=80)
@given(st.data())
def test_a_changed_byte_is_a_wire_error(data: st.DataObject) -> None:
    raw = bytearray(make().raw)
    raw[data.draw(st.integers(0, len(raw) - 1))] ^= data.draw(st.integers(1, 255))
    with pytest.raises(WireError):
        verify_sealed_introset(decode_sealed_introset(bytes(raw)), NOW)


def test_another_key_s_signature_is_refused() -> None:
    other = blind_secret(ed25519_keypair(bytes(32)).secret, 4, 60)
    with pytest.raises(WireError, match="signature"):
        verify_sealed_introset(make(signer=other, key=SIGNER.public), NOW)


@pytest.mark.parametrize(
    "key",
    [
        b"\1" + bytes(31),
        ORDER_TWO,
        b"\xff" * 32,
        crypto_core_ed25519_add(SIGNER.public, ORDER_TWO),
    ],
    ids=["identity", "order two", "not on the curve", "outside the prime subgroup"],
)
def test_points_outside_the_prime_subgroup_are_refused(key: bytes) -> None:
    with pytest.raises(WireError, match="subgroup"):
        verify_sealed_introset(make(key=key), NOW)
