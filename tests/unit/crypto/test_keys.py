"""X25519 and Ed25519 agree with their RFCs and refuse what would let a peer choose the outcome."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from nacl.bindings import crypto_core_ed25519_add

from lokinet_node.crypto.keys import (
    CryptoError,
    ed25519_keypair,
    ed25519_public_of,
    ed25519_sign,
    ed25519_to_x25519_public,
    ed25519_to_x25519_secret,
    ed25519_verify,
    is_valid_ed25519_point,
    x25519,
    x25519_from_secret,
    x25519_keypair,
)

# RFC 7748, 5.2: scalar, point, product.
RFC_7748 = [
    (
        "a546e36bf0527c9d3b16154b82465edd62144c0ac1fc5a18506a2244ba449ac4",
        "e6db6867583030db3594c1a424b15f7c726624ec26b3353b10a903a6d0ab1c4c",
        "c3da55379de9c6908e94ea4df28d084f32eccf03491c71f754b4075577a28552",
    ),
    (
        "4b66e9d4d1b4673c5ad22691957d6af5c11b6421e0ea01d42ca4169e7918ba0d",
        "e5210f12786811d3f4b7959d0538ae2c31dbe7106fc03c3efc4cd549c715a493",
        "95cbde9476e8907d7aade45cb4b873f88b595a68799fa152e6f8f7647aac7957",
    ),
]
# RFC 7748, 6.1.
ALICE = "77076d0a7318a57d3c16c17251b26645df4c2f87ebc0992ab177fba51db92c2a"
ALICE_PUBLIC = "8520f0098930a754748b7ddcb43ef75a0dbf3a0d26381af4eba4a98eaa9b4e6a"
BOB = "5dab087e624a8a4b79e17f8b83800ee66f3bb1292618b6fd1c2f8b27ff88e0eb"
BOB_PUBLIC = "de9edb7d7b7dc1b4d35b61c2ece435373f8343c85b78674dadfc7e146f882b4f"
SHARED = "4a5d9d5ba4ce2de1728e3bf480350f25e07e21c947d19e3376f09b3c1e161742"
# RFC 8032, 7.1, tests 1-3: seed, public key, message, signature.
RFC_8032 = [
    (
        "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
        "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a",
        "",
        "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e06522490155"
        "5fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b",
    ),
    (
        "4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb",
        "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c",
        "72",
        "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da"
        "085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00",
    ),
    (
        "c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7",
        "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025",
        "af82",
        "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac"
        "18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a",
    ),
]
ORDER_TWO = bytes.fromhex("ec" + "ff" * 30 + "7f")


@pytest.mark.parametrize(("scalar", "point", "product"), RFC_7748)
def test_x25519_agrees_with_rfc_7748(scalar: str, point: str, product: str) -> None:
    assert x25519(bytes.fromhex(scalar), bytes.fromhex(point)).hex() == product


def test_x25519_iterated_agrees_with_rfc_7748() -> None:
    scalar = point = b"\x09" + bytes(31)
    for _ in range(1000):
        scalar, point = x25519(scalar, point), scalar
    assert scalar.hex() == "684cf59ba83309552800ef566f2f4d3c1c3887c49360e3875f2eb94d99532c51"


def test_two_sides_agree_as_in_rfc_7748() -> None:
    alice, bob = x25519_from_secret(bytes.fromhex(ALICE)), x25519_from_secret(bytes.fromhex(BOB))
    assert (alice.public.hex(), bob.public.hex()) == (ALICE_PUBLIC, BOB_PUBLIC)
    assert x25519(alice.secret, bob.public).hex() == SHARED
    assert x25519(bob.secret, alice.public).hex() == SHARED


@pytest.mark.parametrize(
    "point",
    [
        bytes(32),
        b"\1" + bytes(31),
        ORDER_TWO,
        bytes.fromhex("ed" + "ff" * 30 + "7f"),
        b"",
        b"x" * 33,
    ],
)
def test_points_that_fix_the_secret_are_refused(point: bytes) -> None:
    with pytest.raises(CryptoError):
        x25519(bytes.fromhex(ALICE), point)


@pytest.mark.parametrize(("seed", "public", "message", "signature"), RFC_8032)
def test_ed25519_agrees_with_rfc_8032(seed: str, public: str, message: str, signature: str) -> None:
    pair = ed25519_keypair(bytes.fromhex(seed))
    assert pair.public.hex() == public
    assert ed25519_public_of(pair.secret) == pair.public
    assert ed25519_sign(pair.secret, bytes.fromhex(message)).hex() == signature
    assert ed25519_verify(pair.public, bytes.fromhex(message), bytes.fromhex(signature))


@given(st.binary(max_size=40), st.integers(0, 63), st.integers(1, 255))
def test_a_changed_signature_message_or_key_does_not_verify(
    message: bytes, at: int, change: int
) -> None:
    pair = ed25519_keypair(bytes(32))
    signature = bytearray(ed25519_sign(pair.secret, message))
    assert ed25519_verify(pair.public, message, bytes(signature))
    assert not ed25519_verify(pair.public, message + b"x", bytes(signature))
    assert not ed25519_verify(ed25519_keypair(b"1" * 32).public, message, bytes(signature))
    signature[at] ^= change
    assert not ed25519_verify(pair.public, message, bytes(signature))


@given(st.binary(max_size=70), st.binary(max_size=70))
def test_any_key_and_signature_is_just_not_verified(public: bytes, signature: bytes) -> None:
    assert not ed25519_verify(public, b"message", signature)


def test_sizes_are_not_stretched() -> None:
    """What C would read from a longer key, or from signature and message run together."""
    pair = ed25519_keypair(bytes(32))
    signature = ed25519_sign(pair.secret, b"message")
    assert not ed25519_verify(pair.public + b"x", b"message", signature)
    assert not ed25519_verify(pair.public, b"essage", signature + b"m")
    for secret in (bytes(31), bytes(33)):
        with pytest.raises(CryptoError):
            x25519_from_secret(secret)


def test_ed25519_keys_have_an_x25519_form_that_agrees() -> None:
    one, two = ed25519_keypair(b"1" * 32), ed25519_keypair(b"2" * 32)
    for pair in (one, two):
        form = x25519_from_secret(ed25519_to_x25519_secret(pair.secret))
        assert form.public == ed25519_to_x25519_public(pair.public)
    there = x25519(ed25519_to_x25519_secret(one.secret), ed25519_to_x25519_public(two.public))
    back = x25519(ed25519_to_x25519_secret(two.secret), ed25519_to_x25519_public(one.public))
    assert there == back


MIXED = crypto_core_ed25519_add(ed25519_keypair(bytes(32)).public, ORDER_TWO)


@pytest.mark.parametrize(
    "point", [b"", bytes(31), b"\1" + bytes(31), ORDER_TWO, b"\xff" * 32, MIXED]
)
def test_bad_ed25519_points_are_refused(point: bytes) -> None:
    assert not is_valid_ed25519_point(point)
    with pytest.raises(CryptoError):
        ed25519_to_x25519_public(point)


def test_good_points_are_good() -> None:
    assert is_valid_ed25519_point(ed25519_keypair(bytes(32)).public)


def test_a_secret_is_not_shown() -> None:
    pair = x25519_keypair(random.Random(1).randbytes)
    assert repr(pair.secret) not in repr(pair)
    assert repr(pair.public) in repr(pair)
