"""Bencode, the format of Lokinet's key files and address maps: values to bytes and back.

    integer     i<decimal>e          no leading zeros, no -0; 64 bits signed
    byte string <length>:<bytes>
    list        l<values>e
    dictionary  d<key value ...>e    keys are byte strings in rising order, each once

One value has one encoding; anything else, trailing bytes included, is a WireError.
"""

from __future__ import annotations

from typing import TypeAlias

from lokinet_node.base.errors import LocalProtocolError, WireError

Value: TypeAlias = int | bytes | list["Value"] | dict[bytes, "Value"]

MAX_DEPTH = 32
"""Nesting we follow; Lokinet's own files need two."""

_MAX_DIGITS = 20
_INTEGERS = range(-(1 << 63), 1 << 64)


def encode_bencode(value: Value) -> bytes:
    """The one encoding of a value; LocalProtocolError for an integer outside 64 bits."""
    if isinstance(value, bytes):
        return b"%d:%b" % (len(value), value)
    if isinstance(value, int):
        if value not in _INTEGERS:
            raise LocalProtocolError("bencoded integers have 64 bits")
        return b"i%de" % value
    if isinstance(value, list):
        return b"l" + b"".join(map(encode_bencode, value)) + b"e"
    pairs = (encode_bencode(key) + encode_bencode(value[key]) for key in sorted(value))
    return b"d" + b"".join(pairs) + b"e"


def decode_bencode(data: bytes) -> Value:
    """The value that `data` encodes, whole; WireError otherwise."""
    value, end = _decode(data, 0, MAX_DEPTH)
    if end != len(data):
        raise WireError(f"{len(data) - end} bytes after the bencoded value")
    return value


def _decode(data: bytes, at: int, depth: int) -> tuple[Value, int]:
    kind = data[at : at + 1]
    if kind.isdigit():
        return _decode_bytes(data, at)
    if kind == b"i":
        return _decode_integer(data, at)
    if not depth:
        raise WireError(f"bencoded value is nested more than {MAX_DEPTH} deep")
    if kind == b"l":
        return _decode_list(data, at + 1, depth - 1)
    if kind == b"d":
        return _decode_dictionary(data, at + 1, depth - 1)
    raise WireError(f"no bencoded value at offset {at}")


def _number(data: bytes, at: int, closing: bytes) -> tuple[int, int]:
    """The decimal from `at` up to `closing`, and the offset behind that."""
    end = data.find(closing, at, at + _MAX_DIGITS + 2)
    if end < 0:
        raise WireError(f"bencoded number at offset {at} has no end")
    text = data[at:end]
    digits = text[1:] if text.startswith(b"-") else text
    if not digits.isdigit() or (digits.startswith(b"0") and text != b"0"):
        raise WireError(f"bencoded number at offset {at} is malformed")
    return int(text), end + 1


def _decode_integer(data: bytes, at: int) -> tuple[int, int]:
    value, end = _number(data, at + 1, b"e")
    if value not in _INTEGERS:
        raise WireError(f"bencoded integer at offset {at} has more than 64 bits")
    return value, end


def _decode_bytes(data: bytes, at: int) -> tuple[bytes, int]:
    size, start = _number(data, at, b":")
    end = start + size
    if end > len(data):
        raise WireError(f"byte string at offset {at} is cut short")
    return data[start:end], end


def _decode_list(data: bytes, at: int, depth: int) -> tuple[list[Value], int]:
    values: list[Value] = []
    while data[at : at + 1] != b"e":
        value, at = _decode(data, at, depth)
        values.append(value)
    return values, at + 1


def _decode_dictionary(data: bytes, at: int, depth: int) -> tuple[dict[bytes, Value], int]:
    values: dict[bytes, Value] = {}
    last: bytes | None = None
    while data[at : at + 1] != b"e":
        key, at = _decode_bytes(data, at)
        if last is not None and key <= last:
            raise WireError(f"dictionary key before offset {at} is out of order")
        values[key], at = _decode(data, at, depth)
        last = key
    return values, at + 1
