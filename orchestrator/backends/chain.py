"""Acts on a network's chain, and what it holds: over its control socket, with the owners' keys.

Every act looks first and does what is missing, so that one that was interrupted can be done again.
What was settled is noted beside the chain, as the chain itself keeps names only as hashes.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from orchestrator.backends import Backend
from orchestrator.chain import ChainAway, call, call_when_there
from orchestrator.directories import write_private
from orchestrator.errors import CheckFailed
from orchestrator.ops import Desired, Observed
from orchestrator.owners import Identified, Owners, identified, opened, sealed
from orchestrator.registry import (
    Identity,
    NameNote,
    NameSpec,
    ObservedRegistry,
    RegisterRouters,
    Registry,
    SettleNames,
    hash_of,
)

__all__ = ["Note", "look", "perform", "record_of", "records"]

PAGE = 256
"""Names in one question; oxend's limit."""
Record = dict[str, Any]


def look(backend: Backend, desired: Desired) -> Observed:
    """All there is, with what the chain holds where the network has one that answers."""
    observed = backend.observe()
    if desired.registry is None:
        return observed
    return replace(observed, registry=observe(desired.registry))


def observe(registry: Registry) -> ObservedRegistry:
    """What the chain holds of what it should; nothing but the note while it does not answer."""
    note = Note(registry)
    try:
        listed = frozenset(_listed(registry))
        found = records(registry.control, [spec.name for spec in registry.names])
    except ChainAway:
        return ObservedRegistry(routers=note.routers, names=note.names)
    transactions = {hash_of(name): record["txid"] for name, record in found.items()}
    return ObservedRegistry(listed, transactions, note.routers, note.names)


def perform(op: RegisterRouters | SettleNames) -> None:
    """One act; the chain may still be starting."""
    call_when_there(op.registry.control, "get_height")
    if isinstance(op, RegisterRouters):
        _register(op)
    else:
        for spec, identity in zip(op.names, _targets(op.names), strict=True):
            _settle(op.registry, spec, identity)


def records(control: str, names: Sequence[str]) -> dict[str, Record]:
    """Active records by name; names nobody has are left out."""
    found: dict[str, Record] = {}
    for start in range(0, len(names), PAGE):
        page = names[start : start + PAGE]
        entries = [{"name_hash": hash_of(name), "types": [2]} for name in page]
        answer = call(control, "ons_names_to_owners", entries=entries)
        found |= {page[entry["entry_index"]]: entry for entry in answer["entries"]}
    return found


def record_of(control: str, name: str) -> Record | None:
    """The active record of one name."""
    return records(control, [name]).get(name)


def _listed(registry: Registry) -> set[str]:
    answer = call(registry.control, "get_service_nodes", fields=["pubkey_ed25519"])
    return {str(row["pubkey_ed25519"]) for row in answer["service_node_states"]}


def _register(op: RegisterRouters) -> None:
    note, control = Note(op.registry), op.registry.control
    listed = _listed(op.registry)
    for node in op.retired:
        if (key := note.routers.pop(node, None)) in listed:
            call(control, "deregister_service_node", pubkey_ed25519=key)
    for router, identity in zip(op.routers, _identified(op.routers), strict=True):
        if identity.public not in listed:
            call(control, "register_service_node", pubkey_ed25519=identity.public)
        note.routers[router.node] = identity.public
    note.write()


def _settle(registry: Registry, spec: NameSpec, address: str) -> None:
    """Buy a name, or change what differs."""
    owners = Owners(Path(registry.owners))
    wanted = [spec.owner, *([spec.backup_owner] if spec.backup_owner else [])]
    keys = owners.public(*wanted)
    record = record_of(registry.control, spec.name)
    if record is None:
        fields = {"owner": keys[spec.owner], "encrypted_value": sealed(spec.name, address)}
        if spec.backup_owner:
            fields["backup_owner"] = keys[spec.backup_owner]
        done = call(registry.control, "ons_buy_mapping", name=spec.name, type=spec.term, **fields)
    else:
        done = _update(registry, spec, address, record, keys)
    note = Note(registry)
    note.names[spec.name] = NameNote(spec.to, spec.owner, spec.backup_owner, done["txid"])
    note.write()


def _update(
    registry: Registry, spec: NameSpec, address: str, record: Record, keys: Mapping[str, str]
) -> Record:
    """The record as it should be, changed by whichever owner's key is here."""
    changes = {}
    if opened({spec.name: record["encrypted_value"]})[spec.name] != address:
        changes["encrypted_value"] = sealed(spec.name, address)
    for field, owner in (("owner", spec.owner), ("backup_owner", spec.backup_owner)):
        if owner is not None and record.get(field) != keys[owner]:
            changes[field] = keys[owner]
    if not changes:
        return record
    owners = Owners(Path(registry.owners))
    signer = owners.who_owns(record)
    if signer is None:
        raise CheckFailed(f"{spec.name} belongs to {record['owner']}, whose key is not here")
    previous = record["txid"]
    signature = owners.signature(signer, previous, changes)
    fields = {"prev_txid": previous, "signature": signature, **changes}
    return call(registry.control, "ons_update_mapping", name=spec.name, **fields)


def _identified(identities: Iterable[Identity]) -> list[Identified]:
    return identified([(identity.kind, identity.path) for identity in identities])


def _targets(names: Sequence[NameSpec]) -> list[str]:
    """The address each name should stand for."""
    ours = [spec.identity for spec in names if spec.identity is not None]
    found = iter(_identified(ours) if ours else [])
    return [next(found).address if spec.identity else spec.to for spec in names]


class Note:
    """What was settled, beside the chain."""

    def __init__(self, registry: Registry) -> None:
        self._path = Path(registry.note)
        try:
            data = json.loads(self._path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            data = {"routers": {}, "names": {}}
        self.routers: dict[str, str] = data["routers"]
        self.names = {name: NameNote(**entry) for name, entry in data["names"].items()}

    def write(self) -> None:
        names = {name: asdict(entry) for name, entry in self.names.items()}
        write_private(self._path, json.dumps({"routers": self.routers, "names": names}))
