"""Who may buy, change and renew a name, and when: Lokinet's rules, without storage.

`decide` takes what the chain knows about a name and what somebody wants, and returns the name's
next record or raises Refused. Records never change: each one names the transaction before it.

    buy      the name is not active (expired ones are anybody's); nothing is signed
    update   active; each field given differs from the record's; signed by owner or backup owner
             over BLAKE2b-256(value | 01 owner | 01 backup owner | transaction before), fields left
             out missing; the expiry stays
    renew    active; by anybody; a whole term is added to the expiry there is

A record is active while height ≤ expiry. `height` is that of the block being filled.
Source: oxen-core, oxen_name_system (validate_against_previous_mapping, tx_extra_signature).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from lokinet_node.base.errors import LokinetError
from lokinet_node.chain.terms import NetworkType, Term, duration
from lokinet_node.crypto.kdf import blake2b
from lokinet_node.crypto.keys import ed25519_verify

NO_TRANSACTION = bytes(32)
"""What a purchase names as the transaction before it."""
_ED25519_OWNER = b"\x01"
"""The type byte of an owner that is an Ed25519 key; wallets (0) do not exist here."""


class Refused(LokinetError):
    """The rules do not allow it; the text says which one."""


@dataclass(frozen=True, slots=True)
class Record:
    """What the chain says about one name since one height."""

    name_hash: bytes
    encrypted_value: bytes
    owner: bytes
    backup_owner: bytes | None
    expiration_height: int
    update_height: int
    """Height of the transaction that wrote this record."""
    txid: bytes

    def is_active(self, height: int) -> bool:
        """Whether the name belongs to somebody in the block of that height."""
        return height <= self.expiration_height


@dataclass(frozen=True, slots=True)
class Buy:
    """A name for a term. Owners are Ed25519 public keys, the value is 72 bytes."""

    name_hash: bytes
    encrypted_value: bytes
    owner: bytes
    backup_owner: bytes | None
    term: Term


@dataclass(frozen=True, slots=True)
class Update:
    """New contents of a record; None leaves a field as it is."""

    name_hash: bytes
    encrypted_value: bytes | None
    owner: bytes | None
    backup_owner: bytes | None
    previous: bytes
    signature: bytes


@dataclass(frozen=True, slots=True)
class Renew:
    """Another term for a name, whoever pays for it."""

    name_hash: bytes
    term: Term
    previous: bytes


Wish: TypeAlias = Buy | Update | Renew


@dataclass(frozen=True, slots=True)
class Place:
    """Where the transaction stands: the block being filled, its own id, the network's terms."""

    height: int
    txid: bytes
    network: NetworkType


def decide(known: Record | None, wish: Wish, place: Place) -> Record:
    """The name's next record; Refused where the rules are against it."""
    match wish:
        case Buy():
            return _buy(known, wish, place)
        case Update():
            return _update(_alive(known, wish.previous, place), wish, place)
        case Renew():
            return _renew(_alive(known, wish.previous, place), wish, place)


def update_digest(
    encrypted_value: bytes | None,
    owner: bytes | None,
    backup_owner: bytes | None,
    previous: bytes,
) -> bytes:
    """The 32 bytes that an update's signature is over."""
    owners = (_ED25519_OWNER + key for key in (owner, backup_owner) if key is not None)
    return blake2b((encrypted_value or b"") + b"".join(owners) + previous)


def _buy(known: Record | None, wish: Buy, place: Place) -> Record:
    if known is not None and known.is_active(place.height):
        raise Refused(f"the name is already registered, until height {known.expiration_height}")
    _distinct(wish.owner, wish.backup_owner)
    return Record(
        name_hash=wish.name_hash,
        encrypted_value=wish.encrypted_value,
        owner=wish.owner,
        backup_owner=wish.backup_owner,
        expiration_height=place.height + duration(place.network, wish.term),
        update_height=place.height,
        txid=place.txid,
    )


def _update(known: Record, wish: Update, place: Place) -> Record:
    fields = ("encrypted_value", "owner", "backup_owner")
    new = {field: getattr(wish, field) for field in fields if getattr(wish, field) is not None}
    if not new:
        raise Refused("an update changes the value, the owner or the backup owner")
    _distinct(wish.owner, wish.backup_owner)
    for field, value in new.items():
        if value == getattr(known, field):
            raise Refused(f"the {field.replace('_', ' ')} is what it was: leave it out")
    digest = update_digest(wish.encrypted_value, wish.owner, wish.backup_owner, known.txid)
    signers = (known.owner, known.backup_owner)
    if not any(key and ed25519_verify(key, digest, wish.signature) for key in signers):
        raise Refused("the signature is neither the owner's nor the backup owner's")
    return Record(
        name_hash=known.name_hash,
        encrypted_value=new.get("encrypted_value", known.encrypted_value),
        owner=new.get("owner", known.owner),
        backup_owner=new.get("backup_owner", known.backup_owner),
        expiration_height=known.expiration_height,
        update_height=place.height,
        txid=place.txid,
    )


def _renew(known: Record, wish: Renew, place: Place) -> Record:
    return Record(
        name_hash=known.name_hash,
        encrypted_value=known.encrypted_value,
        owner=known.owner,
        backup_owner=known.backup_owner,
        expiration_height=known.expiration_height + duration(place.network, wish.term),
        update_height=place.height,
        txid=place.txid,
    )


def _alive(known: Record | None, previous: bytes, place: Place) -> Record:
    """The record an update or renewal is about."""
    if known is None:
        raise Refused("the name is not registered")
    if not known.is_active(place.height):
        raise Refused(f"the name expired at height {known.expiration_height}")
    if previous != known.txid:
        raise Refused(
            f"prev_txid is not the name's last transaction {known.txid.hex()}; "
            "perhaps another one came first"
        )
    return known


def _distinct(owner: bytes | None, backup_owner: bytes | None) -> None:
    if owner is not None and owner == backup_owner:
        raise Refused("owner and backup owner are the same")
