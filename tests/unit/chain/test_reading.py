"""What anybody may ask, in oxend's words and shapes; and what is no question."""

from __future__ import annotations

import base64
import itertools
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lokinet_node.chain.writing import WRITING
from lokinet_node.crypto.ons import decrypt_value, name_hash
from tests.unit.chain.people import ALICE, BOB, CAROL, NOW_S, Chain, sealed, update

HASH = name_hash("web.loki")
WRONG = -1


def test_info_tells_height_and_top(chain: Chain) -> None:
    chain.mine(3)
    info = chain.ask("get_info")
    assert (info["height"], info["nettype"], info["status"]) == (4, "fakechain", "OK")
    header = chain.ask("get_last_block_header")["block_header"]
    assert header["hash"] == info["top_block_hash"] == chain.ask("get_height")["hash"]
    assert chain.ask("get_block_count")["count"] == 4


def test_blocks_are_a_chain_in_height_time_and_hash(chain: Chain) -> None:
    chain.buy("web.loki")
    chain.mine(2)
    chain.now_s = NOW_S + 50
    chain.mine(1)
    chain.now_s = NOW_S - 50  # the host's clock was set back
    chain.mine(1)
    headers = chain.ask("get_block_headers_range", start_height=0, end_height=4)["headers"]
    assert [header["height"] for header in headers] == [0, 1, 2, 3, 4]
    assert [header["num_txes"] for header in headers] == [0, 1, 0, 0, 0]
    assert [header["timestamp"] - NOW_S for header in headers] == [0, 0, 0, 50, 50]
    for before, after in itertools.pairwise(headers):
        assert after["prev_hash"] == before["hash"]
    assert chain.error("get_block_headers_range", start_height=3, end_height=2)[0] == WRONG
    assert chain.error("get_block_headers_range", end_height=5)[0] == WRONG


def test_a_resolved_name_opens_to_its_address(chain: Chain) -> None:
    chain.buy("web.loki", encrypted_value=sealed("web.loki", BOB))
    answer = chain.ask("ons_resolve", type=2, name_hash=HASH.hex())
    assert answer.keys() == {"encrypted_value", "nonce"}
    assert len(answer["nonce"]) == 48
    value = bytes.fromhex(answer["encrypted_value"] + answer["nonce"])
    assert decrypt_value("web.loki", value) == BOB.public


@pytest.mark.parametrize(
    "spelled",
    [
        HASH.hex(),
        HASH.hex().upper(),
        base64.b64encode(HASH).decode(),
        base64.b64encode(HASH).decode()[:-1],
    ],
    ids=["hex", "upper-case hex", "base64", "base64 without padding"],
)
def test_a_hash_may_be_hex_or_base64(chain: Chain, spelled: str) -> None:
    chain.buy("web.loki")
    for method in ("ons_resolve", "lns_resolve"):
        assert chain.ask(method, type=2, name_hash=spelled)


def test_unregistered_names_and_other_types_resolve_to_an_empty_object(chain: Chain) -> None:
    assert chain.ask("ons_resolve", type=2, name_hash=HASH.hex()) == {}
    chain.buy("web.loki")
    for type_ in (0, 1):
        assert chain.ask("ons_resolve", type=type_, name_hash=HASH.hex()) == {}


@pytest.mark.parametrize(
    "params",
    [
        {"name_hash": HASH.hex()},
        {"type": 3, "name_hash": HASH.hex()},
        {"type": -1, "name_hash": HASH.hex()},
        {"type": "2", "name_hash": HASH.hex()},
        {"type": True, "name_hash": HASH.hex()},
        {"type": 2.0, "name_hash": HASH.hex()},
        {"type": 2},
        {"type": 2, "name_hash": ""},
        {"type": 2, "name_hash": HASH.hex()[:-1]},
        {"type": 2, "name_hash": HASH.hex() + "00"},
        {"type": 2, "name_hash": "=" * 44},
        {"type": 2, "name_hash": "é" * 44},
        {"type": 2, "name_hash": list(HASH)},
        {"type": 2, "name_hash": HASH.hex(), "height": 5},
    ],
)
def test_a_bad_type_or_hash_is_a_wrong_parameter(chain: Chain, params: dict[str, object]) -> None:
    assert chain.error("ons_resolve", **params)[0] == WRONG


def test_names_lead_to_owners(chain: Chain) -> None:
    bought = chain.buy("web.loki", ALICE, backup_owner=BOB.public.hex())
    other = {"name_hash": name_hash("none.loki").hex(), "types": [2]}
    web = {"name_hash": HASH.hex(), "types": [0, 1, 2]}
    answer = chain.ask("ons_names_to_owners", entries=[other, web, web | {"types": [0]}])
    (entry,) = answer["entries"]
    assert entry == {
        "entry_index": 1,
        "type": 2,
        "name_hash": base64.b64encode(HASH).decode(),
        "owner": ALICE.public.hex(),
        "backup_owner": BOB.public.hex(),
        "encrypted_value": bought["encrypted_value"],
        "update_height": 1,
        "expiration_height": 3,
        "txid": bought["txid"],
    }
    chain.mine(3)
    assert chain.ask("ons_names_to_owners", entries=[web])["entries"] == []
    assert chain.ask("ons_names_to_owners", entries=[web], include_expired=True)["entries"]


@pytest.mark.parametrize(
    "entries",
    [
        [],
        {},
        None,
        [5],
        [{"name_hash": "x"}],
        [{"name_hash": HASH.hex(), "types": [7]}],
        [{"name_hash": HASH.hex(), "types": [2] * 9}],
        [{"name_hash": HASH.hex()}] * 257,
    ],
)
def test_names_to_owners_is_bounded(chain: Chain, entries: object) -> None:
    assert chain.error("ons_names_to_owners", entries=entries)[0] == WRONG


def test_owners_lead_to_names_of_theirs_now(chain: Chain) -> None:
    chain.buy("web.loki", ALICE, backup_owner=BOB.public.hex(), type="lokinet_2y")
    moved = chain.buy("mail.loki", ALICE)
    chain.ask("ons_update_mapping", **update("mail.loki", ALICE, moved["txid"], owner=CAROL))

    def names_of(*people: str, **more: object) -> list[tuple[int, str]]:
        answer = chain.ask("ons_owners_to_names", entries=list(people), **more)
        return [
            (row["request_index"], base64.b64decode(row["name_hash"]).hex())
            for row in answer["entries"]
        ]

    web, mail = name_hash("web.loki").hex(), name_hash("mail.loki").hex()
    alice, bob, carol = (who.public.hex() for who in (ALICE, BOB, CAROL))
    assert names_of(carol, bob, alice) == [(0, mail), (1, web), (2, web)]
    chain.mine(3)
    assert names_of(carol) == []
    assert names_of(carol, include_expired=True) == [(0, mail)]
    assert chain.error("ons_owners_to_names", entries=["x"])[0] == WRONG
    assert chain.error("ons_owners_to_names", entries=[alice] * 257)[0] == WRONG


def test_names_are_listed_page_by_page(chain: Chain) -> None:
    for number in range(5):
        chain.buy(f"name-{number}.loki", type="lokinet" if number else "lokinet_2y")
    seen: list[str] = []
    after: dict[str, object] = {}
    while True:
        page = chain.ask("ons_list", limit=2, **after)
        seen += [entry["name_hash"] for entry in page["entries"]]
        if page["next"] is None:
            break
        after = {"after": page["next"]}
    assert len(set(seen)) == len(seen) == 5
    chain.mine(3)
    assert len(chain.ask("ons_list")["entries"]) == 1
    everything = chain.ask("ons_list", include_expired=True)["entries"]
    assert [entry["active"] for entry in everything].count(False) == 4


def test_terms_are_told(chain: Chain) -> None:
    told = chain.ask("get_terms")
    assert [(term["type"], term["blocks"], term["burn"]) for term in told["terms"]] == [
        (2, 2, 7 * 10**9),
        (3, 4, 14 * 10**9),
        (4, 10, 28 * 10**9),
        (5, 20, 42 * 10**9),
    ]


# --- what is no question -------------------------------------------------------------------------


@pytest.mark.parametrize("method", WRITING)
def test_readers_cannot_write(chain: Chain, method: str) -> None:
    chain.may_write = False
    code, message = chain.error(method)
    assert code == -32601
    assert message == f"{method} is taken on the admin listener only"


def test_an_unknown_method_or_parameter_is_named(chain: Chain) -> None:
    assert chain.error("get_inof") == (-32601, "there is no method 'get_inof'")
    code, message = chain.error("get_service_nodes", active=True)
    assert code == WRONG
    assert message.startswith("there is no parameter 'active'; there are: fields")


@pytest.mark.parametrize(
    ("body", "code", "identity"),
    [
        (b"", -32700, None),
        (b"\xff", -32700, None),
        (b"[" * 60_000, -32700, None),
        (b"5", -32600, None),
        (b"[]", -32600, None),
        (b"{}", -32600, None),
        (b'{"id": 1}', -32600, 1),
        (b'{"jsonrpc": "1.0", "id": 1, "method": "get_info"}', -32600, 1),
        (b'{"jsonrpc": "2.0", "method": "get_info"}', -32600, None),
        (b'{"jsonrpc": "2.0", "id": [], "method": "get_info"}', -32600, None),
        (b'{"jsonrpc": "2.0", "id": true, "method": "get_info"}', -32600, None),
        (b'{"jsonrpc": "2.0", "id": 1, "method": 5}', -32600, 1),
        (b'{"jsonrpc": "2.0", "id": "x", "method": "get_info", "params": [1]}', -32602, "x"),
    ],
)
def test_what_is_no_call_is_told_so(chain: Chain, body: bytes, code: int, identity: object) -> None:
    answer = chain.raw(body)
    assert (answer["error"]["code"], answer["id"]) == (code, identity)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=5,
)


@given(
    method=st.sampled_from(sorted(WRITING)),
    params=st.dictionaries(
        st.sampled_from(["name", "type", "owner", "prev_txid", "encrypted_value", "signature"]),
        json_values | st.sampled_from(["web.loki", "00" * 32, "00" * 64, sealed("web.loki")]),
    ),
)
def test_any_parameters_are_answered(
    shared_chain: Chain, method: str, params: dict[str, object]
) -> None:
    call = {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}
    answer = shared_chain.raw(json.dumps(call).encode())
    assert ("result" in answer) != ("error" in answer)
