"""What a router asks its chain, and what it makes of any reply."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lokinet_node.base.errors import WireError
from lokinet_node.base.ids import RouterID
from lokinet_node.wire.oxend import (
    ServiceNodes,
    decode_list_reply,
    decode_name_reply,
    encode_list_call,
    encode_name_call,
)

KEY, OTHER, THIRD = (RouterID(bytes([n]) * 32) for n in (1, 2, 3))
BLOCK = "ab" * 32


def reply(result: object, **more: object) -> bytes:
    return json.dumps({"jsonrpc": "2.0", "id": "0", "result": result} | more).encode()


def row(key: bytes, *, funded: bool = True, active: bool = True) -> dict[str, Any]:
    return {"pubkey_ed25519": key.hex(), "funded": funded, "active": active, "other": [1]}


def listed(*rows: object, **more: object) -> bytes:
    return reply({"height": 7, "block_hash": BLOCK, "service_node_states": list(rows)} | more)


def test_calls_are_oxends() -> None:
    call = json.loads(encode_list_call(None))
    assert (call["jsonrpc"], call["method"]) == ("2.0", "get_service_nodes")
    assert {"pubkey_ed25519", "funded", "active"} <= set(call["params"]["fields"])
    assert "poll_block_hash" not in call["params"]
    assert json.loads(encode_list_call(BLOCK))["params"]["poll_block_hash"] == BLOCK
    call = json.loads(encode_name_call(KEY))
    assert call["method"] == "ons_resolve"
    assert call["params"] == {"type": 2, "name_hash": KEY.hex()}


def test_the_list_sorts_active_decommissioned_and_nobody() -> None:
    body = listed(row(KEY), row(OTHER, active=False), row(THIRD, funded=False), row(b""))
    nodes = decode_list_reply(body)
    assert nodes == ServiceNodes(7, BLOCK, frozenset({KEY}), frozenset({OTHER}))


def test_an_unchanged_list_says_so() -> None:
    body = reply({"height": 8, "block_hash": BLOCK, "unchanged": True})
    assert decode_list_reply(body).is_unchanged
    assert decode_list_reply(body).height == 8


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[]",
        b"[" * 100_000,
        reply([]),
        reply(None),
        reply({}),
        reply({"height": -1, "block_hash": BLOCK, "service_node_states": []}),
        reply({"height": True, "block_hash": BLOCK, "service_node_states": []}),
        reply({"height": 1 << 64, "block_hash": BLOCK, "service_node_states": []}),
        reply({"height": 1, "service_node_states": []}),
        reply({"height": 1, "block_hash": BLOCK, "service_node_states": {}}),
        reply({"height": 1, "block_hash": BLOCK, "service_node_states": [{}] * 8193}),
        listed(1),
        listed({"pubkey_ed25519": KEY.hex()}),
        listed(row(KEY) | {"funded": 1}),
        listed(row(KEY) | {"pubkey_ed25519": 5}),
        listed(row(KEY) | {"pubkey_ed25519": "zz"}),
        listed(row(KEY[:31])),
        json.dumps({"id": "1", "result": {}}).encode(),
        json.dumps({"id": "0", "error": {"code": -1, "message": "no"}}).encode(),
        json.dumps({"id": "0", "error": "no", "result": {}}).encode(),
    ],
)
def test_a_list_of_another_shape_is_no_list(body: bytes) -> None:
    with pytest.raises(WireError):
        decode_list_reply(body)


def test_a_name_is_its_value_or_nobodys() -> None:
    value = bytes(range(72))
    told = {"encrypted_value": value[:48].hex(), "nonce": value[48:].hex()}
    assert decode_name_reply(reply(told)) == value
    assert decode_name_reply(reply({})) is None
    assert decode_name_reply(reply({"status": "OK"})) is None


@pytest.mark.parametrize(
    "result",
    [
        {"encrypted_value": "00" * 48},
        {"nonce": "00" * 24},
        {"encrypted_value": "00" * 49, "nonce": "00" * 24},
        {"encrypted_value": "0 " * 48, "nonce": "00" * 24},
        {"encrypted_value": 5, "nonce": "00" * 24},
        {"encrypted_value": "xy" * 48, "nonce": "00" * 24},
        [],
        "no",
    ],
)
def test_half_a_value_is_neither_a_value_nor_a_denial(result: object) -> None:
    with pytest.raises(WireError):
        decode_name_reply(reply(result))


def test_an_error_of_the_chain_is_not_a_denial() -> None:
    body = json.dumps({"id": "0", "error": {"code": -5, "message": "database is locked"}})
    with pytest.raises(WireError, match="database is locked"):
        decode_name_reply(body.encode())


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["height", "block_hash", "service_node_states", "funded", "nonce"]),
            inner,
        )
    ),
    max_leaves=12,
)


@given(JSON | st.binary(max_size=64))
def test_any_reply_is_understood_or_a_wire_error(result: object) -> None:
    body = result if isinstance(result, bytes) else reply(result)
    for decode in (decode_list_reply, decode_name_reply):
        try:
            decode(body)
        except WireError:
            continue
