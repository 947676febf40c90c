"""X25519 and Ed25519 keys: make, agree, sign, verify, convert.

Secrets of Ed25519 are libsodium's 64 bytes, seed then public key. Points and shared secrets that
would let a peer choose the outcome (small order, not on the curve, all zero) are refused. Sizes are
checked here because some of the bindings hand any length on to C.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from nacl import bindings
from nacl.exceptions import BadSignatureError
from nacl.exceptions import CryptoError as SodiumError

from lokinet_node.crypto.errors import CryptoError

if TYPE_CHECKING:
    from lokinet_node.base.entropy import Entropy

__all__ = [
    "CryptoError",
    "KeyPair",
    "ed25519_keypair",
    "ed25519_public_of",
    "ed25519_sign",
    "ed25519_to_x25519_public",
    "ed25519_to_x25519_secret",
    "ed25519_verify",
    "is_valid_ed25519_point",
    "x25519",
    "x25519_from_secret",
    "x25519_keypair",
]

KEY_SIZE = 32
SIGNATURE_SIZE = 64


@dataclass(frozen=True, slots=True)
class KeyPair:
    """A secret and the public key that belongs to it; only the latter is ever shown."""

    secret: bytes = field(repr=False)
    public: bytes


def x25519_keypair(entropy: Entropy) -> KeyPair:
    """A new X25519 key from 32 bytes of entropy."""
    return x25519_from_secret(entropy(KEY_SIZE))


def x25519_from_secret(secret: bytes) -> KeyPair:
    """The X25519 pair of a stored secret; CryptoError unless it has 32 bytes."""
    if len(secret) != KEY_SIZE:
        raise CryptoError(f"an X25519 secret has {KEY_SIZE} bytes, not {len(secret)}")
    return KeyPair(secret, bindings.crypto_scalarmult_base(secret))


def x25519(secret: bytes, public: bytes) -> bytes:
    """The shared secret, 32 bytes; CryptoError for a bad size or a point of small order."""
    if len(public) != KEY_SIZE:
        raise CryptoError(f"an X25519 key has {KEY_SIZE} bytes, not {len(public)}")
    try:
        return bindings.crypto_scalarmult(secret, public)
    except SodiumError as error:
        raise CryptoError("X25519 point of small order") from error


def ed25519_keypair(seed: bytes) -> KeyPair:
    """The Ed25519 pair of a seed of 32 bytes; the secret has 64."""
    public, secret = bindings.crypto_sign_seed_keypair(seed)
    return KeyPair(secret, public)


def ed25519_public_of(secret: bytes) -> bytes:
    """The public key inside a secret of 64 bytes."""
    return bindings.crypto_sign_ed25519_sk_to_pk(secret)


def ed25519_sign(secret: bytes, message: bytes) -> bytes:
    """Signature of 64 bytes by a secret of 64."""
    return bindings.crypto_sign(message, secret)[:SIGNATURE_SIZE]


def ed25519_verify(public: bytes, message: bytes, signature: bytes) -> bool:
    """True iff the signature holds; sizes that cannot be right are False too."""
    if len(public) != KEY_SIZE or len(signature) != SIGNATURE_SIZE:
        return False
    try:
        bindings.crypto_sign_open(signature + message, public)
    except BadSignatureError:
        return False
    return True


def ed25519_to_x25519_public(public: bytes) -> bytes:
    """The X25519 form of an Ed25519 public key; CryptoError if it is no good point."""
    if len(public) != KEY_SIZE:
        raise CryptoError(f"an Ed25519 key has {KEY_SIZE} bytes, not {len(public)}")
    try:
        return bindings.crypto_sign_ed25519_pk_to_curve25519(public)
    except SodiumError as error:
        raise CryptoError("not an Ed25519 point of the main subgroup") from error


def ed25519_to_x25519_secret(secret: bytes) -> bytes:
    """The X25519 secret that belongs to the X25519 form of the public key."""
    return bindings.crypto_sign_ed25519_sk_to_curve25519(secret)


def is_valid_ed25519_point(point: bytes) -> bool:
    """True iff 32 bytes are the canonical form of a point of the prime-order subgroup."""
    return len(point) == KEY_SIZE and bindings.crypto_core_ed25519_is_valid_point(point)
