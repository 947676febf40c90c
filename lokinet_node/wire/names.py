"""Questions about names of the chain, on paths: payloads of FIND_NAME and NAME.

Rules as in control.py: `decode_x` takes one whole payload and raises WireError only, `encode_x`
is its twin. Layouts: docs/wire.md, section 4.
"""

from __future__ import annotations

from dataclasses import dataclass
from struct import Struct
from typing import Final, TypeAlias

from lokinet_node.base.errors import WireError
from lokinet_node.wire.kinds import Status

Payload: TypeAlias = bytes | memoryview

# What the specification says.

NAME_HASH_SIZE: Final = 32
NAME_VALUE_SIZE: Final = 72
"""A sealed address of 48 bytes and its nonce of 24, as the chain keeps them."""

_QUESTION: Final = Struct(f"!Q{NAME_HASH_SIZE}s")
_ANSWER: Final = Struct("!QBQ")


@dataclass(frozen=True, slots=True)
class FindName:
    """Ask the chain what it has for the hash of a name."""

    request: int
    name_hash: bytes


@dataclass(frozen=True, slots=True)
class NameTold:
    """What a router says the chain has; `value` is there if and only if the status is OK.

    NOT_FOUND is the chain's own "nobody owns it"; other statuses are of a router that cannot tell.
    `height` is the newest block the router knew, 0 if it knows none.
    """

    request: int
    status: Status
    height: int = 0
    value: bytes = b""


def encode_find_name(find: FindName) -> bytes:
    """Payload of FIND_NAME, 40 bytes."""
    return _QUESTION.pack(find.request, find.name_hash)


def decode_find_name(payload: Payload) -> FindName:
    """The hash is any 32 bytes."""
    if len(payload) != _QUESTION.size:
        raise WireError("question about a name has another size")
    request, name_hash = _QUESTION.unpack(payload)
    return FindName(request, name_hash)


def encode_name_told(told: NameTold) -> bytes:
    """Payload of NAME: 17 bytes, and 72 more with a value."""
    return _ANSWER.pack(told.request, told.status, told.height) + told.value


def decode_name_told(payload: Payload) -> NameTold:
    """Whether the value opens is for whoever knows the name."""
    if len(payload) < _ANSWER.size:
        raise WireError("answer about a name is cut short")
    request, code, height = _ANSWER.unpack_from(payload)
    try:
        status = Status(code)
    except ValueError:
        raise WireError(f"no status has the code {code}") from None
    value = bytes(payload[_ANSWER.size :])
    if len(value) != (NAME_VALUE_SIZE if status is Status.OK else 0):
        raise WireError("answer about a name has another size")
    return NameTold(request, status, height, value)
