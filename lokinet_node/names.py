"""`python -m lokinet_node.names < JSON`: what a name's owner does before asking the chain.

Reads a JSON list of requests and prints the list of results. Keys stay in their files; the chain
is sent what comes out.

    {"kind": "key", "file": FILE}                           {"owner": HEX}, the file made if missing
    {"kind": "hash", "name": NAME}                          {"name_hash": HEX}
    {"kind": "open", "name": NAME, "encrypted_value": HEX}  {"address": "<52>.loki"}
    {"kind": "seal", "name": NAME, "address": ADDRESS}      {"encrypted_value": HEX}
    {"kind": "sign", "key_file": FILE, "prev_txid": HEX, ["encrypted_value": HEX,]
     ["owner": HEX,] ["backup_owner": HEX]}                 {"signature": HEX}

A request that fails ends the run with exit code 1 and one line on standard error.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Mapping
from typing import TypeAlias

from lokinet_node.base.errors import NameSyntaxError, OperatorError
from lokinet_node.base.ids import LokiAddress
from lokinet_node.base.names import format_loki, parse_loki
from lokinet_node.chain.rules import update_digest
from lokinet_node.crypto.errors import CryptoError
from lokinet_node.crypto.keys import ed25519_sign
from lokinet_node.crypto.ons import (
    VALUE_SIZE,
    decrypt_value,
    encrypt_value,
    name_hash,
    validate_name,
)
from lokinet_node.drivers.keyfiles import service_key

MAX_SIZE = 4 << 20
"""Bytes of standard input: some thousand names."""
_KEY_SIZE = 32

Request: TypeAlias = dict[str, str]
Result: TypeAlias = dict[str, str]


def main() -> int:
    """Do what standard input asks for; the exit code."""
    try:
        results = [make(request) for request in _requests(sys.stdin.buffer.read(MAX_SIZE + 1))]
    except OperatorError as error:
        print(f"lokinet names: {error}", file=sys.stderr)
        return 1
    print(json.dumps(results))
    return 0


def make(request: Request) -> Result:
    """The result of one request; OperatorError says what is wrong with it."""
    kind = request.get("kind", "")
    if kind not in _MAKERS:
        raise OperatorError(f"kind {kind!r} is none of {', '.join(_MAKERS)}")
    maker, required, optional = _MAKERS[kind]
    fields = {name: value for name, value in request.items() if name != "kind"}
    for name in required:
        if name not in fields:
            raise OperatorError(f"{kind}: {name} is missing")
    for name in fields:
        if name not in required + optional:
            raise OperatorError(f"{kind}: unknown key {name!r}")
    try:
        return maker(fields)
    except (NameSyntaxError, CryptoError) as error:
        raise OperatorError(f"{kind}: {error}") from error


def _key(fields: Request) -> Result:
    return {"owner": service_key(fields["file"], os.urandom).public.hex()}


def _hash(fields: Request) -> Result:
    return {"name_hash": name_hash(_name(fields)).hex()}


def _open(fields: Request) -> Result:
    value = _hex(fields, "encrypted_value", VALUE_SIZE)
    return {"address": format_loki(LokiAddress(decrypt_value(_name(fields), value)))}


def _seal(fields: Request) -> Result:
    target = parse_loki(fields["address"])
    if target.subdomain:
        raise OperatorError(f"seal: {target}: a name stands for an address without a subdomain")
    return {"encrypted_value": encrypt_value(_name(fields), target.address, os.urandom).hex()}


def _sign(fields: Request) -> Result:
    def given(name: str, size: int) -> bytes | None:
        return _hex(fields, name, size) if name in fields else None

    digest = update_digest(
        given("encrypted_value", VALUE_SIZE),
        given("owner", _KEY_SIZE),
        given("backup_owner", _KEY_SIZE),
        _hex(fields, "prev_txid", _KEY_SIZE),
    )
    path = fields["key_file"]
    if not os.path.lexists(path):
        raise OperatorError(f"{path}: no such key file; an update is signed by a key there is")
    return {"signature": ed25519_sign(service_key(path, os.urandom).secret, digest).hex()}


def _name(fields: Request) -> str:
    validate_name(fields["name"])
    return fields["name"].lower()


def _hex(fields: Request, name: str, size: int) -> bytes:
    try:
        value = bytes.fromhex(fields[name])
    except ValueError as error:
        raise OperatorError(f"{name} is not hex") from error
    if len(value) != size:
        raise OperatorError(f"{name} must be {2 * size} hex digits")
    return value


def _requests(data: bytes) -> list[Request]:
    if len(data) > MAX_SIZE:
        raise OperatorError(f"longer than {MAX_SIZE} bytes")
    try:
        items = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise OperatorError(f"not JSON: {error}") from error
    if not isinstance(items, list):
        raise OperatorError("not a JSON list")
    for number, item in enumerate(items):
        texts = isinstance(item, dict) and all(isinstance(value, str) for value in item.values())
        if not texts:
            raise OperatorError(f"request {number} is not an object of strings")
    return items


_Maker: TypeAlias = tuple[Callable[[Request], Result], tuple[str, ...], tuple[str, ...]]
"""Function, required keys, optional keys."""

_MAKERS: Mapping[str, _Maker] = {
    "key": (_key, ("file",), ()),
    "hash": (_hash, ("name",), ()),
    "open": (_open, ("name", "encrypted_value"), ()),
    "seal": (_seal, ("name", "address"), ()),
    "sign": (_sign, ("key_file", "prev_txid"), ("encrypted_value", "owner", "backup_owner")),
}

if __name__ == "__main__":
    sys.exit(main())
