"""What only the chain's operator may do: the wallet's and the miner's methods.

Names come with a value that the caller sealed and, for updates, signed: no secret key ever gets
here. The chain checks that the name is one and that the value opens under it; it keeps the hash
and the sealed value, never the name.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping
from typing import TypeAlias

from lokinet_node.chain import params as take
from lokinet_node.chain.jsonrpc import REFUSED, Params, RpcError
from lokinet_node.chain.nodes import Change, ServiceNode, change, register
from lokinet_node.chain.reading import Answer, entry_of
from lokinet_node.chain.rules import NO_TRANSACTION, Buy, Record, Refused, Renew, Update
from lokinet_node.chain.store import Payload, Store
from lokinet_node.chain.terms import price
from lokinet_node.crypto.errors import CryptoError
from lokinet_node.crypto.keys import SIGNATURE_SIZE
from lokinet_node.crypto.ons import VALUE_SIZE, decrypt_value, name_hash

WritingMethod: TypeAlias = Callable[[Store, Params, int], Answer]
"""Store, parameters, the time in seconds -> the answer."""

MAX_BLOCKS = 10_000
"""Closed by one call."""


def ons_buy_mapping(store: Store, params: Params, now_s: int) -> Answer:
    """Buy a name for a term; `prev_txid`, where given, must be zeros."""
    known = ("type", "name", "encrypted_value", "owner", "backup_owner", "prev_txid")
    take.known_only(params, *known)
    name, term = take.name(params), take.term(params)
    wish = Buy(
        name_hash(name),
        _value(name, params),
        take.key(params, "owner"),
        take.optional_key(params, "backup_owner"),
        term,
    )
    if params.get("prev_txid") is not None and take.key(params, "prev_txid") != NO_TRANSACTION:
        raise RpcError(REFUSED, "a purchase has no transaction before it: prev_txid must be zeros")
    payload = _payload(
        "ons_buy_mapping",
        type=int(term),
        name_hash=wish.name_hash,
        encrypted_value=wish.encrypted_value,
        owner=wish.owner,
        backup_owner=wish.backup_owner,
    )
    with _rules():
        return _bought(store.put_name(wish, payload), price(term))


def ons_update_mapping(store: Store, params: Params, now_s: int) -> Answer:
    """Change value, owner or backup owner of a name, signed by either of its owners."""
    fields = ("encrypted_value", "owner", "backup_owner")
    take.known_only(params, "type", "name", *fields, "prev_txid", "signature")
    take.term(params)  # any spelling of a lokinet name will do: an update has no term
    name = take.name(params)
    value = _value(name, params) if params.get("encrypted_value") is not None else None
    wish = Update(
        name_hash(name),
        value,
        take.optional_key(params, "owner"),
        take.optional_key(params, "backup_owner"),
        take.key(params, "prev_txid"),
        take.sized_hex(params, "signature", SIGNATURE_SIZE),
    )
    payload = _payload(
        "ons_update_mapping",
        name_hash=wish.name_hash,
        encrypted_value=wish.encrypted_value,
        owner=wish.owner,
        backup_owner=wish.backup_owner,
        prev_txid=wish.previous,
        signature=wish.signature,
    )
    with _rules():
        return _bought(store.put_name(wish, payload), 0)


def ons_renew_mapping(store: Store, params: Params, now_s: int) -> Answer:
    """Add a term to a name somebody has."""
    take.known_only(params, "type", "name", "prev_txid")
    term = take.term(params)
    wish = Renew(name_hash(take.name(params)), term, take.key(params, "prev_txid"))
    payload = _payload(
        "ons_renew_mapping", type=int(term), name_hash=wish.name_hash, prev_txid=wish.previous
    )
    with _rules():
        return _bought(store.put_name(wish, payload), price(term))


def register_service_node(store: Store, params: Params, now_s: int) -> Answer:
    """Register a router by its identity, with its stake unless `funded` is false."""
    take.known_only(params, "pubkey_ed25519", "service_node_pubkey", "funded")
    pubkey = take.key(params, "pubkey_ed25519")
    service_key = take.optional_key(params, "service_node_pubkey") or pubkey
    funded = take.flag(params, "funded", True)
    payload = _payload(
        "register_service_node",
        pubkey_ed25519=pubkey,
        service_node_pubkey=service_key,
        funded=int(funded),
    )

    def decide(known: ServiceNode | None, height: int) -> ServiceNode:
        return register(known, pubkey, service_key, funded, height)

    with _rules():
        return _standing(store.put_node(pubkey, decide, payload))


def generate_blocks(store: Store, params: Params, now_s: int) -> Answer:
    """Close blocks now."""
    take.known_only(params, "amount_of_blocks")
    count = take.integer(params, "amount_of_blocks", 1, 1, MAX_BLOCKS)
    closed = store.close_blocks(count, now_s)
    return {
        "blocks": [block.hash.hex() for block in closed],
        "height": store.height,
        "status": "OK",
    }


def _changing(what: Change) -> WritingMethod:
    def method(store: Store, params: Params, now_s: int) -> Answer:
        take.known_only(params, "pubkey_ed25519")
        pubkey = take.key(params, "pubkey_ed25519")
        payload = _payload(what, pubkey_ed25519=pubkey)

        def decide(known: ServiceNode | None, height: int) -> ServiceNode:
            return change(known, what, height)

        with _rules():
            return _standing(store.put_node(pubkey, decide, payload))

    return method


@contextlib.contextmanager
def _rules() -> Iterator[None]:
    """What the rules refuse is told to the caller."""
    try:
        yield
    except Refused as error:
        raise RpcError(REFUSED, str(error)) from error


def _value(name: str, params: Params) -> bytes:
    """The sealed value, which must open under the name to an address."""
    value = take.sized_hex(params, "encrypted_value", VALUE_SIZE)
    try:
        decrypt_value(name, value)
    except CryptoError as error:
        raise take.wrong("encrypted_value does not open under the name") from error
    return value


def _payload(method: str, **fields: bytes | int | None) -> Payload:
    shown = {
        key: value.hex() if isinstance(value, bytes) else value for key, value in fields.items()
    }
    return {"method": str(method), **shown}


def _bought(record: Record, burn: int) -> Answer:
    return entry_of(record) | {"tx_hash": record.txid.hex(), "burn": burn, "status": "OK"}


def _standing(node: ServiceNode) -> Answer:
    return {
        "pubkey_ed25519": node.pubkey_ed25519.hex(),
        "state": str(node.state),
        "state_height": node.state_height,
        "status": "OK",
    }


WRITING: Mapping[str, WritingMethod] = {
    method.__name__: method
    for method in (
        ons_buy_mapping,
        ons_update_mapping,
        ons_renew_mapping,
        register_service_node,
        generate_blocks,
    )
} | {str(what): _changing(what) for what in Change}
