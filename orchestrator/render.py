"""`Topology` → `Desired`: every configuration file as text, every command line, no effect.

The ini files hold Lokinet's own keys.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from orchestrator.applications import MumbleApp, NginxApp
from orchestrator.directories import Places
from orchestrator.fingerprints import fingerprint
from orchestrator.groups import (
    ChainGroup,
    ClientGroup,
    ExitGroup,
    RouterGroup,
    ServerGroup,
    ServiceGroup,
)
from orchestrator.ops import NODE_PROCESS, Desired, Image, KeyRequest, NodeSpec, ProcessSpec
from orchestrator.render_apps import command_process, mumble_files, mumble_process
from orchestrator.render_chain import chain_node, lokid_section, registry_of
from orchestrator.render_clearnet import EXIT_IFNAME, exit_rules, server_node
from orchestrator.render_exits import (
    client_exits,
    country_file,
    exit_keys,
    exit_section,
    upstream_of,
)
from orchestrator.render_images import in_images
from orchestrator.render_nginx import nginx_parts
from orchestrator.topology import Member, Topology, members

__all__ = ["render"]

LINK_PORT = 1090
"""Lokinet's default for `[bind] inbound`."""
PREFIX_LENGTH = 16
"""Of the underlay: one network for all nodes."""
RESOLVER = "127.3.2.1"
"""Where a node answers DNS: Lokinet's default on Linux."""

Section = list[tuple[str, str | int | float | bool]]
ImageOf = Callable[[str], Image | None]
"""By a word of ours (`node`, `web`, `tools`) or an image's own name."""


def no_image(_: str) -> None:
    """Programs come from this machine."""


def render(
    topology: Topology,
    places: Places,
    python: str,
    one_id: bool = False,
    image_of: ImageOf = no_image,
) -> Desired:
    """The network a topology asks for.

    Args:
        topology: a checked topology.
        places: where its files will be.
        python: the interpreter that runs the nodes.
        one_id: only one user id is mapped, so that daemons cannot drop privileges.
        image_of: where programs come from, if not from this machine.
    """
    cast = _cast(topology)

    def made(node: Member) -> NodeSpec:
        match node.group:
            case ChainGroup() as group:
                return chain_node(topology, node, group, places, python)
            case ServerGroup() as group:
                return server_node(node, group, cast.servers, places, one_id)
            case _:
                return _node(topology, node, cast, places, python, one_id)

    return Desired(
        name=places.name,
        prefix_length=PREFIX_LENGTH,
        nodes=tuple(in_images(made(node), node, image_of) for node in cast.nodes),
        nursery=nursery_argv(python),
        registry=registry_of(topology, cast.chain.name, cast.nodes, places) if cast.chain else None,
    )


@dataclass(slots=True)
class _Cast:
    """Who is what in a topology, looked up once for all of its nodes."""

    nodes: tuple[Member, ...]
    routers: list[str]
    seeds: list[str]
    """The first routers, whom the others start from."""
    servers: list[Member]
    """Who is on the clearnet alone."""
    chain: Member | None


def _cast(topology: Topology) -> _Cast:
    nodes = members(topology)
    routers = [node.name for node in nodes if isinstance(node.group, RouterGroup)]
    return _Cast(
        nodes=nodes,
        routers=routers,
        seeds=routers[: topology.seeds],
        servers=[node for node in nodes if isinstance(node.group, ServerGroup)],
        chain=next((node for node in nodes if isinstance(node.group, ChainGroup)), None),
    )


def _node(
    topology: Topology, node: Member, cast: _Cast, places: Places, python: str, one_id: bool
) -> NodeSpec:
    directory = places.node(node.name)
    ini = _ini(_sections(topology, node, cast, places))
    files = {"lokinet.ini": ini}
    if isinstance(node.group, ExitGroup):
        files |= country_file(node.group, cast.servers)
    config = str(directory / "lokinet.ini")
    processes = [
        ProcessSpec(
            name=NODE_PROCESS,
            argv=(python, "-P", "-m", "lokinet_node", config),
            log=str(directory / "lokinet.log"),
            nursery=nursery_argv(python),
            files=tuple(files),
        )
    ]
    shared: list[tuple[str, str]] = []
    if isinstance(node.group, ServiceGroup) and node.group.app is not None:
        app = node.group.app
        log = str(directory / f"{app.kind}.log")
        if isinstance(app, NginxApp):
            bought = [name for name, bid in topology.names.items() if bid.to == node.name]
            identity = str(directory / "service.key")
            parts = nginx_parts(app, node.name, directory, one_id, bought, identity)
            files |= parts.files
            shared += parts.shared
            processes += parts.processes
        elif isinstance(app, MumbleApp):
            files |= mumble_files(app, node.name, one_id)
            shared.append(("mumble", "mumble"))
            processes.append(mumble_process(app, log))
        else:
            processes.append(command_process(app, log))
    made_of: dict[str, object] = {
        "address": f"{node.address}/{PREFIX_LENGTH}",
        "resolver": RESOLVER,
        "shared": shared,
    }
    rules = ""
    if isinstance(node.group, ExitGroup):
        rules = exit_rules(node.group.ifname or EXIT_IFNAME, topology.clearnet)
        made_of |= {"clearnet": node.clearnet, "packet filter": rules}
    return NodeSpec(
        name=node.name,
        role=node.group.role,
        address=node.address,
        directory=str(directory),
        control=str(places.control(node.name)),
        files=files,
        shared=tuple(shared),
        processes=tuple(processes),
        resolver=RESOLVER,
        fingerprint=fingerprint(made_of),
        key=_key(topology, node, directory),
        tun=getattr(node.group, "tun", True),
        reads=tuple(str(path) for path in _contacts(cast, node.name, places)),
        is_asked=node.name in cast.seeds,
        clearnet=node.clearnet,
        rules=rules,
    )


def nursery_argv(python: str) -> tuple[str, ...]:
    """The node's own warm parent: forking it saves each node the import of everything."""
    return (python, "-P", "-m", "lokinet_node.nursery")


def _key(topology: Topology, node: Member, directory: Path) -> KeyRequest | None:
    if isinstance(node.group, RouterGroup):
        return KeyRequest(
            node.name, "router", str(directory), topology.netid, f"{node.address}:{LINK_PORT}"
        )
    if isinstance(node.group, ServiceGroup | ExitGroup):
        return KeyRequest(node.name, "service", str(directory / "service.key"))
    return None


def _sections(topology: Topology, node: Member, cast: _Cast, places: Places) -> dict[str, Section]:
    group = node.group
    is_router = isinstance(group, RouterGroup)
    sections: dict[str, Section] = {
        "router": [
            ("netid", topology.netid),
            ("data-dir", str(places.node(node.name))),
            ("block-bogons", False),
        ],
        "network": [],
        "paths": [("unique-range-size", topology.unique_range_size)],
        "dns": [("bind", f"{RESOLVER}:53"), ("upstream", "")],
        "bootstrap": [],
        "api": [("enabled", True), ("bind", f"ipc://{places.control(node.name)}")],
        "logging": [
            ("type", "print"),
            ("level", getattr(group, "log", None) or topology.log),
            ("format", getattr(group, "log_format", None) or topology.log_format),
        ],
    }
    if isinstance(group, RouterGroup):
        sections["router"].append(("nickname", node.name))
        sections["network"].append(("type", "tun" if group.tun else "null"))
        sections["lokid"] = lokid_section(cast.chain)
    elif not isinstance(group, ChainGroup | ServerGroup):
        sections["network"] += _path_owner(topology, group, places.node(node.name))
    if isinstance(group, ExitGroup):
        sections["network"] += exit_keys(group)
        sections["exit"] = exit_section(
            group, topology.clearnet, cast.servers, places.node(node.name)
        )
    elif isinstance(group, ClientGroup):
        sections["network"] += client_exits(group)
        sections["dns"] = [
            ("bind", f"{RESOLVER}:53"),
            ("upstream", upstream_of(cast.servers)),
        ]
    # IP only: a loopback or wildcard address would be refused, and port 0 cannot be advertised
    link = ("inbound", f"{node.address}:{LINK_PORT}") if is_router else ("outbound", node.address)
    sections["bind"] = [link]
    if node.name == cast.seeds[0]:
        sections["bootstrap"].append(("seed-node", True))
    sections["bootstrap"] += [
        ("add-node", str(path)) for path in _contacts(cast, node.name, places)
    ]
    own = {} if isinstance(group, ChainGroup | ServerGroup) else group.private_network
    parameters = {**topology.private_network, **own}
    if parameters:
        sections["private-network"] = list(parameters.items())
    return sections


def _contacts(cast: _Cast, node: str, places: Places) -> list[Path]:
    return [places.node(router) / "self.signed" for router in _start_from(cast, node)]


def _start_from(cast: _Cast, node: str) -> list[str]:
    """The routers a node asks first: the seeds; for a lone seed, whom it asks after a restart."""
    others = [seed for seed in cast.seeds if seed != node]
    return others or [router for router in cast.routers if router != node][:1]


def _path_owner(
    topology: Topology, group: ClientGroup | ServiceGroup | ExitGroup, directory: Path
) -> Section:
    section: Section = [("type", "tun"), ("hops", group.hops or topology.hops)]
    if group.paths or topology.paths:
        section.append(("paths", group.paths or topology.paths or 0))
    if isinstance(group, ClientGroup):
        section.append(("reachable", False))
    else:
        section += [("keyfile", str(directory / "service.key")), ("reachable", True)]
    if isinstance(group, ServiceGroup):
        section += [("srv", record) for record in group.srv]
    ifname = group.ifname or (EXIT_IFNAME if isinstance(group, ExitGroup) else None)
    if ifname:
        section.append(("ifname", ifname))
    if group.ifaddr:
        section.append(("ifaddr", group.ifaddr))
    return section


def _ini(sections: dict[str, Section]) -> str:
    lines: list[str] = []
    for name, entries in sections.items():
        if entries:
            lines += [f"[{name}]", *(f"{key}={_value(value)}" for key, value in entries), ""]
    return "\n".join(lines)


def _value(value: str | int | float | bool) -> str:
    return str(int(value)) if isinstance(value, bool) else str(value)
