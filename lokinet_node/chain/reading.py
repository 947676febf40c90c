"""What everybody may ask the chain: oxend's methods, with oxend's names and reply shapes.

Replies hold the fields this chain can fill. `ons_list`, `ons_history` and `get_terms` are its own.
Hashes and keys are hex; a name's hash in a record is base64, as oxend prints it.
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

from lokinet_node.base.constants import PROGRAM
from lokinet_node.chain import params as take
from lokinet_node.chain.blocks import Block, Transaction
from lokinet_node.chain.jsonrpc import Params
from lokinet_node.chain.nodes import Change, ServiceNode
from lokinet_node.chain.rules import Record
from lokinet_node.chain.store import Store
from lokinet_node.chain.terms import LOKINET_TYPE, Term, duration, price
from lokinet_node.crypto.ons import CIPHERTEXT_SIZE

Answer: TypeAlias = dict[str, Any]
Method: TypeAlias = Callable[[Store, Params], Answer]

MAX_ENTRIES = 256
"""Names or owners in one call."""
MAX_TYPES = 8
MAX_HEADERS = 1000
MAX_LISTED = 1000


def get_info(store: Store, params: Params) -> Answer:
    """The chain in a few numbers; `height` is that of the open block."""
    take.known_only(params)
    return _ok(
        height=store.height,
        target_height=store.height,
        top_block_hash=store.top.hash.hex(),
        nettype=str(store.network),
        tx_count=store.transactions(),
        version=PROGRAM,
    )


def get_status(store: Store) -> Answer:
    """What a supervisor looks at: how far the chain is and whom it knows."""
    nodes = store.nodes()
    names = store.names(b"", MAX_LISTED)
    return {
        "running": True,
        "version": PROGRAM,
        "role": "chain",
        "height": store.height,
        "topBlockHash": store.top.hash.hex(),
        "networkType": str(store.network),
        "transactions": store.transactions(),
        "serviceNodes": {
            "active": sum(node.is_active for node in nodes),
            "decommissioned": sum(node.is_funded and not node.is_active for node in nodes),
            "unfunded": sum(not node.is_funded for node in nodes),
        },
        "names": {
            record.name_hash.hex(): record.expiration_height
            for record in names
            if record.is_active(store.height)
        },
    }


def get_height(store: Store, params: Params) -> Answer:
    """Height of the open block and hash of the one before it."""
    take.known_only(params)
    return _ok(height=store.height, hash=store.top.hash.hex())


def get_block_count(store: Store, params: Params) -> Answer:
    """How many blocks are closed."""
    take.known_only(params)
    return _ok(count=store.height)


def get_last_block_header(store: Store, params: Params) -> Answer:
    """The newest closed block."""
    take.known_only(params)
    return _ok(block_header=_header(store.top))


def get_block_headers_range(store: Store, params: Params) -> Answer:
    """Closed blocks between two heights, both included."""
    take.known_only(params, "start_height", "end_height")
    first = take.integer(params, "start_height", 0, most=store.top.height)
    last = take.integer(params, "end_height", store.top.height, first, store.top.height)
    if last - first >= MAX_HEADERS:
        raise take.wrong(f"at most {MAX_HEADERS} blocks in one call")
    return _ok(headers=[_header(block) for block in store.blocks(first, last)])


def get_service_nodes(store: Store, params: Params) -> Answer:
    """The registered service nodes, or `unchanged` if nothing happened since a block."""
    known = ("fields", "active_only", "limit", "poll_block_hash", "service_node_pubkeys")
    take.known_only(params, *known)
    answer = _ok(
        height=store.top.height, target_height=store.height, block_hash=store.top.hash.hex()
    )
    if "poll_block_hash" in params:
        polled = take.sized_hex(params, "poll_block_hash", take.KEY_SIZE)
        # changes of the open block are in force but have no block's hash yet
        if polled == store.top.hash and not store.node_changes(store.height, store.height):
            return answer | {"unchanged": True}
        answer["unchanged"] = False
    fields = _fields(params.get("fields"))
    wanted = _wanted_keys(params)
    active_only = take.flag(params, "active_only", False)
    limit = take.integer(params, "limit", 0)
    rows = [
        _service_node(node)
        for node in store.nodes()
        if (node.is_active or not active_only)
        and (wanted is None or node.service_node_pubkey in wanted)
    ]
    shown = rows[: limit or None]
    answer["service_node_states"] = [
        {name: value for name, value in row.items() if fields is None or name in fields}
        for row in shown
    ]
    return answer


def get_sn_state_changes(store: Store, params: Params) -> Answer:
    """How many service nodes changed between two heights."""
    take.known_only(params, "start_height", "end_height")
    first = take.integer(params, "start_height", 0)
    last = take.integer(params, "end_height", store.height, first)
    counts = dict(store.node_changes(first, last))
    return _ok(
        total_deregister=counts.get(Change.DEREGISTER, 0),
        total_decommission=counts.get(Change.DECOMMISSION, 0),
        total_recommission=counts.get(Change.RECOMMISSION, 0),
        total_ip_change_penalty=0,
        start_height=first,
        end_height=last,
    )


def ons_resolve(store: Store, params: Params) -> Answer:
    """The sealed value of a name; an empty object unless somebody has it now."""
    take.known_only(params, "type", "name_hash")
    type_ = take.record_type(params.get("type"))
    record = store.name(take.parse_hash(params.get("name_hash")))
    if type_ != LOKINET_TYPE or record is None or not record.is_active(store.height):
        return {}
    return {
        "encrypted_value": record.encrypted_value[:CIPHERTEXT_SIZE].hex(),
        "nonce": record.encrypted_value[CIPHERTEXT_SIZE:].hex(),
    }


def ons_names_to_owners(store: Store, params: Params) -> Answer:
    """The records of up to 256 names: `entries` of {name_hash, types}."""
    take.known_only(params, "entries", "include_expired")
    include_expired = take.flag(params, "include_expired", False)
    found = []
    for index, entry in enumerate(take.items(params, "entries", MAX_ENTRIES)):
        if not isinstance(entry, dict):
            raise take.wrong("an entry is an object with name_hash and types")
        take.known_only(entry, "name_hash", "types")
        types = take.items(entry, "types", MAX_TYPES) if entry.get("types") else [LOKINET_TYPE]
        record = store.name(take.parse_hash(entry.get("name_hash")))
        wants = LOKINET_TYPE in [take.record_type(type_) for type_ in types]
        if wants and record and (include_expired or record.is_active(store.height)):
            found.append({"entry_index": index} | entry_of(record))
    return _ok(entries=found)


def ons_owners_to_names(store: Store, params: Params) -> Answer:
    """The records up to 256 keys own or are the backup of."""
    take.known_only(params, "entries", "include_expired")
    include_expired = take.flag(params, "include_expired", False)
    found = []
    for index, owner in enumerate(take.items(params, "entries", MAX_ENTRIES)):
        parsed = take.key({"entries": owner}, "entries")
        found += [
            {"request_index": index} | entry_of(record)
            for record in store.names_of(parsed)
            if include_expired or record.is_active(store.height)
        ]
    return _ok(entries=found)


def ons_list(store: Store, params: Params) -> Answer:
    """The newest record of each name, by hash; `after` is the last hash of the page before."""
    take.known_only(params, "include_expired", "after", "limit")
    include_expired = take.flag(params, "include_expired", False)
    after = take.parse_hash(params["after"]) if "after" in params else b""
    limit = take.integer(params, "limit", MAX_LISTED, 1, MAX_LISTED)
    page = store.names(after, limit)
    return _ok(
        height=store.height,
        entries=[
            entry_of(record) | {"active": record.is_active(store.height)}
            for record in page
            if include_expired or record.is_active(store.height)
        ],
        next=page[-1].name_hash.hex() if len(page) == limit else None,
    )


def ons_history(store: Store, params: Params) -> Answer:
    """What happened to a name, or to all, oldest first, and by which transaction."""
    take.known_only(params, "name", "name_hash", "start_height", "end_height", "limit")
    which = take.hash_of_name(params) if {"name", "name_hash"} & params.keys() else None
    first = take.integer(params, "start_height", 0)
    last = take.integer(params, "end_height", store.height, first)
    limit = take.integer(params, "limit", MAX_LISTED, 1, MAX_LISTED)
    happened = store.history(which, first, last, limit)
    return _ok(height=store.height, entries=[_event(*pair) for pair in happened])


def get_terms(store: Store, params: Params) -> Answer:
    """How many blocks each term lasts here, and its price in atomic units."""
    take.known_only(params)
    terms = [
        {"type": int(term), "blocks": duration(store.network, term), "burn": price(term)}
        for term in Term
    ]
    return _ok(nettype=str(store.network), terms=terms)


def entry_of(record: Record) -> Answer:
    """A record as oxend shows it."""
    entry = {
        "type": LOKINET_TYPE,
        "name_hash": base64.b64encode(record.name_hash).decode(),
        "owner": record.owner.hex(),
        "encrypted_value": record.encrypted_value.hex(),
        "update_height": record.update_height,
        "expiration_height": record.expiration_height,
        "txid": record.txid.hex(),
    }
    return (
        entry
        if record.backup_owner is None
        else entry | {"backup_owner": record.backup_owner.hex()}
    )


def _event(transaction: Transaction, record: Record) -> Answer:
    payload = transaction.payload
    kind = str(payload["method"]).removeprefix("ons_").removesuffix("_mapping")
    previous = payload.get("prev_txid")
    return entry_of(record) | {"kind": kind, "height": transaction.height, "prev_txid": previous}


def _header(block: Block) -> Answer:
    return {
        "height": block.height,
        "hash": block.hash.hex(),
        "prev_hash": block.previous.hex(),
        "timestamp": block.timestamp,
        "num_txes": block.transactions,
    }


def _service_node(node: ServiceNode) -> Answer:
    return {
        "service_node_pubkey": node.service_node_pubkey.hex(),
        "pubkey_ed25519": node.pubkey_ed25519.hex(),
        "registration_height": node.registration_height,
        "state_height": node.state_height,
        "active": node.is_active,
        "funded": node.is_funded,
        "decommissioned": node.is_funded and not node.is_active,
        "decommission_count": node.decommission_count,
    }


def _fields(value: object) -> set[str] | None:
    """The fields asked for, as a list of names or an object of flags; None for all."""
    if value is None or value == []:
        return None
    if isinstance(value, dict):
        value = [name for name, is_wanted in value.items() if is_wanted]
    if not isinstance(value, list) or not all(isinstance(name, str) for name in value):
        raise take.wrong("fields must be a list of names")
    return None if "all" in value else set(value)


def _wanted_keys(params: Params) -> set[bytes] | None:
    if not params.get("service_node_pubkeys"):
        return None
    keys = take.items(params, "service_node_pubkeys", MAX_ENTRIES)
    return {take.key({"service_node_pubkeys": key}, "service_node_pubkeys") for key in keys}


def _ok(**fields: object) -> Answer:
    return {**fields, "status": "OK"}


READING: Mapping[str, Method] = {
    method.__name__: method
    for method in (
        get_info,
        get_height,
        get_block_count,
        get_last_block_header,
        get_block_headers_range,
        get_service_nodes,
        get_sn_state_changes,
        ons_resolve,
        ons_names_to_owners,
        ons_owners_to_names,
        ons_list,
        ons_history,
        get_terms,
    )
} | {"lns_resolve": ons_resolve, "get_n_service_nodes": get_service_nodes}
