"""What a router asks its chain: oxend's JSON-RPC 2.0, bodies of HTTP requests and replies.

Rules: `decode_x` raises WireError only and takes nothing on trust: a reply of another shape, an
error, or one that answers another question is no answer. Fields nobody needs are ignored.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, Final

from lokinet_node.base.errors import WireError
from lokinet_node.base.ids import KEY_SIZE, RouterID
from lokinet_node.wire.names import NAME_VALUE_SIZE

# What the specification says: oxend's names and numbers.

LOKINET_TYPE: Final = 2
"""Of an ONS record; the others are for sessions and wallets."""
_FIELDS: Final = ("pubkey_ed25519", "funded", "active", "height", "block_hash")

# What we chose.

MOST_NODES: Final = 8192
HIGHEST: Final = (1 << 64) - 1
_IDENTITY: Final = "0"
"""Every question has a connection of its own, so one id will do."""


@dataclass(frozen=True, slots=True)
class ServiceNodes:
    """The registered routers that are funded; the others are nobody."""

    height: int
    block_hash: str
    """Of that height's block; asked again with it, the chain may say `unchanged`."""
    active: frozenset[RouterID]
    decommissioned: frozenset[RouterID]
    is_unchanged: bool = False
    """Nothing happened since the block that was named: the sets are empty and mean nothing."""


def encode_list_call(known_block: str | None) -> bytes:
    """Ask for all service nodes; with a block hash, only if something happened since."""
    params: dict[str, Any] = {"fields": list(_FIELDS)}
    if known_block is not None:
        params["poll_block_hash"] = known_block
    return _call("get_service_nodes", params)


def decode_list_reply(body: bytes) -> ServiceNodes:
    """The list, or word that it is unchanged."""
    result = _result(body)
    height, block_hash = _height(result.get("height")), result.get("block_hash")
    if not isinstance(block_hash, str):
        raise WireError("the list of service nodes has no block hash")
    if result.get("unchanged") is True:
        return ServiceNodes(height, block_hash, frozenset(), frozenset(), is_unchanged=True)
    rows = result.get("service_node_states")
    if not isinstance(rows, list) or len(rows) > MOST_NODES:
        raise WireError("the list of service nodes is none, or too long")
    active: set[RouterID] = set()
    decommissioned: set[RouterID] = set()
    for row in rows:
        router, is_active = _node(row)
        if router is not None:
            (active if is_active else decommissioned).add(router)
    return ServiceNodes(height, block_hash, frozenset(active), frozenset(decommissioned))


def encode_name_call(name_hash: bytes) -> bytes:
    """Ask what the chain has for the hash of a name."""
    return _call("ons_resolve", {"type": LOKINET_TYPE, "name_hash": name_hash.hex()})


def decode_name_reply(body: bytes) -> bytes | None:
    """The sealed value, 72 bytes; None where nobody owns the name now (an empty result)."""
    result = _result(body)
    sealed, nonce = result.get("encrypted_value"), result.get("nonce")
    if sealed is None and nonce is None:
        return None
    value = _hex(sealed, "encrypted_value") + _hex(nonce, "nonce")
    if len(value) != NAME_VALUE_SIZE:
        raise WireError("the value of a name has another size")
    return value


def _call(method: str, params: dict[str, Any]) -> bytes:
    call = {"jsonrpc": "2.0", "id": _IDENTITY, "method": method, "params": params}
    return json.dumps(call).encode()


def _result(body: bytes) -> dict[str, Any]:
    try:
        reply = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise WireError("the chain's reply is not JSON") from error
    if not isinstance(reply, dict) or reply.get("id") != _IDENTITY:
        raise WireError("the chain's reply answers another question")
    refusal = reply.get("error")
    if refusal is not None:
        message = refusal.get("message") if isinstance(refusal, dict) else refusal
        raise WireError(f"the chain refuses: {str(message)[:200]}")
    result = reply.get("result")
    if not isinstance(result, dict):
        raise WireError("the chain's reply has no result")
    return result


def _node(row: object) -> tuple[RouterID | None, bool]:
    """A row's router, None unless it is funded, and whether it is active."""
    if not isinstance(row, dict):
        raise WireError("a service node is no object")
    funded, active = row.get("funded"), row.get("active")
    if not isinstance(funded, bool) or not isinstance(active, bool):
        raise WireError("a service node does not say whether it is funded and active")
    text = row.get("pubkey_ed25519")
    if not funded or text == "":
        return None, False  # oxend leaves the key empty until a node's first proof
    key = _hex(text, "pubkey_ed25519")
    if len(key) != KEY_SIZE:
        raise WireError("pubkey_ed25519 has another size")
    return RouterID(key), active


def _hex(text: object, name: str) -> bytes:
    try:
        return bytes.fromhex(text) if isinstance(text, str) and text.isalnum() else b""
    except ValueError as error:
        raise WireError(f"{name} is not hex") from error


def _height(value: object) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= HIGHEST:
        raise WireError("the list of service nodes has no height")
    return value
