"""Service nodes: which routers the network is made of, without storage.

    registered  →  stake          →  active
    active      →  decommission   →  decommissioned   known, but no longer used for paths
    decommissioned  →  recommission  →  active
    any         →  deregister     →  gone; the key may be registered again

Routers take their whitelist from the active ones. A change is one row; nothing is overwritten.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum

from lokinet_node.chain.rules import Refused


class NodeState(StrEnum):
    """Where a service node stands."""

    REGISTERED = "registered"
    ACTIVE = "active"
    DECOMMISSIONED = "decommissioned"
    DEREGISTERED = "deregistered"


class Change(StrEnum):
    """What can happen to one; the names are those of the RPC methods."""

    STAKE = "stake"
    DECOMMISSION = "decommission_service_node"
    RECOMMISSION = "recommission_service_node"
    DEREGISTER = "deregister_service_node"


@dataclass(frozen=True, slots=True)
class ServiceNode:
    """One router's standing since one height. Keys are 32 bytes."""

    pubkey_ed25519: bytes
    """The router's identity: its `.snode` address."""
    service_node_pubkey: bytes
    state: NodeState
    registration_height: int
    state_height: int
    decommission_count: int = 0

    @property
    def is_listed(self) -> bool:
        """Whether the network knows it at all."""
        return self.state is not NodeState.DEREGISTERED

    @property
    def is_funded(self) -> bool:
        """Whether its stake is complete."""
        return self.state in (NodeState.ACTIVE, NodeState.DECOMMISSIONED)

    @property
    def is_active(self) -> bool:
        """Whether paths may use it."""
        return self.state is NodeState.ACTIVE


_TRANSITIONS = {
    (NodeState.REGISTERED, Change.STAKE): NodeState.ACTIVE,
    (NodeState.ACTIVE, Change.DECOMMISSION): NodeState.DECOMMISSIONED,
    (NodeState.DECOMMISSIONED, Change.RECOMMISSION): NodeState.ACTIVE,
    (NodeState.REGISTERED, Change.DEREGISTER): NodeState.DEREGISTERED,
    (NodeState.ACTIVE, Change.DEREGISTER): NodeState.DEREGISTERED,
    (NodeState.DECOMMISSIONED, Change.DEREGISTER): NodeState.DEREGISTERED,
}


def register(
    known: ServiceNode | None,
    pubkey_ed25519: bytes,
    service_node_pubkey: bytes,
    funded: bool,
    height: int,
) -> ServiceNode:
    """A new service node, complete with its stake or not; Refused while the key is listed."""
    if known is not None and known.is_listed:
        raise Refused(f"the service node is already {known.state}")
    return ServiceNode(
        pubkey_ed25519=pubkey_ed25519,
        service_node_pubkey=service_node_pubkey,
        state=NodeState.ACTIVE if funded else NodeState.REGISTERED,
        registration_height=height,
        state_height=height,
    )


def change(known: ServiceNode | None, what: Change, height: int) -> ServiceNode:
    """The service node after a change; Refused where it cannot happen to it."""
    if known is None or not known.is_listed:
        raise Refused("the service node is not registered")
    state = _TRANSITIONS.get((known.state, what))
    if state is None:
        raise Refused(f"a service node that is {known.state} cannot {what.split('_')[0]}")
    return replace(
        known,
        state=state,
        state_height=height,
        decommission_count=known.decommission_count + (what is Change.DECOMMISSION),
    )
