"""Hot: AES-256-GCM under one 44-byte key: 32 of AES key and 12 of IV, derived together.

Beside it XChaCha20-Poly1305 for what is sealed under a random nonce of 24 bytes.

The nonce is IV XOR counter, as in TLS 1.3, so a key is hard to attack among many others. One
writer per key, and a counter is used once (docs/wire.md, section 10): this class counts nothing.

Bursts use `seal_rows` and `open_rows`: one call in which no Python runs for a row. Counters of a
run differ in their last byte, so the nonces are one head and that byte, taken from a table.
Opening writes unverified plaintext before it raises InvalidTag: such rows must be discarded. Seals
have no associated data.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Sequence
from functools import lru_cache
from itertools import repeat

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from nacl import bindings
from nacl.exceptions import CryptoError as SodiumError

from lokinet_node.crypto.errors import CryptoError

KEY_SIZE = 44
TAG_SIZE = 16
_NONCE_SIZE = 12
_BLOCK = 256
"""Counters whose nonces have one head."""


@lru_cache(maxsize=_BLOCK)
def _last_bytes(mask: int) -> tuple[bytes, ...]:
    """The last byte of the nonce of each counter of a block; `mask` is the IV's last byte."""
    return tuple(bytes((mask ^ counter,)) for counter in range(_BLOCK))


class Seal:
    """One direction's AEAD."""

    __slots__ = ("_aead", "_last", "decrypt_into", "encrypt_into", "mask")

    def __init__(self, key: bytes) -> None:
        if len(key) != KEY_SIZE:
            raise CryptoError(f"a sealing key has {KEY_SIZE} bytes, not {len(key)}")
        aead = AESGCM(key[:32])
        self._aead = aead
        self.encrypt_into = aead.encrypt_into
        self.decrypt_into = aead.decrypt_into
        self.mask = int.from_bytes(key[32:], "big")
        self._last = _last_bytes(self.mask % _BLOCK)

    def nonce(self, counter: int) -> bytes:
        """The 12 bytes that counter (0 ≤ counter < 2^64) stands for."""
        return (self.mask ^ counter).to_bytes(_NONCE_SIZE, "big")

    def nonces(self, counter: int, count: int) -> Iterable[bytes]:
        """Those of consecutive counters."""
        first = counter % _BLOCK
        mask = self.mask
        if first + count <= _BLOCK:
            head = ((mask ^ counter) // _BLOCK).to_bytes(_NONCE_SIZE - 1, "big")
            return map(head.__add__, self._last[first : first + count])
        return [(mask ^ n).to_bytes(_NONCE_SIZE, "big") for n in range(counter, counter + count)]

    def seal_rows(
        self,
        counter: int,
        rows: Sequence[memoryview],
        first: int,
        count: int,
        targets: Sequence[memoryview],
        at: int,
    ) -> None:
        """Seal rows first … first + count into targets at … under counters that are reserved.

        Each target is a tag longer than its row.
        """
        if count == 1:  # no set-up for a lone cell
            self.encrypt_into(self.nonce(counter), rows[first], None, targets[at])
            return
        nonces = self.nonces(counter, count)
        end = first + count
        deque(map(self.encrypt_into, nonces, rows[first:end], repeat(None), targets[at:]), maxlen=0)

    def open_rows(
        self,
        counter: int,
        rows: Sequence[memoryview],
        first: int,
        count: int,
        targets: Sequence[memoryview],
        at: int,
    ) -> None:
        """The way back; InvalidTag when any row is bad: all targets are void."""
        if count == 1:
            self.decrypt_into(self.nonce(counter), rows[first], None, targets[at])
            return
        nonces = self.nonces(counter, count)
        end = first + count
        deque(map(self.decrypt_into, nonces, rows[first:end], repeat(None), targets[at:]), maxlen=0)

    def seal(self, counter: int, plaintext: bytes | memoryview) -> bytes:
        """Ciphertext and tag; the caller has reserved the counter."""
        return self._aead.encrypt(self.nonce(counter), plaintext, None)

    def open(self, counter: int, ciphertext: bytes | memoryview) -> bytes:
        """Plaintext; CryptoError when the tag is wrong or missing."""
        try:
            return self._aead.decrypt(self.nonce(counter), ciphertext, None)
        except InvalidTag as error:
            raise CryptoError("authentication tag is wrong") from error


def seal_xchacha(key: bytes, nonce: bytes, plaintext: bytes, associated: bytes) -> bytes:
    """Ciphertext and tag under a key of 32 bytes and a random nonce of 24."""
    return bindings.crypto_aead_xchacha20poly1305_ietf_encrypt(plaintext, associated, nonce, key)


def open_xchacha(key: bytes, nonce: bytes, ciphertext: bytes, associated: bytes) -> bytes:
    """Plaintext; CryptoError when the tag is wrong or missing."""
    if len(ciphertext) < TAG_SIZE:
        raise CryptoError("ciphertext is shorter than its tag")
    try:
        return bindings.crypto_aead_xchacha20poly1305_ietf_decrypt(
            ciphertext, associated, nonce, key
        )
    except SodiumError as error:
        raise CryptoError("authentication tag is wrong") from error
