"""What is inside the slots of a path build: the record for a hop and the hop's answer.

    slot     onion key id 4 | Noise message 1: e 32, record 108, tag 16
    record   next router 32 | next path id 8 | expiry 4 (seconds) | slot key 32 |
             backward start 6 | zeros 26
    answer   Noise message 2: e 32, (status 1 | digest 32 | zeros 79), tag 16

Layouts only; path/onion.py seals and opens them. The record of a last hop names the hop itself and
path id 0; the records of all others carry backward start 0. docs/wire.md, section 5.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from struct import Struct
from typing import Final

from lokinet_node.base.errors import WireError
from lokinet_node.base.ids import PathID, RouterID
from lokinet_node.wire.kinds import BuildStatus

# What the specification says.

SLOT: Final = 160
SLOT_COUNT: Final = 8
SLOTS_SIZE: Final = SLOT_COUNT * SLOT
REST_SIZE: Final = SLOTS_SIZE - SLOT
KEY_ID: Final = Struct("!I")
SLOT_KEY_SIZE: Final = 32
EPHEMERAL_SIZE: Final = 32
COUNTER_SIZE: Final = 6
"""Path counters and their offsets are 48 bits."""

_RECORD: Final = Struct("!32sQI32s6s26s")
_ANSWER: Final = Struct("!B32s79s")
RECORD_SIZE: Final = _RECORD.size
ANSWER_SIZE: Final = _ANSWER.size


@dataclass(frozen=True, slots=True)
class BuildRecord:
    """What the owner tells one hop."""

    next_router: RouterID
    next_path_id: PathID = field(repr=False)
    expiry_s: int
    slot_key: bytes = field(repr=False)
    backward_start: int = field(repr=False)


@dataclass(frozen=True, slots=True)
class BuildAnswer:
    """What one hop tells the owner; `digest` covers what the hop put behind its own slot."""

    status: BuildStatus
    digest: bytes


def encode_record(record: BuildRecord) -> bytes:
    """108 bytes."""
    return _RECORD.pack(
        record.next_router,
        record.next_path_id,
        record.expiry_s,
        record.slot_key,
        record.backward_start.to_bytes(COUNTER_SIZE, "big"),
        b"",
    )


def decode_record(payload: bytes) -> BuildRecord:
    """The record that 108 bytes are; WireError for another size or anything in the zeros."""
    if len(payload) != RECORD_SIZE:
        raise WireError(f"a build record of {len(payload)} bytes")
    next_router, next_path_id, expiry_s, slot_key, backward_start, zeros = _RECORD.unpack(payload)
    if any(zeros):
        raise WireError("build record has something in its zeros")
    return BuildRecord(
        next_router=RouterID(next_router),
        next_path_id=PathID(next_path_id),
        expiry_s=expiry_s,
        slot_key=slot_key,
        backward_start=int.from_bytes(backward_start, "big"),
    )


def encode_answer(answer: BuildAnswer) -> bytes:
    """112 bytes."""
    return _ANSWER.pack(answer.status, answer.digest, b"")


def decode_answer(payload: bytes) -> BuildAnswer:
    """The answer that 112 bytes are; WireError for another size, status or non-zero zeros."""
    if len(payload) != ANSWER_SIZE:
        raise WireError(f"a build answer of {len(payload)} bytes")
    status, digest, zeros = _ANSWER.unpack(payload)
    if any(zeros):
        raise WireError("build answer has something in its zeros")
    try:
        return BuildAnswer(BuildStatus(status), digest)
    except ValueError as error:
        raise WireError(f"build status {status} is unknown") from error
