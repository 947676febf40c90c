"""A question for an A record and its answer: all that probing a name takes (RFC 1035, 4.1)."""

from __future__ import annotations

import socket
import struct
from dataclasses import dataclass

__all__ = ["Answer", "encode_query", "parse_answer"]

HEADER = struct.Struct("!HHHHHH")
RECORD = struct.Struct("!HHIH")
RECURSION_DESIRED = 0x0100
TYPE_A = 1
CLASS_IN = 1
RCODES = {0: "NOERROR", 2: "SERVFAIL", 3: "NXDOMAIN", 5: "REFUSED"}


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back: an address, or the reason there is none."""

    address: str | None
    rcode: str


def encode_query(identifier: int, name: str) -> bytes:
    """A question for `name`; each label 1 to 63 ASCII characters."""
    labels = [label.encode("ascii") for label in name.rstrip(".").split(".")]
    question = b"".join(bytes([len(label)]) + label for label in labels) + b"\0"
    header = HEADER.pack(identifier, RECURSION_DESIRED, 1, 0, 0, 0)
    return header + question + struct.pack("!HH", TYPE_A, CLASS_IN)


def parse_answer(identifier: int, data: bytes) -> Answer | None:
    """The first address in a reply to `identifier`; None for anything else, garbage included."""
    try:
        found, flags, questions, answers, _, _ = HEADER.unpack_from(data)
        if found != identifier or not flags & 0x8000:
            return None
        rcode = RCODES.get(flags & 0x000F, str(flags & 0x000F))
        offset = HEADER.size
        for _ in range(questions):
            offset = _after_name(data, offset) + 4
        for _ in range(answers):
            offset = _after_name(data, offset)
            kind, kind_class, _, size = RECORD.unpack_from(data, offset)
            offset += RECORD.size
            if (kind, kind_class, size) == (TYPE_A, CLASS_IN, 4):
                return Answer(socket.inet_ntoa(data[offset : offset + 4]), rcode)
            offset += size
    except (struct.error, IndexError, OSError):
        return None
    return Answer(None, rcode)


def _after_name(data: bytes, offset: int) -> int:
    while True:
        length = data[offset]
        if length >= 0xC0:  # a pointer ends the name here
            return offset + 2
        offset += 1 + length
        if length == 0:
            return offset
