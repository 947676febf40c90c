"""An introset opens for who knows its address, and only as its service sealed it."""

import random
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lokinet_node.base.errors import LocalProtocolError, WireError
from lokinet_node.base.ids import Handle, LokiAddress, RouterID
from lokinet_node.base.units import MINUTE, SECOND
from lokinet_node.crypto.blind import blind_secret, period_at
from lokinet_node.crypto.kdf import blake2b
from lokinet_node.crypto.keys import ed25519_keypair
from lokinet_node.crypto.seal import seal_xchacha
from lokinet_node.session.introset import (
    introset_digest,
    introset_id,
    open_introset,
    seal_introset,
)
from lokinet_node.wire.introset import (
    Introduction,
    Introset,
    decode_sealed_introset,
    encode_authenticated,
    encode_introset,
    encode_sealed_body,
)

NOW = 1_700_000_000 * SECOND
DAY_S = 86400
PERIOD = period_at(NOW, DAY_S)
SERVICE = ed25519_keypair(b"s" * 32)
OTHER = ed25519_keypair(b"o" * 32)
ADDRESS = LokiAddress(SERVICE.public)
INTROSET = Introset(
    address=ADDRESS,
    kem_key=b"k" * 1184,
    gate_key=b"g" * 16,
    introductions=tuple(
        Introduction(RouterID(bytes((i,)) * 32), Handle(1000 + i), 1_700_000_600) for i in range(12)
    ),
)
ENTROPY = random.Random(3).randbytes


def seal(introset: Introset = INTROSET, period: int = PERIOD) -> bytes:
    return seal_introset(introset, SERVICE.secret, period, DAY_S, NOW, 1200, ENTROPY)


RAW = seal()


def test_who_knows_the_address_opens_it() -> None:
    opened = open_introset(decode_sealed_introset(RAW), ADDRESS, PERIOD, DAY_S, NOW + MINUTE)
    assert opened == INTROSET
    assert len(RAW) <= 4096


def test_nothing_of_the_plaintext_is_visible() -> None:
    assert RAW.count(ADDRESS) == 0
    for one in INTROSET.introductions:
        assert RAW.count(one.router) == 0


def test_two_seals_of_one_introset_differ() -> None:
    assert decode_sealed_introset(seal()).ciphertext != decode_sealed_introset(RAW).ciphertext


def test_periods_cannot_be_told_to_belong_together() -> None:
    tomorrow = decode_sealed_introset(seal(period=PERIOD + 1))
    assert tomorrow.blinded_key != decode_sealed_introset(RAW).blinded_key
    with pytest.raises(WireError, match="address and period"):
        open_introset(tomorrow, ADDRESS, PERIOD, DAY_S, NOW)
    assert open_introset(tomorrow, ADDRESS, PERIOD + 1, DAY_S, NOW) == INTROSET


def test_another_address_does_not_open_it() -> None:
    with pytest.raises(WireError, match="address and period"):
        open_introset(decode_sealed_introset(RAW), LokiAddress(OTHER.public), PERIOD, DAY_S, NOW)


@pytest.mark.parametrize("address", [bytes(32), b"\1" + bytes(31), b"\xff" * 32])
def test_an_address_that_is_no_point_is_a_wire_error(address: bytes) -> None:
    with pytest.raises(WireError):
        open_introset(decode_sealed_introset(RAW), LokiAddress(address), PERIOD, DAY_S, NOW)


@settings(max_examples=80)
@given(st.integers(0, len(RAW) - 1), st.integers(1, 255))
def test_a_changed_byte_is_a_wire_error(at: int, change: int) -> None:
    mutated = bytearray(RAW)
    mutated[at] ^= change
    with pytest.raises(WireError):
        open_introset(decode_sealed_introset(bytes(mutated)), ADDRESS, PERIOD, DAY_S, NOW)


def test_an_introset_is_opened_only_while_it_is_fresh() -> None:
    sealed = decode_sealed_introset(RAW)
    for now in (NOW - 2 * MINUTE - 1, NOW + 1200 * SECOND):
        with pytest.raises(WireError):
            open_introset(sealed, ADDRESS, PERIOD, DAY_S, now)


def forge(plaintext: bytes, lifetime_s: int = 1200) -> bytes:
    """What only the service itself could send: sealed and signed like the real one."""
    signer = blind_secret(SERVICE.secret, PERIOD, DAY_S)
    authenticated = encode_authenticated(signer.public, NOW, lifetime_s)
    key = blake2b(b"lokinet-testnet introset" + ADDRESS + PERIOD.to_bytes(8, "big"))
    ciphertext = seal_xchacha(key, b"n" * 24, plaintext, authenticated)
    body = encode_sealed_body(authenticated, b"n" * 24, ciphertext)
    return body + signer.sign(body)


def test_the_layout_is_the_specified_one() -> None:
    sealed = decode_sealed_introset(forge(encode_introset(INTROSET)))
    assert open_introset(sealed, ADDRESS, PERIOD, DAY_S, NOW) == INTROSET


def test_an_introset_that_speaks_for_another_address_is_refused() -> None:
    plaintext = encode_introset(replace(INTROSET, address=LokiAddress(OTHER.public)))
    with pytest.raises(WireError, match="another address"):
        open_introset(decode_sealed_introset(forge(plaintext)), ADDRESS, PERIOD, DAY_S, NOW)


@given(st.binary(max_size=1500))
@settings(max_examples=40)
def test_any_plaintext_is_an_introset_or_a_wire_error(plaintext: bytes) -> None:
    with pytest.raises(WireError):
        open_introset(decode_sealed_introset(forge(plaintext)), ADDRESS, PERIOD, DAY_S, NOW)


def test_only_the_address_itself_seals() -> None:
    with pytest.raises(LocalProtocolError):
        seal_introset(INTROSET, OTHER.secret, PERIOD, DAY_S, NOW, 1200, ENTROPY)


def test_digest_and_id_stand_for_one_introset() -> None:
    digest = introset_digest(INTROSET)
    other = introset_digest(replace(INTROSET, gate_key=b"h" * 16))
    assert len(digest) == 32
    assert digest != other
    assert len(introset_id(digest)) == 8
    assert introset_id(digest) != digest[:8]
