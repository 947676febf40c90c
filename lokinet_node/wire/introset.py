"""Introsets: where a service can be reached, sealed for those who know its address.

    introduction   router 32 | handle 8 | expiry 4 (seconds)
    introductions  count 1 | introductions
    introset       version 1 | address 32 | ML-KEM-768 key 1184 | gate key 16 | introductions
    sealed         version 1 | blinded key 32 | sequence 8 (instant of signing) |
                   lifetime 4 (seconds) | nonce 24 | length 2 | ciphertext | signature 64

Layouts only: session/introset.py seals and opens, dht/verify.py believes. One value has one
encoding; a decoded sealed introset keeps its bytes, which are what the signature covers.
docs/wire.md, sections 6 and 7.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from struct import Struct
from typing import TYPE_CHECKING, Final

from lokinet_node.base.errors import LocalProtocolError, WireError
from lokinet_node.base.ids import BlindedKey, Handle, LokiAddress, RouterID
from lokinet_node.base.units import SECOND, Micros
from lokinet_node.wire.control import FIRST_FREE_HANDLE

if TYPE_CHECKING:
    from collections.abc import Sequence

# What the specification says.

INTROSET_VERSION: Final = 1
MAX_INTRODUCTIONS: Final = 12
MAX_SEALED_SIZE: Final = 4096
KEM_KEY_SIZE: Final = 1184
GATE_KEY_SIZE: Final = 16
NONCE_SIZE: Final = 24
TAG_SIZE: Final = 16
SIGNATURE_SIZE: Final = 64

_INTRODUCTION: Final = Struct("!32sQI")
_INTROSET: Final = Struct("!B32s1184s16s")
_SEALED: Final = Struct("!B32sQI24sH")
_AUTHENTICATED: Final = Struct("!B32sQI")
INTRODUCTION_SIZE: Final = _INTRODUCTION.size
AUTHENTICATED_SIZE: Final = _AUTHENTICATED.size
"""Bytes before the nonce: what the ciphertext is bound to."""


@dataclass(frozen=True, slots=True)
class Introduction:
    """A registered handle at a pivot; good until `expires_s`, seconds since the epoch."""

    router: RouterID
    handle: Handle = field(repr=False)
    expires_s: int


@dataclass(frozen=True, slots=True)
class Introset:
    """What a client of a service needs to open a session with it."""

    address: LokiAddress
    kem_key: bytes = field(repr=False)
    gate_key: bytes = field(repr=False)
    introductions: tuple[Introduction, ...]


@dataclass(frozen=True, slots=True)
class SealedIntroset:
    """What routers hold: signed under the blinded key, opaque to them."""

    blinded_key: BlindedKey
    sequence: Micros
    """The instant of signing; of two introsets the one with the higher is the newer."""
    lifetime_s: int
    nonce: bytes = field(repr=False)
    ciphertext: bytes = field(repr=False)
    signature: bytes = field(repr=False)
    raw: bytes = field(repr=False)

    @property
    def expires(self) -> Micros:
        """The first instant at which the introset is no longer good."""
        return self.sequence + self.lifetime_s * SECOND

    @property
    def authenticated(self) -> bytes:
        """Everything before the nonce: the ciphertext's associated data."""
        return self.raw[:AUTHENTICATED_SIZE]


def encode_introductions(introductions: Sequence[Introduction]) -> bytes:
    """Count and introductions; LocalProtocolError for more than 12."""
    if len(introductions) > MAX_INTRODUCTIONS:
        raise LocalProtocolError(f"at most {MAX_INTRODUCTIONS} introductions fit")
    packed = (_INTRODUCTION.pack(one.router, one.handle, one.expires_s) for one in introductions)
    return bytes((len(introductions),)) + b"".join(packed)


def decode_introductions(
    data: bytes | memoryview, at: int = 0
) -> tuple[tuple[Introduction, ...], int]:
    """The introductions from offset `at`, and the offset behind them; WireError otherwise."""
    if at >= len(data):
        raise WireError("introductions are cut short")
    count = data[at]
    end = at + 1 + count * INTRODUCTION_SIZE
    if count > MAX_INTRODUCTIONS or end > len(data):
        raise WireError(f"{count} introductions do not fit")
    found = tuple(
        Introduction(RouterID(router), Handle(handle), expires_s)
        for router, handle, expires_s in _INTRODUCTION.iter_unpack(data[at + 1 : end])
    )
    if any(one.handle < FIRST_FREE_HANDLE for one in found):
        raise WireError("introduction with a reserved handle")
    return found, end


def encode_introset(introset: Introset) -> bytes:
    """The plaintext, before sealing."""
    if len(introset.kem_key) != KEM_KEY_SIZE or len(introset.gate_key) != GATE_KEY_SIZE:
        raise LocalProtocolError("keys of an introset have 1184 and 16 bytes")
    head = _INTROSET.pack(INTROSET_VERSION, introset.address, introset.kem_key, introset.gate_key)
    return head + encode_introductions(introset.introductions)


def decode_introset(data: bytes) -> Introset:
    """The introset that an opened plaintext is, whole; WireError otherwise."""
    if len(data) < _INTROSET.size:
        raise WireError("introset is cut short")
    version, address, kem_key, gate_key = _INTROSET.unpack_from(data)
    if version != INTROSET_VERSION:
        raise WireError(f"introset version {version} is not ours")
    introductions, end = decode_introductions(data, _INTROSET.size)
    if end != len(data):
        raise WireError(f"{len(data) - end} bytes after the introset")
    return Introset(LokiAddress(address), kem_key, gate_key, introductions)


def encode_authenticated(blinded_key: bytes, sequence: Micros, lifetime_s: int) -> bytes:
    """Everything before the nonce."""
    return _AUTHENTICATED.pack(INTROSET_VERSION, blinded_key, sequence, lifetime_s)


def encode_sealed_body(authenticated: bytes, nonce: bytes, ciphertext: bytes) -> bytes:
    """Everything before the signature."""
    return authenticated + nonce + len(ciphertext).to_bytes(2, "big") + ciphertext


def decode_sealed_introset(data: bytes | memoryview) -> SealedIntroset:
    """The sealed introset that `data` is, whole; WireError otherwise. Nothing is verified."""
    raw = bytes(data)
    ciphertext_size = len(raw) - _SEALED.size - SIGNATURE_SIZE
    if ciphertext_size < TAG_SIZE or len(raw) > MAX_SEALED_SIZE:
        raise WireError(f"an introset of {len(raw)} bytes")
    version, blinded_key, sequence, lifetime_s, nonce, length = _SEALED.unpack_from(raw)
    if version != INTROSET_VERSION:
        raise WireError(f"introset version {version} is not ours")
    if length != ciphertext_size:
        raise WireError("introset's length does not agree with its size")
    return SealedIntroset(
        blinded_key=BlindedKey(blinded_key),
        sequence=sequence,
        lifetime_s=lifetime_s,
        nonce=nonce,
        ciphertext=raw[_SEALED.size : -SIGNATURE_SIZE],
        signature=raw[-SIGNATURE_SIZE:],
        raw=raw,
    )
