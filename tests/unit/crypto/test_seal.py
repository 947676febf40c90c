"""Seals open only as they were sealed; XChaCha20-Poly1305 agrees with its draft."""

import pytest
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from hypothesis import given
from hypothesis import strategies as st

from lokinet_node.crypto.errors import CryptoError
from lokinet_node.crypto.seal import Seal, open_xchacha, seal_xchacha

KEY = bytes(range(44))
counters = st.integers(0, 2**64 - 1)


@given(counters, st.binary(max_size=100))
def test_what_was_sealed_opens_under_its_counter_only(counter: int, plaintext: bytes) -> None:
    seal = Seal(KEY)
    sealed = seal.seal(counter, plaintext)
    assert seal.open(counter, sealed) == plaintext
    with pytest.raises(CryptoError):
        seal.open(counter ^ 1, sealed)


@given(counters)
def test_the_nonce_is_the_iv_xored_with_the_counter(counter: int) -> None:
    seal = Seal(KEY)
    iv, padded = KEY[32:], bytes(4) + counter.to_bytes(8, "big")
    nonce = bytes(a ^ b for a, b in zip(iv, padded, strict=True))
    assert seal.nonce(counter) == nonce
    assert seal.mask == int.from_bytes(iv, "big")
    assert seal.seal(counter, b"x") == AESGCM(KEY[:32]).encrypt(nonce, b"x", None)


@given(counters, st.integers(1, 300))
def test_nonces_of_a_run_are_those_of_its_counters(counter: int, count: int) -> None:
    """Runs cross the blocks whose nonces share a head."""
    seal = Seal(KEY)
    expected = [seal.nonce(counter + row) for row in range(count)]
    assert list(seal.nonces(counter, count)) == expected


@given(st.sampled_from([0, 1, 250, 255, 256, 2**64 - 50]), st.integers(1, 45))
def test_a_run_of_rows_is_sealed_and_opened_as_each_row_is(counter: int, count: int) -> None:
    seal = Seal(KEY)
    rows = [memoryview(bytes((row,)) * 40) for row in range(count)]
    targets = [memoryview(bytearray(56)) for _ in range(count + 1)]  # one more than is needed
    seal.seal_rows(counter, [memoryview(b"not this"), *rows], 1, count, targets, 0)
    assert [bytes(target) for target in targets[:count]] == [
        seal.seal(counter + row, rows[row]) for row in range(count)
    ]
    assert bytes(targets[count]) == bytes(56)
    opened = [memoryview(bytearray(40)) for _ in range(count + 3)]
    seal.open_rows(counter, targets, 0, count, opened, 2)
    assert opened[2 : count + 2] == rows
    assert {bytes(opened[row]) for row in (0, 1, count + 2)} == {bytes(40)}
    targets[count - 1][7] ^= 1
    with pytest.raises(InvalidTag):
        seal.open_rows(counter, targets, 0, count, opened, 2)


@given(st.binary(max_size=100))
def test_random_bytes_are_only_ever_a_crypto_error(sealed: bytes) -> None:
    with pytest.raises(CryptoError):
        Seal(KEY).open(0, sealed)


def test_the_burst_s_verbs_work_in_place_and_raise_on_a_bad_tag() -> None:
    seal = Seal(KEY)
    row = bytearray(64 + 16)
    row[:64] = bytes(range(64))
    view = memoryview(row)
    assert seal.encrypt_into(seal.nonce(9), view[:64], None, view) == 80
    assert bytes(row) == seal.seal(9, bytes(range(64)))
    assert seal.decrypt_into(seal.nonce(9), view, None, view[:64]) == 64
    assert bytes(view[:64]) == bytes(range(64))
    seal.encrypt_into(seal.nonce(9), view[:64], None, view)
    row[3] ^= 1
    with pytest.raises(InvalidTag):
        seal.decrypt_into(seal.nonce(9), view, None, view[:64])


@pytest.mark.parametrize("size", [0, 32, 43, 45])
def test_a_key_of_another_size_is_refused(size: int) -> None:
    with pytest.raises(CryptoError):
        Seal(bytes(size))


def test_xchacha_agrees_with_its_draft() -> None:
    """draft-irtf-cfrg-xchacha-03, A.3.1."""
    key = bytes(range(0x80, 0xA0))
    nonce = bytes(range(0x40, 0x58))
    associated = bytes.fromhex("50515253c0c1c2c3c4c5c6c7")
    plaintext = (
        b"Ladies and Gentlemen of the class of '99: If I could offer you only one tip for the "
        b"future, sunscreen would be it."
    )
    sealed = seal_xchacha(key, nonce, plaintext, associated)
    assert sealed[:32].hex() == "bd6d179d3e83d43b9576579493c0e939572a1700252bfaccbed2902c21396cbb"
    assert sealed[-16:].hex() == "c0875924c1c7987947deafd8780acf49"
    assert open_xchacha(key, nonce, sealed, associated) == plaintext


@given(st.binary(max_size=80))
def test_random_bytes_do_not_open(sealed: bytes) -> None:
    with pytest.raises(CryptoError):
        open_xchacha(bytes(32), bytes(24), sealed, b"")


def test_xchacha_binds_its_associated_data() -> None:
    sealed = seal_xchacha(bytes(32), bytes(24), b"plain", b"one")
    with pytest.raises(CryptoError):
        open_xchacha(bytes(32), bytes(24), sealed, b"two")
