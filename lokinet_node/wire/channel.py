"""Frames of the control channel: the header and its payload (docs/wire.md, section 4).

    kind 1 | fragment 1 | fragments 1 | flags 1 | sequence 4 | acknowledged 4 | mask 8 |
    message 4 | length 2 | payload

The carrier (a cell on a link, a sealed body on a path) pads with zeros; what follows the payload
is not looked at. Rules: only sequenced frames carry fragments; kind 0 has no payload and, when it
is sequenced, fills the number of a frame whose message was given up.
"""

from __future__ import annotations

from dataclasses import dataclass
from struct import Struct
from typing import Final

from lokinet_node.base.errors import WireError
from lokinet_node.burst import BODY, TAG

_HEAD: Final = Struct("!BBBBIIQIH")

FRAME_HEADER: Final = _HEAD.size
LINK_CAPACITY: Final = BODY - FRAME_HEADER
"""Payload bytes of a frame on a link: it has the whole body of a cell."""
PATH_CAPACITY: Final = BODY - 8 - TAG - FRAME_HEADER
"""Payload bytes of a frame on a path: handle and tag take their part."""

FRAGMENTS_LIMIT: Final = 13
"""Fragments of the longest message, 16 KiB, on a path."""
WINDOW: Final = 64
"""Frames in flight: as many as the mask has bits."""
NOTHING: Final = 0
"""Kind of a frame that only acknowledges."""

_SEQUENCED: Final = 1


@dataclass(frozen=True, slots=True)
class Frame:
    """One frame; sequence 0 means fire and forget."""

    kind: int = NOTHING
    fragment: int = 0
    fragments: int = 1
    sequence: int = 0
    acknowledged: int = 0
    mask: int = 0
    """Bit i: sequence acknowledged + 1 + i arrived."""
    message: int = 0
    payload: bytes | memoryview = b""


def encode_frame(frame: Frame) -> bytes:
    """Header and payload, not padded."""
    flags = _SEQUENCED if frame.sequence else 0
    head = _HEAD.pack(
        frame.kind,
        frame.fragment,
        frame.fragments,
        flags,
        frame.sequence,
        frame.acknowledged,
        frame.mask,
        frame.message,
        len(frame.payload),
    )
    return head + frame.payload


def is_sequenced(frame: bytes) -> bool:
    """Whether an encoded frame asks for an acknowledgement."""
    return frame[3] == _SEQUENCED


def decode_frame(view: bytes | memoryview) -> Frame:
    """The frame at the start of a carrier's body; its payload is copied out."""
    if len(view) < FRAME_HEADER:
        raise WireError("control frame is cut short")
    kind, fragment, fragments, flags, sequence, acknowledged, mask, message, length = (
        _HEAD.unpack_from(view)
    )
    _check(flags in (0, _SEQUENCED), "flags of a control frame are unknown")
    _check((flags == _SEQUENCED) == (sequence > 0), "sequence and flags disagree")
    _check(fragment < fragments <= FRAGMENTS_LIMIT, "fragment is out of range")
    _check(fragments == 1 or sequence > 0, "an unsequenced frame carries a fragment")
    _check(length <= len(view) - FRAME_HEADER, "payload is longer than its frame")
    _check(kind != NOTHING or length == 0, "a frame of kind 0 has a payload")
    payload = bytes(view[FRAME_HEADER : FRAME_HEADER + length])
    return Frame(kind, fragment, fragments, sequence, acknowledged, mask, message, payload)


def _check(holds: bool, problem: str) -> None:
    if not holds:
        raise WireError(problem)
