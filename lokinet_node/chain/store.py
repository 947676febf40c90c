"""The chain as values: wishes are decided by the rules and written once; the past is read.

There is always one open block, one above the highest closed one. An accepted wish is a transaction
of the open block, on the disk before it is returned, and in force at once: there is no pool from
which it could be dropped. Closing blocks makes time pass; heights never go back.

DIFFERS: oxend answers with a transaction's effect after its block is closed; here the open block
counts as the present, so that a test need not wait for the next one.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeAlias

from lokinet_node.base.errors import OperatorError
from lokinet_node.chain.blocks import (
    Block,
    Transaction,
    close_block,
    encode_payload,
    transaction_id,
)
from lokinet_node.chain.database import Database, DiskFull, StoreFailed
from lokinet_node.chain.nodes import NodeState, ServiceNode
from lokinet_node.chain.rules import Place, Record, Wish, decide
from lokinet_node.chain.terms import NetworkType

Payload: TypeAlias = Mapping[str, str | int | None]

_NAME_COLUMNS = (
    "name_hash, encrypted_value, owner, backup_owner, expiration_height, height, txid "
    "FROM names JOIN transactions USING (number)"
)
_NODE_COLUMNS = (
    "pubkey_ed25519, service_node_pubkey, state, registration_height, height, decommission_count "
    "FROM nodes JOIN transactions USING (number)"
)
_NEWEST_NAMES = "number IN (SELECT max(number) FROM names GROUP BY name_hash)"
_NEWEST_NODES = "number IN (SELECT max(number) FROM nodes GROUP BY pubkey_ed25519)"
_NO_LIMIT = -1


class Store:
    """An open chain."""

    def __init__(self, path: str, network: NetworkType, now_s: int) -> None:
        """Open or make the chain in a file; OperatorError where that cannot be."""
        self._database = Database(path)
        self.network = network
        try:
            if not self._database.read("SELECT network FROM settings"):
                self._begin(now_s)
        except (DiskFull, StoreFailed) as error:
            self._database.close()
            raise OperatorError(str(error)) from error
        ((made_for,),) = self._database.read("SELECT network FROM settings")
        if made_for != network:
            self._database.close()
            raise OperatorError(f"{path}: a chain of type {made_for}, not {network}")
        (self.top,) = self.blocks(None, None, newest=1)

    @property
    def height(self) -> int:
        """Of the open block; oxend calls it the height of the chain."""
        return self.top.height + 1

    def close(self) -> None:
        """Give the file back."""
        self._database.close()

    # --- writing -----------------------------------------------------------------------------

    def put_name(self, wish: Wish, payload: Payload) -> Record:
        """Decide a wish and write it; Refused by the rules, DiskFull, StoreFailed."""
        with self._database.writing():
            number, txid = self._put_transaction(payload)
            place = Place(self.height, txid, self.network)
            record = decide(self.name(wish.name_hash), wish, place)
            self._database.add(
                "names",
                number,
                record.name_hash,
                record.encrypted_value,
                record.owner,
                record.backup_owner,
                record.expiration_height,
            )
        return record

    def put_node(
        self,
        pubkey: bytes,
        decide_node: Callable[[ServiceNode | None, int], ServiceNode],
        payload: Payload,
    ) -> ServiceNode:
        """Decide a change from what is known and the height, and write it; errors as put_name."""
        with self._database.writing():
            node = decide_node(self.node(pubkey), self.height)
            number, _ = self._put_transaction(payload)
            self._database.add(
                "nodes",
                number,
                node.pubkey_ed25519,
                node.service_node_pubkey,
                str(node.state),
                node.registration_height,
                node.decommission_count,
            )
        return node

    def close_blocks(self, count: int, now_s: int) -> list[Block]:
        """Close the open block and count - 1 empty ones after it, all or none."""
        closed = []
        top = self.top
        with self._database.writing():
            for _ in range(count):
                ids = self._open_transactions(top.height + 1)
                top = close_block(top.hash, top.height + 1, max(top.timestamp, now_s), ids)
                self._put_block(top)
                closed.append(top)
        self.top = top
        return closed

    # --- reading -----------------------------------------------------------------------------

    def name(self, name_hash: bytes) -> Record | None:
        """The newest record of a name, expired or not."""
        rows = self._database.read(
            f"SELECT {_NAME_COLUMNS} WHERE name_hash = ? ORDER BY number DESC LIMIT 1", name_hash
        )
        return _record(rows[0]) if rows else None

    def names(self, after: bytes, limit: int) -> list[Record]:
        """The newest record of each name, expired ones too, in the order of their hashes."""
        rows = self._database.read(
            f"SELECT {_NAME_COLUMNS} WHERE name_hash > ? AND {_NEWEST_NAMES} "
            "ORDER BY name_hash LIMIT ?",
            after,
            limit,
        )
        return [_record(row) for row in rows]

    def names_of(self, owner: bytes) -> list[Record]:
        """The newest record of each name that a key owns or is the backup of."""
        rows = self._database.read(
            f"SELECT {_NAME_COLUMNS} WHERE ? IN (owner, backup_owner) AND {_NEWEST_NAMES} "
            "ORDER BY number",
            owner,
        )
        return [_record(row) for row in rows]

    def history(
        self, name_hash: bytes | None, first: int, last: int, limit: int
    ) -> list[tuple[Transaction, Record]]:
        """What happened to a name, or to all, between two heights, oldest first."""
        which = "" if name_hash is None else "name_hash = ? AND "
        rows = self._database.read(
            f"SELECT number, payload, {_NAME_COLUMNS} "
            f"WHERE {which}height BETWEEN ? AND ? ORDER BY number LIMIT ?",
            *(() if name_hash is None else (name_hash,)),
            first,
            last,
            limit,
        )
        return [(_transaction(row), _record(row[2:])) for row in rows]

    def node(self, pubkey: bytes) -> ServiceNode | None:
        """The newest state of a service node, deregistered or not."""
        rows = self._database.read(
            f"SELECT {_NODE_COLUMNS} WHERE pubkey_ed25519 = ? ORDER BY number DESC LIMIT 1", pubkey
        )
        return _node(rows[0]) if rows else None

    def nodes(self) -> list[ServiceNode]:
        """All service nodes that are registered, by their keys."""
        rows = self._database.read(
            f"SELECT {_NODE_COLUMNS} WHERE {_NEWEST_NODES} AND state != ? ORDER BY pubkey_ed25519",
            str(NodeState.DEREGISTERED),
        )
        return [_node(row) for row in rows]

    def node_changes(self, first: int, last: int) -> list[tuple[str, int]]:
        """(method, how often) for the service nodes' changes between two heights."""
        rows = self._database.read(
            "SELECT payload ->> 'method', count(*) FROM transactions JOIN nodes USING (number) "
            "WHERE height BETWEEN ? AND ? GROUP BY 1 ORDER BY 1",
            first,
            last,
        )
        return [(str(method), _integer(count)) for method, count in rows]

    def blocks(self, first: int | None, last: int | None, newest: int | None = None) -> list[Block]:
        """Closed blocks between two heights, oldest first; only the newest ones if so asked."""
        rows = self._database.read(
            "SELECT * FROM blocks WHERE height BETWEEN ? AND ? ORDER BY height DESC LIMIT ?",
            0 if first is None else first,
            (1 << 62) if last is None else last,
            _NO_LIMIT if newest is None else newest,
        )
        return [_block(row) for row in reversed(rows)]

    def transactions(self) -> int:
        """How many there are on the whole chain."""
        ((count,),) = self._database.read("SELECT coalesce(max(number), 0) FROM transactions")
        return _integer(count)

    # --- parts -------------------------------------------------------------------------------

    def _begin(self, now_s: int) -> None:
        """Block 0, which names the kind of network and holds nothing."""
        with self._database.writing():
            self._database.add("settings", str(self.network))
            self._put_block(close_block(bytes(32), 0, now_s, []))

    def _put_block(self, block: Block) -> None:
        self._database.add(
            "blocks", block.height, block.hash, block.previous, block.timestamp, block.transactions
        )

    def _put_transaction(self, payload: Payload) -> tuple[int, bytes]:
        """(number, id) of a new transaction of the open block."""
        text = encode_payload(payload)
        ((position,),) = self._database.read(
            "SELECT count(*) FROM transactions WHERE height = ?", self.height
        )
        txid = transaction_id(self.height, _integer(position), text)
        number = self._database.add("transactions", None, txid, self.height, text)
        return number, txid

    def _open_transactions(self, height: int) -> Sequence[bytes]:
        rows = self._database.read(
            "SELECT txid FROM transactions WHERE height = ? ORDER BY number", height
        )
        return [_bytes(txid) for (txid,) in rows]


def _record(row: Sequence[Any]) -> Record:
    name_hash, value, owner, backup_owner, expiration, height, txid = row
    return Record(name_hash, value, owner, backup_owner, expiration, height, txid)


def _node(row: Sequence[Any]) -> ServiceNode:
    pubkey, service_key, state, registered, height, decommissions = row
    return ServiceNode(pubkey, service_key, NodeState(state), registered, height, decommissions)


def _block(row: Sequence[Any]) -> Block:
    return Block(*row)


def _transaction(row: Sequence[Any]) -> Transaction:
    number, payload, *_, height, txid = row
    return Transaction(number, txid, height, json.loads(payload))


def _integer(value: object) -> int:
    assert isinstance(value, int)
    return value


def _bytes(value: object) -> bytes:
    assert isinstance(value, bytes)
    return value
