"""JSON-RPC 2.0: bytes to a call, and an outcome to bytes.

    {"jsonrpc": "2.0", "id": "0", "method": "get_info", "params": {}}
    {"jsonrpc": "2.0", "id": "0", "result": {...}}
    {"jsonrpc": "2.0", "id": "0", "error": {"code": -1, "message": "..."}}

Rules: parameters are named; every call has an id, as every call is answered; no batches. Codes of
the methods' own errors are oxend's (WRONG_PARAM, INTERNAL) and its wallet's (REFUSED).
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, TypeAlias

from lokinet_node.base.errors import LokinetError

Params: TypeAlias = dict[str, Any]

NOT_JSON = -32700
NO_REQUEST = -32600
NO_METHOD = -32601
BAD_PARAMS = -32602
WRONG_PARAM = -1
INTERNAL = -5
REFUSED = -16


class RpcError(LokinetError):
    """What a caller is told instead of a result."""

    def __init__(self, code: int, message: str, identity: object = None) -> None:
        super().__init__(message)
        self.code = code
        self.identity = identity


@dataclass(frozen=True, slots=True)
class Call:
    """One request."""

    identity: str | int | None
    method: str
    params: Params


def decode_call(body: bytes) -> Call:
    """The call in a request's body; RpcError, with its id where it can be read."""
    try:
        request = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise RpcError(NOT_JSON, "the body is not JSON") from error
    if isinstance(request, list):
        raise RpcError(NO_REQUEST, "batches are not taken: one call in each request")
    if not isinstance(request, dict):
        raise RpcError(NO_REQUEST, "the body is not a JSON object")
    identity = request.get("id")
    if not _is_identity(identity):
        raise RpcError(NO_REQUEST, "id is neither a string, an integer nor null")
    if "id" not in request or request.get("jsonrpc", "2.0") != "2.0":
        raise RpcError(NO_REQUEST, 'a call has "jsonrpc": "2.0" and an "id"', identity)
    method, params = request.get("method"), request.get("params")
    if not isinstance(method, str):
        raise RpcError(NO_REQUEST, "method is missing or no string", identity)
    if params is not None and not isinstance(params, dict):
        raise RpcError(BAD_PARAMS, "params is no object", identity)
    return Call(identity, method, params or {})


def encode_result(call: Call, result: object) -> bytes:
    """The body of a good answer."""
    return _encode({"jsonrpc": "2.0", "id": call.identity, "result": result})


def encode_error(error: RpcError) -> bytes:
    """The body of a bad one."""
    told = {"code": error.code, "message": str(error)}
    return _encode({"jsonrpc": "2.0", "id": error.identity, "error": told})


def _is_identity(value: object) -> bool:
    return value is None or (isinstance(value, str | int) and not isinstance(value, bool))


def _encode(answer: object) -> bytes:
    return json.dumps(answer, allow_nan=False).encode() + b"\n"
