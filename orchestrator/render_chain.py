"""What a topology's chain becomes: its node, the routers' section about it, what it should hold."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from orchestrator.directories import Places
from orchestrator.fingerprints import fingerprint
from orchestrator.groups import ChainGroup, ExitGroup, RouterGroup, ServiceGroup
from orchestrator.ops import CHAIN_PROCESS, NodeSpec, ProcessSpec
from orchestrator.registry import Identity, NameSpec, Registry
from orchestrator.topology import Member, Topology

__all__ = ["chain_node", "lokid_section", "registry_of"]

RPC_PORT = 22023
"""oxend's."""
ADMIN = "127.0.0.1:22024"
"""Of the chain's own network: `testnet exec chain -- curl …` gets there, no other node does."""
PREFIX_LENGTH = 16
NO_RESOLVER = "127.0.0.1"
"""Nothing answers there: a chain asks for no names."""


def chain_node(
    topology: Topology, node: Member, group: ChainGroup, places: Places, python: str
) -> NodeSpec:
    """A node with the chain's program on the underlay."""
    directory, control = places.node(node.name), str(places.control(node.name))
    argv = [python, "-P", "-m", "lokinet_node.oxend", "--data-dir", str(directory / "chain")]
    block_time = group.block_time if group.blocks == "timed" else 0.0
    argv += ["--network-type", group.network_type, "--block-time", f"{block_time:g}"]
    argv += ["--rpc", f"{node.address}:{RPC_PORT}", "--admin", ADMIN, "--control", control]
    argv += ["--log-level", group.log or topology.log]
    argv += ["--log-format", group.log_format or topology.log_format]
    process = ProcessSpec(CHAIN_PROCESS, tuple(argv), str(directory / f"{CHAIN_PROCESS}.log"))
    return NodeSpec(
        name=node.name,
        role="chain",
        address=node.address,
        directory=str(directory),
        control=control,
        files={},
        shared=(),
        processes=(process,),
        resolver=NO_RESOLVER,
        fingerprint=fingerprint(
            {"address": f"{node.address}/{PREFIX_LENGTH}", "resolver": NO_RESOLVER, "shared": []}
        ),
    )


def lokid_section(chain: Member | None) -> list[tuple[str, str | int | float | bool]]:
    """Where a router finds its chain, if there is one."""
    if chain is None:
        return [("enabled", False)]
    return [("enabled", True), ("rpc", f"http://{chain.address}:{RPC_PORT}")]


def registry_of(
    topology: Topology, chain: str, nodes: Sequence[Member], places: Places
) -> Registry:
    """All routers, and the names as they are written."""
    services = {
        node.name: _service(node.name, places.node(node.name))
        for node in nodes
        if isinstance(node.group, ServiceGroup | ExitGroup)
    }
    routers = tuple(
        Identity(node.name, "router", str(places.node(node.name)))
        for node in nodes
        if isinstance(node.group, RouterGroup)
    )
    names = tuple(
        NameSpec(
            name=name,
            to=goal.to,
            identity=services.get(goal.to),
            owner=goal.owner,
            backup_owner=goal.backup_owner,
            term=f"lokinet_{goal.years}y",
        )
        for name, goal in topology.names.items()
    )
    return Registry(
        node=chain,
        control=str(places.control(chain)),
        note=str(places.state / "registry.json"),
        owners=str(places.state / "owners"),
        routers=routers,
        services=tuple(services.values()),
        names=names,
    )


def _service(node: str, directory: Path) -> Identity:
    return Identity(node, "service", str(directory / "service.key"))
