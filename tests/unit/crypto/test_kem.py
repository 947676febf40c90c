"""ML-KEM-768 agrees at both ends; what cannot be a key or ciphertext is refused.

The numbers of FIPS 203 are OpenSSL's to meet; there is no derandomised encapsulation to check.
"""

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lokinet_node.crypto.errors import CryptoError
from lokinet_node.crypto.kem import decapsulate, encapsulate, kem_keypair

SECRET, PUBLIC = kem_keypair(random.Random(1).randbytes)


def test_both_ends_share_a_secret() -> None:
    ciphertext, shared = encapsulate(PUBLIC)
    assert (len(PUBLIC), len(ciphertext), len(shared)) == (1184, 1088, 32)
    assert decapsulate(SECRET, ciphertext) == shared


def test_every_encapsulation_is_another() -> None:
    assert encapsulate(PUBLIC) != encapsulate(PUBLIC)


def test_the_key_follows_from_the_entropy_alone() -> None:
    assert kem_keypair(random.Random(1).randbytes)[1] == PUBLIC
    assert kem_keypair(random.Random(2).randbytes)[1] != PUBLIC
    assert kem_keypair()[1] != kem_keypair()[1]


@settings(max_examples=30)
@given(st.integers(0, 1087), st.integers(1, 255))
def test_a_changed_ciphertext_gives_another_secret_and_no_error(at: int, change: int) -> None:
    ciphertext, shared = encapsulate(PUBLIC)
    mutated = bytearray(ciphertext)
    mutated[at] ^= change
    assert decapsulate(SECRET, bytes(mutated)) != shared


def test_another_key_s_ciphertext_gives_another_secret() -> None:
    ciphertext, shared = encapsulate(kem_keypair()[1])
    assert decapsulate(SECRET, ciphertext) != shared


@pytest.mark.parametrize("public", [b"", PUBLIC[:-1], PUBLIC + b"\0", b"\xff" * 1184])
def test_what_is_no_key_is_refused(public: bytes) -> None:
    with pytest.raises(CryptoError):
        encapsulate(public)


@pytest.mark.parametrize("size", [0, 1087, 1089])
def test_what_is_no_ciphertext_is_refused(size: int) -> None:
    with pytest.raises(CryptoError):
        decapsulate(SECRET, bytes(size))
