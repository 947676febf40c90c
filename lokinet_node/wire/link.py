"""Link datagrams that are not cells: handshakes and what may answer one (docs/wire.md, section 2).

    initiation  01 version 00 00 | sender 4 | Noise message 1 (1336) | mac1 16 | mac2 16
    response    02 version 00 00 | sender 4 | receiver 4 | Noise message 2 (1332) | mac1 | mac2
    cookie      03 version 00 00 | receiver 4 | nonce 24 | sealed cookie 32 | zeros
    cell        04 00 00 00      | receiver 4 | counter 8 | sealed cell 1360
    version     05 version 00 00 | receiver 4 | zeros

Layouts only: who made a datagram and when is for the link room to judge. What is no cell is read
by `handshake_type` before anything else of it is.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from struct import Struct
from typing import Final

from lokinet_node.base.errors import WireError
from lokinet_node.burst import DATAGRAM, ROWS

VERSION: Final = 1
CELL_TYPE: Final = b"\4\0\0\0"
CELL_WORD: Final = int.from_bytes(CELL_TYPE, "big") << 32
"""First eight bytes of a cell's datagram, as an integer, but for the receiver index."""
CELL_HEADS: Final = tuple(Struct("!" + "QQ1360x" * count) for count in range(ROWS + 1))
"""Heads of so many cells in an arena: CELL_WORD | receiver index, and counter, of each."""

MAC_SIZE: Final = 16
MAC1_AT: Final = DATAGRAM - 2 * MAC_SIZE
MAC2_AT: Final = DATAGRAM - MAC_SIZE
COOKIE_SIZE: Final = 16
COOKIE_NONCE_SIZE: Final = 24
BOOT_ID_SIZE: Final = 8

SUITE_AES_256_GCM: Final = 1
NO_MAC: Final = bytes(MAC_SIZE)

_HEAD: Final = Struct("!BBHI")
_RESPONSE_HEAD: Final = Struct("!BBHII")
_COOKIE: Final = Struct(f"!BBHI{COOKIE_NONCE_SIZE}s{COOKIE_SIZE + 16}s")
_INITIATION_PAYLOAD: Final = Struct(f"!QBB{BOOT_ID_SIZE}s3B")
_RESPONSE_PAYLOAD: Final = Struct(f"!B{BOOT_ID_SIZE}s3B")
_INITIATION_NOISE: Final = MAC1_AT - _HEAD.size
_RESPONSE_NOISE: Final = MAC1_AT - _RESPONSE_HEAD.size

INITIATION_PAYLOAD_SIZE: Final = _INITIATION_NOISE - 32 - 48 - 16
"""Noise message 1 holds an ephemeral key, the sealed static key, this, and a tag."""
RESPONSE_PAYLOAD_SIZE: Final = _RESPONSE_NOISE - 32 - 16

Version = tuple[int, int, int]


class HandshakeType(IntEnum):
    """First byte of a datagram that is not a cell."""

    INITIATION = 1
    RESPONSE = 2
    COOKIE = 3
    OTHER_VERSION = 5
    """4 is a cell."""


class Role(IntEnum):
    """What an initiator claims to be; only a signed contact with its key makes it a router."""

    CLIENT = 0
    ROUTER = 1


@dataclass(frozen=True, slots=True)
class InitiationPayload:
    """What the initiator says under its static key."""

    timestamp: int
    """Instant of making; strictly newer each time."""
    role: Role
    boot_id: bytes
    agent: Version


@dataclass(frozen=True, slots=True)
class ResponsePayload:
    """What the responder says."""

    boot_id: bytes
    agent: Version


@dataclass(frozen=True, slots=True)
class Response:
    """A response's index fields and Noise message."""

    sender: int
    receiver: int
    noise: bytes


@dataclass(frozen=True, slots=True)
class Cookie:
    """A cookie reply; `sealed` is the cookie and its tag."""

    receiver: int
    nonce: bytes
    sealed: bytes


def handshake_type(word: int) -> tuple[HandshakeType, int]:
    """Type and version of a datagram from its first four bytes; WireError if it has neither."""
    try:
        kind = HandshakeType(word >> 24)
    except ValueError:
        kind = None
    if kind is None or word & 0xFFFF:
        raise WireError("datagram of an unknown type")
    return kind, word >> 16 & 0xFF


def encode_other_version(receiver: int) -> bytes:
    """A whole datagram that tells an initiator which version we speak."""
    return _HEAD.pack(HandshakeType.OTHER_VERSION, VERSION, 0, receiver).ljust(DATAGRAM, b"\0")


def index_of_any_version(datagram: bytes) -> int:
    """The index behind the first word, where initiation and version have it in every version."""
    return int(_HEAD.unpack_from(_whole(datagram))[3])


def encode_initiation(sender: int, noise: bytes) -> bytes:
    """The 1344 bytes before mac1."""
    return _HEAD.pack(HandshakeType.INITIATION, VERSION, 0, sender) + noise


def decode_initiation(datagram: bytes) -> tuple[int, bytes]:
    """Sender index and Noise message 1 of a whole datagram."""
    return _HEAD.unpack_from(_whole(datagram))[3], datagram[_HEAD.size : MAC1_AT]


def encode_response(response: Response) -> bytes:
    """The 1344 bytes before mac1."""
    head = _RESPONSE_HEAD.pack(
        HandshakeType.RESPONSE, VERSION, 0, response.sender, response.receiver
    )
    return head + response.noise


def decode_response(datagram: bytes) -> Response:
    """Both indices and Noise message 2 of a whole datagram."""
    _, _, _, sender, receiver = _RESPONSE_HEAD.unpack_from(_whole(datagram))
    return Response(sender, receiver, datagram[_RESPONSE_HEAD.size : MAC1_AT])


def encode_cookie(cookie: Cookie) -> bytes:
    """A whole datagram."""
    head = _COOKIE.pack(
        HandshakeType.COOKIE, VERSION, 0, cookie.receiver, cookie.nonce, cookie.sealed
    )
    return head.ljust(DATAGRAM, b"\0")


def decode_cookie(datagram: bytes) -> Cookie:
    """Index, nonce and sealed cookie; the zeros after it are not looked at."""
    _, _, _, receiver, nonce, sealed = _COOKIE.unpack_from(_whole(datagram))
    return Cookie(receiver, nonce, sealed)


def encode_initiation_payload(payload: InitiationPayload) -> bytes:
    """1240 bytes, zeros at the end."""
    data = _INITIATION_PAYLOAD.pack(
        payload.timestamp, payload.role, SUITE_AES_256_GCM, payload.boot_id, *payload.agent
    )
    return data.ljust(INITIATION_PAYLOAD_SIZE, b"\0")


def decode_initiation_payload(data: bytes) -> InitiationPayload:
    """WireError for an unknown role or suite."""
    _check_size(data, INITIATION_PAYLOAD_SIZE)
    timestamp, role, suite, boot_id, *agent = _INITIATION_PAYLOAD.unpack_from(data)
    _check_suite(suite)
    if role not in (Role.CLIENT, Role.ROUTER):
        raise WireError(f"no role has the number {role}")
    return InitiationPayload(timestamp, Role(role), boot_id, (agent[0], agent[1], agent[2]))


def encode_response_payload(payload: ResponsePayload) -> bytes:
    """1284 bytes, zeros at the end."""
    data = _RESPONSE_PAYLOAD.pack(SUITE_AES_256_GCM, payload.boot_id, *payload.agent)
    return data.ljust(RESPONSE_PAYLOAD_SIZE, b"\0")


def decode_response_payload(data: bytes) -> ResponsePayload:
    """WireError for an unknown suite."""
    _check_size(data, RESPONSE_PAYLOAD_SIZE)
    suite, boot_id, *agent = _RESPONSE_PAYLOAD.unpack_from(data)
    _check_suite(suite)
    return ResponsePayload(boot_id, (agent[0], agent[1], agent[2]))


def _whole(datagram: bytes) -> bytes:
    _check_size(datagram, DATAGRAM)
    return datagram


def _check_size(data: bytes, size: int) -> None:
    if len(data) != size:
        raise WireError(f"{len(data)} bytes where {size} belong")


def _check_suite(suite: int) -> None:
    if suite != SUITE_AES_256_GCM:
        raise WireError(f"link suite {suite} is not offered")
