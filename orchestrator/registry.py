"""What a network's chain should hold and what it holds: plain values, and which acts that needs.

The chain itself knows names by their hashes and values only sealed, so a note beside it says what
was settled and by which transaction: a record somebody changed by hand is looked at again. Pure.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Literal

__all__ = [
    "Identity",
    "NameNote",
    "NameSpec",
    "ObservedRegistry",
    "RegisterRouters",
    "Registry",
    "SettleNames",
    "hash_of",
    "missing_names",
    "missing_routers",
]


@dataclass(frozen=True, slots=True)
class Identity:
    """A node's key on the disk: a router's directory, or a service's file."""

    node: str
    kind: Literal["router", "service"]
    path: str


@dataclass(frozen=True, slots=True)
class NameSpec:
    """A name as it should be; it stands for a node's address or for a given one."""

    name: str
    to: str
    """Node or address, as written in the topology."""
    identity: Identity | None
    """Of that node; None for a given address."""
    owner: str
    backup_owner: str | None
    term: str
    """Lokinet's word: `lokinet_1y`."""


@dataclass(frozen=True, slots=True)
class Registry:
    """What a chain should hold."""

    node: str
    """The chain's node."""
    control: str
    """Its control socket."""
    note: str
    """Where it is noted what was settled."""
    owners: str
    """The directory of the owners' keys."""
    routers: tuple[Identity, ...] = ()
    services: tuple[Identity, ...] = ()
    """Whom a name can stand for."""
    names: tuple[NameSpec, ...] = ()


@dataclass(frozen=True, slots=True)
class NameNote:
    """What a name was settled to, and the transaction that did it."""

    to: str
    owner: str
    backup_owner: str | None
    txid: str


@dataclass(frozen=True, slots=True)
class ObservedRegistry:
    """What a chain holds, and the note beside it."""

    listed: frozenset[str] = frozenset()
    """Identities of the registered service nodes, in hex."""
    records: Mapping[str, str] = field(default_factory=dict)
    """Hash of an active name, in hex → its last transaction."""
    routers: Mapping[str, str] = field(default_factory=dict)
    """Noted: node → identity it was registered with."""
    names: Mapping[str, NameNote] = field(default_factory=dict)
    """Noted: name → what it was settled to."""


@dataclass(frozen=True, slots=True)
class RegisterRouters:
    """Register routers as service nodes, deregister those that are gone; the chain must answer."""

    registry: Registry
    routers: tuple[Identity, ...]
    retired: tuple[str, ...] = ()
    """Nodes, as they are noted."""


@dataclass(frozen=True, slots=True)
class SettleNames:
    """Buy names, or change what they stand for or belong to."""

    registry: Registry
    names: tuple[NameSpec, ...]


def hash_of(name: str) -> str:
    """The hash under which the registry files a name, in hex: BLAKE2b-256."""
    return hashlib.blake2b(name.lower().encode(), digest_size=32).hexdigest()


def missing_routers(
    registry: Registry, seen: ObservedRegistry, new_keys: Collection[str]
) -> tuple[tuple[Identity, ...], tuple[str, ...]]:
    """(to register, to deregister); nodes whose keys will be made anew are to be registered."""
    wanted = {router.node for router in registry.routers}
    missing = tuple(
        router
        for router in registry.routers
        if router.node in new_keys or seen.routers.get(router.node) not in seen.listed
    )
    retired = tuple(
        node
        for node, identity in sorted(seen.routers.items())
        if identity in seen.listed and (node not in wanted or node in new_keys)
    )
    return missing, retired


def missing_names(
    registry: Registry, seen: ObservedRegistry, new_keys: Collection[str]
) -> tuple[NameSpec, ...]:
    """Names that nobody has, or that are not known to be as they should."""
    return tuple(
        spec
        for spec in registry.names
        if (spec.identity is not None and spec.identity.node in new_keys)
        or seen.names.get(spec.name) != _settled(spec, seen)
    )


def _settled(spec: NameSpec, seen: ObservedRegistry) -> NameNote | None:
    """What would be noted if all was well; never what is noted where nobody has the name."""
    txid = seen.records.get(hash_of(spec.name))
    if txid is None:
        return NameNote("", "", None, "")
    return NameNote(spec.to, spec.owner, spec.backup_owner, txid)
