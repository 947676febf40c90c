"""Introsets: where a service can be reached, sealed for those who know its address.

    introduction   router 32 | handle 8 | expiry 4 (seconds)
    introductions  count 1 | introductions
    service        length 1, labels | priority 2 | weight 2 | port 2 | length 1, target
    services       count 1 | services
    introset       version 1 (3) | address 32 | ML-KEM-768 key 1184 | gate key 16 |
                   introductions | services | offer (wire/offer.py) |
                   zeros up to 2048 or, if that is too little, 3840
    sealed         version 1 | blinded key 32 | sequence 8 (instant of signing) |
                   lifetime 4 (seconds) | nonce 24 | length 2 | ciphertext | signature 64

Layouts only: session/introset.py seals and opens, dht/verify.py believes. One value has one
encoding; a decoded sealed introset keeps its bytes, which are what the signature covers. There
are two sizes only, for holders must not know a service again by the length of what it publishes
in another period. docs/wire.md, sections 6 and 7.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from struct import Struct
from typing import TYPE_CHECKING, Final

from lokinet_node.base.errors import LocalProtocolError, NameSyntaxError, WireError
from lokinet_node.base.ids import BlindedKey, Handle, LokiAddress, RouterID
from lokinet_node.base.srv import SrvRecord, check_srv
from lokinet_node.base.units import SECOND, Micros
from lokinet_node.wire.control import FIRST_FREE_HANDLE
from lokinet_node.wire.offer import NO_OFFER, Offer, decode_offer, encode_offer

if TYPE_CHECKING:
    from collections.abc import Sequence

# What the specification says.

SEALED_VERSION: Final = 1
INTROSET_VERSION: Final = 3
MAX_INTRODUCTIONS: Final = 12
MAX_SERVICES: Final = 16
MAX_SERVICES_SIZE: Final = 2048
"""Bytes of all services and their count."""
MAX_EXTRAS_SIZE: Final = 2078
"""Bytes of services and offer together: what the larger size has room for."""
PLAINTEXT_SIZES: Final = (2048, 3840)
MAX_SEALED_SIZE: Final = 4096
KEM_KEY_SIZE: Final = 1184
GATE_KEY_SIZE: Final = 16
NONCE_SIZE: Final = 24
TAG_SIZE: Final = 16
SIGNATURE_SIZE: Final = 64

_INTRODUCTION: Final = Struct("!32sQI")
_NUMBERS: Final = Struct("!HHH")
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
    services: tuple[SrvRecord, ...] = ()
    """SRV records, in the order the service gave them."""
    offer: Offer = NO_OFFER


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


def encode_services(services: Sequence[SrvRecord]) -> bytes:
    """Count and services; LocalProtocolError for more than an introset takes."""
    packed = bytes((len(services) & 0xFF,)) + b"".join(map(_encode_service, services))
    if len(services) > MAX_SERVICES or len(packed) > MAX_SERVICES_SIZE:
        raise LocalProtocolError(
            f"at most {MAX_SERVICES} services of {MAX_SERVICES_SIZE} bytes together fit"
        )
    return packed


def _encode_service(service: SrvRecord) -> bytes:
    labels, target = service.service.encode(), service.target.encode()
    numbers = _NUMBERS.pack(service.priority, service.weight, service.port)
    return bytes((len(labels),)) + labels + numbers + bytes((len(target),)) + target


def decode_services(data: bytes, at: int) -> tuple[tuple[SrvRecord, ...], int]:
    """The services from offset `at`, and the offset behind them; WireError otherwise."""
    reader = _Reader(data, at)
    count = reader.take(1)[0]
    if count > MAX_SERVICES:
        raise WireError(f"{count} services do not fit")
    found = tuple(_decode_service(reader) for _ in range(count))
    if reader.at - at > MAX_SERVICES_SIZE:
        raise WireError(f"services of {reader.at - at} bytes do not fit")
    return found, reader.at


class _Reader:
    """Bytes one after the other; WireError where there are too few."""

    def __init__(self, data: bytes, at: int) -> None:
        self.at = at
        self._data = data

    def take(self, size: int) -> bytes:
        self.at += size
        if self.at > len(self._data):
            raise WireError("services are cut short")
        return self._data[self.at - size : self.at]

    def text(self) -> str:
        try:
            return self.take(self.take(1)[0]).decode("ascii")
        except UnicodeDecodeError as error:
            raise WireError("text of a service is not ASCII") from error


def _decode_service(reader: _Reader) -> SrvRecord:
    labels = reader.text()
    priority, weight, port = _NUMBERS.unpack(reader.take(_NUMBERS.size))
    record = SrvRecord(labels, priority, weight, port, reader.text())
    try:
        check_srv(record)
    except NameSyntaxError as error:
        raise WireError(str(error)) from error
    return record


def encode_extras(services: Sequence[SrvRecord], offer: Offer) -> bytes:
    """What follows the introductions; LocalProtocolError where it does not fit."""
    extras = encode_services(services) + encode_offer(offer)
    if len(extras) > MAX_EXTRAS_SIZE:
        raise LocalProtocolError(
            f"services and what an exit says of itself have {MAX_EXTRAS_SIZE} bytes together"
        )
    return extras


def encode_introset(introset: Introset) -> bytes:
    """The plaintext, before sealing."""
    if len(introset.kem_key) != KEM_KEY_SIZE or len(introset.gate_key) != GATE_KEY_SIZE:
        raise LocalProtocolError("keys of an introset have 1184 and 16 bytes")
    head = _INTROSET.pack(INTROSET_VERSION, introset.address, introset.kem_key, introset.gate_key)
    extras = encode_extras(introset.services, introset.offer)
    content = head + encode_introductions(introset.introductions) + extras
    return content.ljust(_padded_size(len(content)), b"\0")


def decode_introset(data: bytes) -> Introset:
    """The introset that an opened plaintext is, whole; WireError otherwise."""
    if len(data) < _INTROSET.size:
        raise WireError("introset is cut short")
    version, address, kem_key, gate_key = _INTROSET.unpack_from(data)
    if version != INTROSET_VERSION:
        raise WireError(f"introset version {version} is not ours, which is {INTROSET_VERSION}")
    introductions, end = decode_introductions(data, _INTROSET.size)
    services, end = decode_services(data, end)
    offer, end = decode_offer(data, end)
    if len(data) != _padded_size(end) or any(data[end:]):
        raise WireError(f"{len(data) - end} bytes after the introset")
    return Introset(LokiAddress(address), kem_key, gate_key, introductions, services, offer)


def _padded_size(size: int) -> int:
    """The smallest size of a plaintext that holds so many bytes; 0: none does."""
    return next((padded for padded in PLAINTEXT_SIZES if size <= padded), 0)


def encode_authenticated(blinded_key: bytes, sequence: Micros, lifetime_s: int) -> bytes:
    """Everything before the nonce."""
    return _AUTHENTICATED.pack(SEALED_VERSION, blinded_key, sequence, lifetime_s)


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
    if version != SEALED_VERSION:
        raise WireError(f"introset version {version} is not ours, which is {SEALED_VERSION}")
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
