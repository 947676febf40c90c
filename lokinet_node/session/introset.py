"""Sealing the own introset and opening another's: layout, blinding and cipher together.

The ciphertext's key follows from the address and the period, so that only who knows the address
reads it. That does not prove who wrote it: the signature under the blinded key does, which is why
opening checks the signature, the freshness and that the key is the address blinded for the
period, all before decrypting. docs/wire.md, section 7.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from lokinet_node.base.errors import LocalProtocolError, WireError
from lokinet_node.crypto.blind import blind_public, blind_secret
from lokinet_node.crypto.errors import CryptoError
from lokinet_node.crypto.kdf import blake2b, blake2s
from lokinet_node.crypto.keys import ed25519_public_of
from lokinet_node.crypto.seal import open_xchacha, seal_xchacha
from lokinet_node.dht.verify import LONGEST_LIFETIME, verify_sealed_introset
from lokinet_node.wire.introset import (
    NONCE_SIZE,
    Introset,
    SealedIntroset,
    decode_introset,
    encode_authenticated,
    encode_introset,
    encode_sealed_body,
)

if TYPE_CHECKING:
    from lokinet_node.base.entropy import Entropy
    from lokinet_node.base.ids import LokiAddress
    from lokinet_node.base.units import Micros

_LABEL: Final = b"lokinet-testnet introset"
_ID_SIZE: Final = 8


def seal_introset(
    introset: Introset,
    secret: bytes,
    period: int,
    period_length_s: int,
    now: Micros,
    lifetime_s: int,
    entropy: Entropy,
) -> bytes:
    """The raw sealed introset for one period, by the 64-byte secret of its address.

    `now` becomes the sequence, so it must be later than that of the introset before.
    """
    if ed25519_public_of(secret) != introset.address:
        raise LocalProtocolError("an introset is sealed by the address it describes")
    signer = blind_secret(secret, period, period_length_s)
    authenticated = encode_authenticated(signer.public, now, lifetime_s)
    nonce = entropy(NONCE_SIZE)
    key = _cipher_key(introset.address, period)
    ciphertext = seal_xchacha(key, nonce, encode_introset(introset), authenticated)
    body = encode_sealed_body(authenticated, nonce, ciphertext)
    return body + signer.sign(body)


def open_introset(
    sealed: SealedIntroset,
    address: LokiAddress,
    period: int,
    period_length_s: int,
    now: Micros,
    *,
    longest: Micros = LONGEST_LIFETIME,
) -> Introset:
    """The introset of an address, believed and decrypted; WireError in every other case."""
    try:
        expected = blind_public(address, period, period_length_s)
        if sealed.blinded_key != expected:
            raise WireError("introset is not the one of this address and period")
        verify_sealed_introset(sealed, now, longest=longest)
        key = _cipher_key(address, period)
        plaintext = open_xchacha(key, sealed.nonce, sealed.ciphertext, sealed.authenticated)
    except CryptoError as error:
        raise WireError("introset does not open") from error
    introset = decode_introset(plaintext)
    if introset.address != address:
        raise WireError("introset describes another address")
    return introset


def introset_digest(introset: Introset) -> bytes:
    """32 bytes that stand for one introset in the session handshake."""
    return blake2s(encode_introset(introset))


def introset_id(digest: bytes) -> bytes:
    """The 8 bytes by which message 1 of a session names the introset it answers."""
    return blake2s(digest)[:_ID_SIZE]


def _cipher_key(address: LokiAddress, period: int) -> bytes:
    return blake2b(_LABEL + address + period.to_bytes(8, "big"))
