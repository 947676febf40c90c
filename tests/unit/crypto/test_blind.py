"""Blinding agrees with Tor's vectors; blinded signatures are ordinary Ed25519 signatures."""

import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from nacl.bindings import crypto_core_ed25519_add, crypto_scalarmult_ed25519_base_noclamp

from lokinet_node.base.units import SECOND
from lokinet_node.crypto.blind import (
    ExpandedSigner,
    blind_public,
    blind_secret,
    blinding_factor,
    expand_seed,
    multiply_public,
    multiply_secret,
    period_at,
)
from lokinet_node.crypto.errors import CryptoError
from lokinet_node.crypto.keys import (
    ed25519_keypair,
    ed25519_sign,
    ed25519_to_x25519_public,
    ed25519_verify,
)

VECTORS = Path(__file__).parents[1] / "vectors" / "ed25519_blinding.json"
CASES = [
    {name: bytes.fromhex(value) for name, value in case.items()}
    for case in json.loads(VECTORS.read_text())["cases"]
]
every_case = pytest.mark.parametrize("case", CASES, ids=range(len(CASES)))

# Tor, src/test/test_hs_common.c, test_blinding_basics: period 1234, period length 1440.
TOR_ADDRESS = bytes.fromhex("833990b085c1a688c1d4c8b1f6b56afaf5a2eca674449e1d704f83765ccb7bc6")
TOR_EXPANDED = bytes.fromhex(
    "d8c7ff0e31295b66540d789af3e3df992038a9592eea01d8b7cba06d6e66d159"
    "4d6167696320576f7264733a20737065697373636f62616c742062697669756d"
)
TOR_FACTOR = "379e50db31fee6775abd0af6fb7c371e060308f4f847db09fe4cfe13af602287"
TOR_BLINDED = "3a50bf210e8f9ee955ae0014f7a6917fb65ebf098a86305abb508d1a7291b6d5"
TOR_BLINDED_SECRET = (
    "a958dc83ac885f6814c67035de817a2c604d5d2f715282079448f789b656350b"
    "4540fe1f80aa3f7e91306b7bf7a8e367293352b14a29fdcc8c19f3558075524b"
)


def secret_of(signer: ExpandedSigner) -> bytes:
    return signer._scalar + signer._prefix


def test_tor_s_period_gives_tor_s_factor_and_keys() -> None:
    factor = blinding_factor(TOR_ADDRESS, 1234, 1440)
    assert factor.hex() == TOR_FACTOR
    assert blind_public(TOR_ADDRESS, 1234, 1440).hex() == TOR_BLINDED
    signer = multiply_secret(TOR_EXPANDED, factor)
    assert secret_of(signer).hex() == TOR_BLINDED_SECRET
    assert signer.public.hex() == TOR_BLINDED


@every_case
def test_tor_s_factors_give_tor_s_blinded_keys(case: dict[str, bytes]) -> None:
    assert expand_seed(case["seed"]) == case["expanded"]
    assert ed25519_keypair(case["seed"]).public == case["public"]
    assert multiply_public(case["public"], case["factor"]) == case["blinded_public"]
    signer = multiply_secret(case["expanded"], case["factor"])
    assert secret_of(signer) == case["blinded_secret"]
    assert signer.public == case["blinded_public"]
    assert ed25519_verify(signer.public, b"message", signer.sign(b"message"))


@every_case
def test_signing_with_an_expanded_secret_gives_tor_s_signatures(case: dict[str, bytes]) -> None:
    signer = ExpandedSigner(case["expanded"][:32], case["expanded"][32:])
    assert signer.sign(case["public"]) == case["self_signature"]


@every_case
def test_tor_s_x25519_forms_are_met(case: dict[str, bytes]) -> None:
    assert ed25519_to_x25519_public(case["public"]) == case["x25519"]


@given(st.binary(max_size=100))
def test_signing_without_blinding_is_plain_ed25519(message: bytes) -> None:
    pair = ed25519_keypair(b"s" * 32)
    expanded = expand_seed(b"s" * 32)
    assert ExpandedSigner(expanded[:32], expanded[32:]).sign(message) == ed25519_sign(
        pair.secret, message
    )


@settings(max_examples=30)
@given(st.binary(min_size=32, max_size=32), st.integers(0, 2**64 - 1), st.integers(1, 2**32))
def test_who_holds_the_secret_signs_under_the_key_all_can_blind(
    seed: bytes, period: int, length: int
) -> None:
    pair = ed25519_keypair(seed)
    signer = blind_secret(pair.secret, period, length)
    assert signer.public == blind_public(pair.public, period, length)
    signature = signer.sign(b"message")
    assert ed25519_verify(signer.public, b"message", signature)
    assert not ed25519_verify(signer.public, b"another", signature)
    assert not ed25519_verify(pair.public, b"message", signature)


def test_every_period_length_and_address_has_its_own_key() -> None:
    one, two = ed25519_keypair(b"1" * 32).public, ed25519_keypair(b"2" * 32).public
    keys = {
        blind_public(address, period, length)
        for address in (one, two)
        for period in (1, 2)
        for length in (60, 61)
    }
    assert len(keys) == 8


ORDER_TWO = bytes.fromhex("ec" + "ff" * 30 + "7f")


@pytest.mark.parametrize(
    "address",
    [
        b"\1" + bytes(31),
        ORDER_TWO,
        b"\xff" * 32,
        b"short",
        crypto_core_ed25519_add(TOR_ADDRESS, ORDER_TWO),
    ],
    ids=["identity", "order two", "not on the curve", "short", "outside the prime subgroup"],
)
def test_an_address_that_is_no_good_point_is_refused(address: bytes) -> None:
    with pytest.raises(CryptoError):
        blind_public(address, 1, 60)


def test_a_period_is_the_seconds_divided_by_its_length() -> None:
    assert period_at(59_999_999, 60) == 0
    assert period_at(60 * SECOND, 60) == 1
    assert period_at(1_700_000_000 * SECOND, 86400) == 1_700_000_000 // 86400


def test_the_public_key_is_the_scalar_times_the_base_point() -> None:
    scalar = expand_seed(b"s" * 32)[:32]
    assert ExpandedSigner(scalar, b"").public == crypto_scalarmult_ed25519_base_noclamp(scalar)
