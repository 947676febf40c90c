"""What the two ends of a session say to each other: layouts without keys.

Payloads of the handshake, and session messages, which are the content of records of type 2:

    payload 1   date 8 | index 4 | introductions: count 1, two of 44 | sign 1 | zeros 6     (108)
    payload 2   status 1 | introductions: count 1, at most 12 of 44 | zeros                 (1268)
    message     kind 1 | introductions: number 4, introductions | received: number 4
                       | ping, pong: token 8 | close: reason 1
                       | auth, auth result: see auth_messages.py
                       | refused: see refused.py

`sign` is the one bit that the X25519 form of a `.loki` key leaves out: the top bit of the key's
last byte. Every `decode_` raises WireError only. docs/wire.md, section 8.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import IntEnum
from struct import Struct
from typing import TYPE_CHECKING, Final, TypeAlias

from lokinet_node.base.errors import LocalProtocolError, WireError
from lokinet_node.session.auth_messages import (
    Auth,
    AuthResult,
    decode_auth,
    decode_auth_result,
    encode_auth,
    encode_auth_result,
)
from lokinet_node.session.refused import Refused, decode_refused, encode_refused
from lokinet_node.wire.introset import (
    INTRODUCTION_SIZE,
    Introduction,
    decode_introductions,
    encode_introductions,
)

if TYPE_CHECKING:
    from lokinet_node.base.units import Micros

PAYLOAD_1_SIZE: Final = 108
PAYLOAD_2_SIZE: Final = 1268
FIRST_INTRODUCTIONS: Final = 2
"""Introductions that message 1 has room for."""
TOKEN_SIZE: Final = 8

STATUS_OK: Final = 0
STATUS_NEEDS_AUTH: Final = 1
"""The keys are good; packets are not taken before the caller was let in."""

_HEAD_1: Final = Struct("!QI")
_SIGN_AT: Final = _HEAD_1.size + 1 + FIRST_INTRODUCTIONS * INTRODUCTION_SIZE
_NUMBER: Final = Struct("!I")


class MessageKind(IntEnum):
    """First byte of a session message."""

    INTRODUCTIONS = 1
    RECEIVED = 2
    PING = 3
    PONG = 4
    CLOSE = 5
    AUTH = 6
    AUTH_RESULT = 7
    REFUSED = 8


class CloseReason(IntEnum):
    """Why a session was closed."""

    ASKED = 0
    IDLE = 1


@dataclass(frozen=True, slots=True)
class Opening:
    """Payload of message 1: what the initiator says of itself."""

    date: Micros
    index: int
    introductions: tuple[Introduction, ...]
    sign: int = 0


@dataclass(frozen=True, slots=True)
class Answer:
    """Payload of message 2."""

    status: int
    introductions: tuple[Introduction, ...]

    @property
    def is_welcoming(self) -> bool:
        """The keys are good; a status that is not known says no."""
        return self.status in (STATUS_OK, STATUS_NEEDS_AUTH)


@dataclass(frozen=True, slots=True)
class Introductions:
    """Where the sender can be reached from now on; a higher number is newer."""

    number: int
    introductions: tuple[Introduction, ...]


@dataclass(frozen=True, slots=True)
class Received:
    """Introductions of that number arrived."""

    number: int


@dataclass(frozen=True, slots=True)
class Ping:
    """Answer with the same token."""

    token: bytes


@dataclass(frozen=True, slots=True)
class Pong:
    """The answer to a ping."""

    token: bytes


@dataclass(frozen=True, slots=True)
class Close:
    """The sender forgets the session; reasons it does not know are kept as numbers."""

    reason: int


SessionMessage: TypeAlias = (
    Introductions | Received | Ping | Pong | Close | Auth | AuthResult | Refused
)


def encode_opening(opening: Opening) -> bytes:
    """Payload of message 1, 108 bytes; LocalProtocolError for more than two introductions."""
    if len(opening.introductions) > FIRST_INTRODUCTIONS:
        raise LocalProtocolError(f"message 1 has room for {FIRST_INTRODUCTIONS} introductions")
    head = _HEAD_1.pack(opening.date, opening.index)
    body = head + encode_introductions(opening.introductions)
    return (body.ljust(_SIGN_AT, b"\0") + bytes((opening.sign,))).ljust(PAYLOAD_1_SIZE, b"\0")


def decode_opening(payload: bytes) -> Opening:
    """The twin; an index of 0 or no way back at all is a WireError."""
    if len(payload) != PAYLOAD_1_SIZE:
        raise WireError(f"payload 1 has {PAYLOAD_1_SIZE} bytes, not {len(payload)}")
    date, index = _HEAD_1.unpack_from(payload)
    introductions, end = decode_introductions(payload, _HEAD_1.size)
    sign = payload[_SIGN_AT]
    if not introductions or end > _SIGN_AT:
        raise WireError(f"{len(introductions)} introductions in message 1")
    if index == 0 or sign > 1:
        raise WireError("message 1 has index 0 or a sign that is none")
    return Opening(date, index, introductions, sign)


def encode_answer(answer: Answer) -> bytes:
    """Payload of message 2, 1268 bytes."""
    body = bytes((answer.status,)) + encode_introductions(answer.introductions)
    return body.ljust(PAYLOAD_2_SIZE, b"\0")


def decode_answer(payload: bytes) -> Answer:
    """The twin."""
    if len(payload) != PAYLOAD_2_SIZE:
        raise WireError(f"payload 2 has {PAYLOAD_2_SIZE} bytes, not {len(payload)}")
    introductions, _ = decode_introductions(payload, 1)
    return Answer(payload[0], introductions)


def encode_message(message: SessionMessage) -> bytes:
    """Content of a record of type 2."""
    match message:
        case Introductions(number, introductions):
            kind = MessageKind.INTRODUCTIONS
            body = _NUMBER.pack(number) + encode_introductions(introductions)
        case Received(number):
            kind, body = MessageKind.RECEIVED, _NUMBER.pack(number)
        case Ping(token):
            kind, body = MessageKind.PING, token
        case Pong(token):
            kind, body = MessageKind.PONG, token
        case Close(reason):
            kind, body = MessageKind.CLOSE, bytes((reason,))
        case Auth():
            kind, body = MessageKind.AUTH, encode_auth(message)
        case AuthResult():
            kind, body = MessageKind.AUTH_RESULT, encode_auth_result(message)
        case Refused():
            kind, body = MessageKind.REFUSED, encode_refused(message)
    return bytes((kind,)) + body


def decode_message(content: bytes | memoryview) -> SessionMessage:
    """The session message that the content is, whole."""
    if not len(content):
        raise WireError("session message without a kind")
    kind, data = content[0], bytes(content[1:])
    decode = _DECODERS.get(kind)
    if decode is None or len(data) != _SIZES.get(kind, len(data)):
        raise WireError(f"session message of kind {kind} and {len(data)} bytes")
    return decode(data)


def _decode_introductions(data: bytes) -> Introductions:
    if len(data) < _NUMBER.size:
        raise WireError("introductions are cut short")
    introductions, end = decode_introductions(data, _NUMBER.size)
    if end != len(data):
        raise WireError("bytes after the introductions")
    return Introductions(_NUMBER.unpack_from(data)[0], introductions)


_SIZES: Final[dict[int, int]] = {
    MessageKind.RECEIVED: _NUMBER.size,
    MessageKind.PING: TOKEN_SIZE,
    MessageKind.PONG: TOKEN_SIZE,
    MessageKind.CLOSE: 1,
}
"""Kinds that always have one size."""

_DECODERS: Final[dict[int, Callable[[bytes], SessionMessage]]] = {
    MessageKind.INTRODUCTIONS: _decode_introductions,
    MessageKind.RECEIVED: lambda data: Received(_NUMBER.unpack(data)[0]),
    MessageKind.PING: Ping,
    MessageKind.PONG: Pong,
    MessageKind.CLOSE: lambda data: Close(data[0]),
    MessageKind.AUTH: decode_auth,
    MessageKind.AUTH_RESULT: decode_auth_result,
    MessageKind.REFUSED: decode_refused,
}
