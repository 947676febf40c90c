"""Key blinding as Tor's v3 onion services do it (rend-spec-v3, A.2), with periods in seconds.

Who knows an address A finds the blinded key A' = h·A of a period; who holds the secret of A signs
under A' with an ordinary Ed25519 signature; who sees only A' learns neither A nor that two
periods' keys belong together.

libsodium signs from a seed only, and a blinded secret has none: `ExpandedSigner` is RFC 8032's
signing equation over libsodium's scalar and point operations, checked against Tor's vectors.
"""

from __future__ import annotations

from hashlib import sha3_256, sha512

from nacl import bindings
from nacl.exceptions import CryptoError as SodiumError

from lokinet_node.base.units import SECOND, Micros
from lokinet_node.crypto.errors import CryptoError

_BASE_POINT_TEXT = (
    b"(15112221349535400772501151409588531511454012693041857206046113283949847762202, "
    b"46316835694926478169428394003475163141307993866256225615783033603165251855960)"
)
_FACTOR_LABEL = b"Derive temporary signing key\0"
_PREFIX_LABEL = b"Derive temporary signing key hash input"
_SCALAR_SIZE = 32


class ExpandedSigner:
    """Signs with a scalar and a nonce prefix instead of a seed; verified like any Ed25519."""

    __slots__ = ("_prefix", "_scalar", "public")

    def __init__(self, scalar: bytes, prefix: bytes) -> None:
        self._scalar = scalar
        self._prefix = prefix
        self.public: bytes = bindings.crypto_scalarmult_ed25519_base_noclamp(_mod_order(scalar))

    def sign(self, message: bytes) -> bytes:
        """Signature of 64 bytes; the nonce is derived from prefix and message (RFC 8032, 5.1.6)."""
        nonce = _mod_order(sha512(self._prefix + message).digest())
        commitment = bindings.crypto_scalarmult_ed25519_base_noclamp(nonce)
        challenge = _mod_order(sha512(commitment + self.public + message).digest())
        product = bindings.crypto_core_ed25519_scalar_mul(challenge, self._scalar)
        return commitment + bindings.crypto_core_ed25519_scalar_add(product, nonce)


def period_at(now: Micros, period_length_s: int) -> int:
    """The number of the period that an instant lies in."""
    return now // (period_length_s * SECOND)


def blinding_factor(address: bytes, period: int, period_length_s: int) -> bytes:
    """H before clamping, 32 bytes; `period` is the number, not an instant."""
    return sha3_256(
        _FACTOR_LABEL
        + address
        + _BASE_POINT_TEXT
        + b"key-blind"
        + period.to_bytes(8, "big")
        + period_length_s.to_bytes(8, "big")
    ).digest()


def blind_public(address: bytes, period: int, period_length_s: int) -> bytes:
    """The blinded key, 32 bytes; CryptoError if the address is no point of the main subgroup."""
    return multiply_public(address, blinding_factor(address, period, period_length_s))


def blind_secret(secret: bytes, period: int, period_length_s: int) -> ExpandedSigner:
    """The signer of the blinded key, from an Ed25519 secret of 64 bytes."""
    address = bindings.crypto_sign_ed25519_sk_to_pk(secret)
    factor = blinding_factor(address, period, period_length_s)
    return multiply_secret(expand_seed(bindings.crypto_sign_ed25519_sk_to_seed(secret)), factor)


def expand_seed(seed: bytes) -> bytes:
    """Clamped scalar 32 and nonce prefix 32 of an Ed25519 seed (RFC 8032, 5.1.5)."""
    digest = sha512(seed).digest()
    return _clamp(digest[:_SCALAR_SIZE]) + digest[_SCALAR_SIZE:]


def multiply_public(address: bytes, factor: bytes) -> bytes:
    """clamp(factor)·A; libsodium refuses what is not in the main subgroup."""
    try:
        return bindings.crypto_scalarmult_ed25519_noclamp(_clamp(factor), address)
    except SodiumError as error:
        raise CryptoError("not an Ed25519 point of the main subgroup") from error


def multiply_secret(expanded: bytes, factor: bytes) -> ExpandedSigner:
    """Signer of clamp(factor)·a, with its own nonce prefix; `expanded` as of expand_seed."""
    scalar = bindings.crypto_core_ed25519_scalar_mul(_clamp(factor), expanded[:_SCALAR_SIZE])
    prefix = sha512(_PREFIX_LABEL + expanded[_SCALAR_SIZE:]).digest()[:32]
    return ExpandedSigner(scalar, prefix)


def _clamp(scalar: bytes) -> bytes:
    return bytes((scalar[0] & 248, *scalar[1:31], scalar[31] & 63 | 64))


def _mod_order(value: bytes) -> bytes:
    """A little-endian number of up to 64 bytes modulo the order of the base point."""
    return bindings.crypto_core_ed25519_scalar_reduce(value.ljust(64, b"\0"))
