"""Mumble's control channel: frames of type and length, and as much of protobuf as it needs. Pure.

A message is fields of (number, value): integers as varints, texts and bytes with their length.
What else protobuf can say (fixed widths) is skipped when read and never written.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator

__all__ = [
    "LARGEST",
    "MALFORMED",
    "Fields",
    "Kind",
    "Malformed",
    "framed",
    "frames",
    "number",
    "packed",
    "text",
    "unpacked",
]

HEAD = struct.Struct("!HI")
LARGEST = 0x7FFFFF
"""Bytes of one message: Mumble's own bound."""
VARINT, COUNTED = 0, 2
MALFORMED = "not what a Mumble server says"

Fields = dict[int, int | bytes]
"""By number; of several with one number the last, as protobuf has it for fields that come once."""


class Kind:
    """Types of messages, of Mumble.proto's order."""

    VERSION = 0
    TUNNEL = 1
    """A voice packet where UDP does not get through: no protobuf."""
    AUTHENTICATE = 2
    PING = 3
    REJECT = 4
    SERVER_SYNC = 5
    CRYPT_SETUP = 15


class Malformed(Exception):
    """Bytes that are no message."""


def framed(kind: int, body: bytes) -> bytes:
    """A message as it goes over TLS."""
    return HEAD.pack(kind, len(body)) + body


def frames(buffer: bytearray) -> Iterator[tuple[int, bytes]]:
    """Take whole messages off the front of what was received; raises Malformed."""
    while len(buffer) >= HEAD.size:
        kind, length = HEAD.unpack_from(buffer)
        if length > LARGEST:
            raise Malformed(MALFORMED)
        end = HEAD.size + length
        if len(buffer) < end:
            return
        body = bytes(buffer[HEAD.size : end])
        del buffer[:end]
        yield kind, body


def packed(*fields: tuple[int, int | str | bytes]) -> bytes:
    """A message of these fields, in this order."""
    data = b""
    for tag, value in fields:
        if isinstance(value, int):
            data += _varint(tag << 3 | VARINT) + _varint(value)
        else:
            body = value.encode() if isinstance(value, str) else value
            data += _varint(tag << 3 | COUNTED) + _varint(len(body)) + body
    return data


def unpacked(data: bytes) -> Fields:
    """The fields of a message; raises Malformed."""
    fields: Fields = {}
    at = 0
    while at < len(data):
        tag, at = _read_varint(data, at)
        match tag & 7:
            case 0:
                fields[tag >> 3], at = _read_varint(data, at)
                continue
            case 1:
                length = 8
            case 2:
                length, at = _read_varint(data, at)
                fields[tag >> 3] = data[at : at + length]
            case 5:
                length = 4
            case _:
                raise Malformed(MALFORMED)
        at += length
    if at != len(data):
        raise Malformed(MALFORMED)
    return fields


def number(fields: Fields, tag: int) -> int | None:
    """An integer, if it is there."""
    value = fields.get(tag)
    return value if isinstance(value, int) else None


def text(fields: Fields, tag: int) -> str:
    """A text; empty if it is not there."""
    value = fields.get(tag)
    return value.decode(errors="replace") if isinstance(value, bytes) else ""


def _varint(value: int) -> bytes:
    data = bytearray()
    while value > 0x7F:
        data.append(value & 0x7F | 0x80)
        value >>= 7
    data.append(value)
    return bytes(data)


def _read_varint(data: bytes, at: int) -> tuple[int, int]:
    value = 0
    for shift in range(0, 64, 7):
        if at >= len(data):
            raise Malformed(MALFORMED)
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
    raise Malformed(MALFORMED)
