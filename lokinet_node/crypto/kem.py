"""ML-KEM-768 (FIPS 203): the half of a session's keys that a quantum computer does not open.

A ciphertext made for another key does not fail here: it gives another secret (implicit rejection),
and the handshake that mixes it in fails in its AEAD.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

from cryptography.hazmat.primitives.asymmetric.mlkem import MLKEM768PrivateKey, MLKEM768PublicKey

from lokinet_node.crypto.errors import CryptoError

if TYPE_CHECKING:
    from lokinet_node.base.entropy import Entropy

KEM_PUBLIC_SIZE = 1184
KEM_CIPHERTEXT_SIZE = 1088
KEM_SHARED_SIZE = 32
_SEED_SIZE = 64

KemSecret: TypeAlias = MLKEM768PrivateKey


def kem_keypair(entropy: Entropy | None = None) -> tuple[KemSecret, bytes]:
    """A new secret and its public key; from OpenSSL's own generator unless entropy is given."""
    if entropy is None:
        secret = MLKEM768PrivateKey.generate()
    else:
        secret = MLKEM768PrivateKey.from_seed_bytes(entropy(_SEED_SIZE))
    return secret, secret.public_key().public_bytes_raw()


def encapsulate(public: bytes) -> tuple[bytes, bytes]:
    """(ciphertext 1088, shared secret 32); CryptoError if `public` is no encapsulation key."""
    try:
        shared, ciphertext = MLKEM768PublicKey.from_public_bytes(public).encapsulate()
    except ValueError as error:
        raise CryptoError("not an ML-KEM-768 encapsulation key") from error
    return ciphertext, shared


def decapsulate(secret: KemSecret, ciphertext: bytes) -> bytes:
    """The shared secret, 32 bytes; CryptoError only for a ciphertext of another size."""
    try:
        return secret.decapsulate(ciphertext)
    except ValueError as error:
        raise CryptoError("not an ML-KEM-768 ciphertext") from error
