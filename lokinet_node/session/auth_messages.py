"""Asking to be let in, and the answer: two session messages.

    auth     number 4 | token length 1 | token, UTF-8, at most 128
    result   number 4 | code 1 | reason length 1 | reason, UTF-8, at most 200

A question is repeated with its number until a result with that number comes; number 0 is a result
nobody asked for. Codes are Lokinet's. Tokens never show in a repr. docs/wire.md, section 8.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import IntEnum
from struct import Struct
from typing import Final

from lokinet_node.base.errors import LocalProtocolError, WireError

MOST_TOKEN: Final = 128
"""Bytes of a token."""
MOST_REASON: Final = 200
"""Bytes of a reason; a longer one is cut where a character ends."""
UNASKED: Final = 0
"""Number of a result that answers no question."""

_AUTH: Final = Struct("!IB")
_RESULT: Final = Struct("!IBB")


class AuthCode(IntEnum):
    """What became of an attempt."""

    OKAY = 0
    REJECT = 1
    FAILED = 2
    """It could not be decided."""
    LIMITED = 3
    """Too much was used, or too often asked."""
    PAYME = 4


@dataclass(frozen=True, slots=True)
class Auth:
    """Let me in; an empty token says that there is none."""

    number: int
    token: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class AuthResult:
    """Whether the sender of the question is let in, and why not."""

    number: int
    code: AuthCode
    reason: str = ""


def is_token(text: str) -> bool:
    """Whether a text fits where tokens go."""
    return text.isprintable() and 0 < len(text.encode()) <= MOST_TOKEN


def encode_auth(auth: Auth) -> bytes:
    """Without the kind; LocalProtocolError for a token that is too long."""
    token = auth.token.encode()
    if len(token) > MOST_TOKEN:
        raise LocalProtocolError(f"a token has at most {MOST_TOKEN} bytes, not {len(token)}")
    return _AUTH.pack(auth.number, len(token)) + token


def decode_auth(data: bytes) -> Auth:
    """The twin; WireError."""
    if len(data) < _AUTH.size:
        raise WireError("a request to be let in is cut short")
    number, length = _AUTH.unpack_from(data)
    return Auth(number, _text(data[_AUTH.size :], length, MOST_TOKEN))


def encode_auth_result(result: AuthResult) -> bytes:
    """Without the kind; any reason can be sent, what UTF-8 has no bytes for as question marks."""
    reason = result.reason.encode(errors="replace")[:MOST_REASON].decode(errors="ignore").encode()
    return _RESULT.pack(result.number, result.code, len(reason)) + reason


def decode_auth_result(data: bytes) -> AuthResult:
    """The twin; WireError. The reason is the remote's: see `shown`."""
    if len(data) < _RESULT.size:
        raise WireError("a result is cut short")
    number, code, length = _RESULT.unpack_from(data)
    if code not in _CODES:
        raise WireError(f"nobody knows the result {code}")
    return AuthResult(number, AuthCode(code), _text(data[_RESULT.size :], length, MOST_REASON))


def shown(reason: str) -> str:
    """A reason as logs and terminals may have it: what cannot be printed is a question mark."""
    return "".join(letter if letter.isprintable() else "?" for letter in reason)


def _text(data: bytes, length: int, most: int) -> str:
    if length != len(data) or length > most:
        raise WireError(f"a text of {length} bytes in {len(data)}")
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        raise WireError("a text is not UTF-8") from error


_CODES: Final = frozenset(AuthCode)
