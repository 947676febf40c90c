"""`testnet ons`: names on the network's chain, by their owners' keys.

Keys and the sealing of values are the node's own command's business (`owners`); the chain gets what
comes out. Changes are noted, so that the next `up` knows what the topology's names stand for.
"""

from __future__ import annotations

import argparse
import base64
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from orchestrator.backends.chain import Note, record_of
from orchestrator.chain import call
from orchestrator.cli.chain import ATOMIC_PER_OXEN, chain_of
from orchestrator.cli.output import print_json, print_table, tell
from orchestrator.errors import EXIT_OK, CheckFailed, UsageError
from orchestrator.locks import locked
from orchestrator.naming import ADDRESS, name_problem
from orchestrator.owners import Owners, identified, opened, sealed
from orchestrator.registry import NameNote, Registry, hash_of

__all__ = ["buy", "history", "list_names", "lookup", "renew", "transfer", "update"]

Record = dict[str, Any]
PUBLIC_KEY = re.compile(r"[0-9a-f]{64}")
OWNER_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,30}")
PAGE = 1000


@dataclass(slots=True)
class _Desk:
    """One network's chain and owners."""

    registry: Registry
    owners: Owners

    def key(self, owner: str) -> str:
        """A public key: as given, or of an owner here, made if it is new."""
        if PUBLIC_KEY.fullmatch(owner):
            return owner
        if not OWNER_NAME.fullmatch(owner):
            raise UsageError(f"{owner!r} is neither an owner's name (a-z, 0-9, '-') nor a key")
        return self.owners.public(owner)[owner]

    def address(self, target: str) -> str:
        """An address: as given, or of a service."""
        if ADDRESS.fullmatch(target):
            return target
        services = {spec.node: spec for spec in self.registry.services}
        if target not in services:
            there = ", ".join(services) or "no services"
            raise UsageError(
                f"{target!r} is neither a service nor a <52>.loki address: there are {there}"
            )
        return identified([("service", services[target].path)])[0].address

    def active(self, name: str) -> Record:
        """The record of a name somebody has; raises CheckFailed."""
        record = record_of(self.registry.control, name)
        if record is None:
            raise CheckFailed(f"{name} is not registered")
        return record

    def labels(self) -> dict[str, str]:
        """Owners' names by key."""
        return {key: owner for owner, key in self.owners.public(*self.owners.names()).items()}

    def note(self, name: str, to: str, record: Record) -> None:
        """Remember what a name stands for since its last transaction."""
        labels = self.labels()
        owner: str = record["owner"]
        backup: str | None = record.get("backup_owner")
        note = Note(self.registry)
        backup_name = labels.get(backup, backup) if backup else None
        note.names[name] = NameNote(to, labels.get(owner, owner), backup_name, record["txid"])
        note.write()

    def noted(self, name: str) -> str:
        """What a name stood for when it was last noted; nothing if it never was."""
        entry = Note(self.registry).names.get(name)
        return entry.to if entry else ""


def buy(arguments: argparse.Namespace) -> int:
    """Buy a name for a service or address."""
    places, registry = chain_of(arguments)
    desk, name = _Desk(registry, Owners(Path(registry.owners))), _checked(arguments.ons_name)
    with locked(places):
        fields = {"owner": desk.key(arguments.owner)}
        if arguments.backup_owner:
            fields["backup_owner"] = desk.key(arguments.backup_owner)
        fields["encrypted_value"] = sealed(name, desk.address(arguments.to))
        term = f"lokinet_{arguments.years}y"
        record = call(registry.control, "ons_buy_mapping", name=name, type=term, **fields)
        desk.note(name, arguments.to, record)
    return _told(desk, name, record, arguments.json)


def update(arguments: argparse.Namespace) -> int:
    """Change what a name stands for, or its backup owner."""
    if not (arguments.to or arguments.backup_owner):
        raise UsageError("nothing to change: say --to or --backup-owner")
    return _change(arguments, arguments.to, None, arguments.backup_owner)


def transfer(arguments: argparse.Namespace) -> int:
    """Give a name to another owner."""
    return _change(arguments, None, arguments.owner, None)


def _change(
    arguments: argparse.Namespace, to: str | None, owner: str | None, backup: str | None
) -> int:
    places, registry = chain_of(arguments)
    desk, name = _Desk(registry, Owners(Path(registry.owners))), _checked(arguments.ons_name)
    with locked(places):
        record = desk.active(name)
        signer = arguments.as_owner or desk.owners.who_owns(record)
        if signer is None:
            raise CheckFailed(f"{name} belongs to {record['owner']}, whose key is not here")
        if signer not in desk.owners.names():
            raise UsageError(f"no key of {signer!r} here: {_keys(desk)}")
        changes = {}
        if to:
            changes["encrypted_value"] = sealed(name, desk.address(to))
        if owner:
            changes["owner"] = desk.key(owner)
        if backup:
            changes["backup_owner"] = desk.key(backup)
        previous = record["txid"]
        signature = desk.owners.signature(signer, previous, changes)
        signed = {"prev_txid": previous, "signature": signature, **changes}
        record = call(registry.control, "ons_update_mapping", name=name, **signed)
        desk.note(name, to or desk.noted(name), record)
    return _told(desk, name, record, arguments.json)


def renew(arguments: argparse.Namespace) -> int:
    """Add a term to a name; anybody may."""
    places, registry = chain_of(arguments)
    desk, name = _Desk(registry, Owners(Path(registry.owners))), _checked(arguments.ons_name)
    with locked(places):
        previous = desk.active(name)["txid"]
        term = f"lokinet_{arguments.years}y"
        record = call(
            registry.control, "ons_renew_mapping", name=name, type=term, prev_txid=previous
        )
        desk.note(name, desk.noted(name), record)
    return _told(desk, name, record, arguments.json)


def lookup(arguments: argparse.Namespace) -> int:
    """What the chain says about a name."""
    _, registry = chain_of(arguments)
    desk, name = _Desk(registry, Owners(Path(registry.owners))), _checked(arguments.ons_name)
    return _told(desk, name, desk.active(name), arguments.json)


def list_names(arguments: argparse.Namespace) -> int:
    """All names; the chain keeps hashes only, so a name nobody here bought is shown as one."""
    _, registry = chain_of(arguments)
    desk = _Desk(registry, Owners(Path(registry.owners)))
    known, labels = _known(registry), desk.labels()
    rows: list[Record] = []
    page: dict[str, Any] = {}
    while page.get("next", "") is not None:
        after = {"after": page["next"]} if page else {}
        page = call(registry.control, "ons_list", include_expired=arguments.expired, **after)
        rows += page["entries"]
    values = {
        known[row["name_hash"]]: row["encrypted_value"] for row in rows if row["name_hash"] in known
    }
    addresses = opened(values)
    data = [_data(known.get(row["name_hash"]), row, addresses, labels) for row in rows]
    if arguments.json:
        print_json(data)
        return EXIT_OK
    head = ("NAME", "ADDRESS", "OWNER", "EXPIRES", "ACTIVE")
    cells = [
        (
            entry["name"] or f"#{entry['name_hash']}",
            entry["address"] or "-",
            entry["owner_name"] or entry["owner"],
            str(entry["expiration_height"]),
            "yes" if row["active"] else "no",
        )
        for entry, row in zip(data, rows, strict=True)
    ]
    print_table(head, cells)
    return EXIT_OK


def history(arguments: argparse.Namespace) -> int:
    """What happened to a name, or to all, by height."""
    _, registry = chain_of(arguments)
    desk = _Desk(registry, Owners(Path(registry.owners)))
    asked: dict[str, Any] = {"limit": PAGE, "start_height": arguments.since}
    if arguments.ons_name:
        asked["name"] = _checked(arguments.ons_name)
    rows = call(registry.control, "ons_history", **asked)["entries"]
    if len(rows) == PAGE:
        tell(f"the first {PAGE} changes: --since {rows[-1]['height']} tells those after")
    known, labels = _known(registry), desk.labels()
    if arguments.ons_name:
        known[_base64_hash(asked["name"])] = asked["name"]
    data = [
        _data(known.get(row["name_hash"]), row, {}, labels)
        | {"kind": row["kind"], "height": row["height"], "prev_txid": row["prev_txid"]}
        for row in rows
    ]
    if arguments.json:
        print_json(data)
        return EXIT_OK
    head = ("HEIGHT", "WHAT", "NAME", "OWNER", "EXPIRES", "TRANSACTION")
    cells = [
        (
            str(entry["height"]),
            entry["kind"],
            entry["name"] or f"#{entry['name_hash']}",
            entry["owner_name"] or entry["owner"],
            str(entry["expiration_height"]),
            entry["txid"],
        )
        for entry in data
    ]
    print_table(head, cells)
    return EXIT_OK


def _checked(name: str) -> str:
    lowered = name.lower()
    if problem := name_problem(lowered):
        raise UsageError(f"{name!r}: {problem}")
    return lowered


def _keys(desk: _Desk) -> str:
    names = desk.owners.names()
    return f"there are keys of {', '.join(names)}" if names else "there are no keys yet"


def _known(registry: Registry) -> dict[str, str]:
    """Names by their hash in base64, as far as this network's files tell."""
    names = {spec.name for spec in registry.names} | Note(registry).names.keys()
    return {_base64_hash(name): name for name in names}


def _base64_hash(name: str) -> str:
    return base64.b64encode(bytes.fromhex(hash_of(name))).decode()


def _data(
    name: str | None, record: Record, addresses: dict[str, str], labels: dict[str, str]
) -> Record:
    backup = record.get("backup_owner")
    return {
        "name": name,
        "name_hash": record["name_hash"],
        "address": addresses.get(name) if name else None,
        "owner": record["owner"],
        "owner_name": labels.get(record["owner"]),
        "backup_owner": backup,
        "backup_owner_name": labels.get(backup) if backup else None,
        "update_height": record["update_height"],
        "expiration_height": record["expiration_height"],
        "txid": record["txid"],
    }


def _told(desk: _Desk, name: str, record: Record, as_json: bool) -> int:
    """One name, for people or programs."""
    address = opened({name: record["encrypted_value"]})
    data = _data(name, record, address, desk.labels())
    if "burn" in record:
        data["burn"] = record["burn"]
    if as_json:
        print_json(data)
        return EXIT_OK
    print(f"name         {name}")
    print(f"address      {data['address']}")
    print(f"owner        {data['owner_name'] or data['owner']}")
    if data["backup_owner"]:
        print(f"backup owner {data['backup_owner_name'] or data['backup_owner']}")
    print(f"expires      after height {data['expiration_height']}")
    print(f"transaction  {data['txid']}, height {data['update_height']}")
    if "burn" in record:
        print(f"price        {record['burn'] / ATOMIC_PER_OXEN:g} OXEN")
    return EXIT_OK
