"""Reading a call's parameters: one typed question for each, WRONG_PARAM where the answer is bad.

Keys and ids are 64 hex digits. A name's hash may also be base64, with or without its padding, as
Lokinet takes both. A parameter nobody asked for is an error: a misspelt one must not pass for one
left out.
"""

from __future__ import annotations

import base64
import re

from lokinet_node.base.errors import NameSyntaxError
from lokinet_node.chain.jsonrpc import WRONG_PARAM, Params, RpcError
from lokinet_node.chain.terms import RECORD_TYPES, Term, parse_term
from lokinet_node.crypto.ons import name_hash, validate_name

KEY_SIZE = 32
MAX_HEIGHT = (1 << 62) - 1
_BASE64_HASH = re.compile(r"[A-Za-z0-9+/]{43}=?")
_HEX = re.compile(r"(?:[0-9a-fA-F]{2})*")


def wrong(message: str) -> RpcError:
    """The error for a parameter."""
    return RpcError(WRONG_PARAM, message)


def known_only(params: Params, *names: str) -> None:
    """Refuse a parameter that the method does not have."""
    for name in params:
        if name not in names:
            raise wrong(f"there is no parameter {name!r}; there are: {', '.join(names) or 'none'}")


def key(params: Params, name: str) -> bytes:
    """A key or id of 32 bytes in hex."""
    return sized_hex(params, name, KEY_SIZE)


def optional_key(params: Params, name: str) -> bytes | None:
    """The same; None where it is left out."""
    return key(params, name) if params.get(name) is not None else None


def sized_hex(params: Params, name: str, size: int) -> bytes:
    """So many bytes in hex."""
    value = from_hex(params.get(name))
    if value is None or len(value) != size:
        raise wrong(f"{name} must be {2 * size} hex digits")
    return value


def from_hex(value: object) -> bytes | None:
    """The bytes behind hex digits; None for anything else."""
    if not isinstance(value, str) or not _HEX.fullmatch(value):
        return None
    return bytes.fromhex(value)


def name(params: Params) -> str:
    """A name the registry takes, in lower case."""
    text = params.get("name")
    if not isinstance(text, str):
        raise wrong("name is missing or no string")
    try:
        validate_name(text)
    except NameSyntaxError as error:
        raise wrong(str(error)) from error
    return text.lower()


def hash_of_name(params: Params) -> bytes:
    """The `name_hash` of a call, or the hash of its `name`."""
    if "name_hash" in params:
        return parse_hash(params["name_hash"])
    return name_hash(name(params))


def parse_hash(value: object) -> bytes:
    """A name's hash in hex or base64."""
    parsed = from_hex(value)
    if parsed is None and isinstance(value, str) and _BASE64_HASH.fullmatch(value):
        parsed = base64.b64decode(value.rstrip("=") + "=")
    if parsed is None or len(parsed) != KEY_SIZE:
        raise wrong("name_hash must be 64 hex digits, or base64 of 32 bytes")
    return parsed


def record_type(value: object) -> int:
    """A number of RECORD_TYPES."""
    if not is_integer(value) or value not in RECORD_TYPES:
        raise wrong(f"type must be one of {', '.join(map(str, sorted(RECORD_TYPES)))}")
    return value


def term(params: Params) -> Term:
    """What is bought, by number or spelling; one year where nothing is said."""
    value = params.get("type", int(Term.ONE_YEAR))
    parsed = parse_term(str(value)) if isinstance(value, str) or is_integer(value) else None
    if parsed is None:
        raise wrong("type must be lokinet, lokinet_2y, lokinet_5y or lokinet_10y")
    return parsed


def integer(params: Params, name: str, default: int, least: int = 0, most: int = MAX_HEIGHT) -> int:
    """A whole number within bounds."""
    value = params.get(name, default)
    if not is_integer(value) or not least <= value <= most:
        raise wrong(f"{name} must be a whole number from {least} to {most}")
    return int(value)


def flag(params: Params, name: str, default: bool) -> bool:
    """True or false."""
    value = params.get(name, default)
    if not isinstance(value, bool):
        raise wrong(f"{name} must be true or false")
    return value


def items(params: Params, name: str, most: int) -> list[object]:
    """A list with at least one and not too many elements."""
    value = params.get(name)
    if not isinstance(value, list) or not 1 <= len(value) <= most:
        raise wrong(f"{name} must be a list of 1 to {most} elements")
    return value


def is_integer(value: object) -> bool:
    """JSON has no difference between true and 1 here; we do."""
    return isinstance(value, int) and not isinstance(value, bool)
