"""Blocks and transactions: how the chain's history is named by hashes.

    transaction  BLAKE2b-256("transaction" | height 8 | position 4 | payload)
    block        BLAKE2b-256("block" | previous 32 | height 8 | timestamp 8 | ids of 32 each)

Integers are big-endian. A payload is JSON with sorted keys: what was asked for and accepted. Place
in the chain is part of the id, so that two equal wishes are two transactions.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from lokinet_node.crypto.kdf import blake2b


@dataclass(frozen=True, slots=True)
class Block:
    """A closed block: its transactions are complete."""

    height: int
    hash: bytes
    previous: bytes
    timestamp: int
    """Seconds since the Unix epoch; never before the block before."""
    transactions: int


@dataclass(frozen=True, slots=True)
class Transaction:
    """One accepted wish and its place in the chain."""

    number: int
    """Counts all transactions of the chain from 1."""
    txid: bytes
    height: int
    payload: Mapping[str, str | int | None]
    """`method` and what it was called with."""


def transaction_id(height: int, position: int, payload: str) -> bytes:
    """The id, 32 bytes, of the transaction at a position (from 0) of a block."""
    place = height.to_bytes(8, "big") + position.to_bytes(4, "big")
    return blake2b(b"transaction" + place + payload.encode())


def close_block(
    previous: bytes, height: int, timestamp: int, transactions: Iterable[bytes]
) -> Block:
    """The block that holds these transactions, by their ids in order."""
    ids = list(transactions)
    hashed = previous + height.to_bytes(8, "big") + timestamp.to_bytes(8, "big") + b"".join(ids)
    return Block(height, blake2b(b"block" + hashed), previous, timestamp, len(ids))


def encode_payload(payload: Mapping[str, str | int | None]) -> str:
    """The one spelling of a payload."""
    return json.dumps(payload, sort_keys=True, separators=(",", ":"))
