"""`Topology` → a compose file: the same network, for people who have the engine alone. Pure.

Rules: the file is data that is dumped, never text that is filled in; it holds no secret, as keys
are made by a job when the network comes up. What containers may do is as on the docker backend: no
capability but NET_ADMIN, with the tun device, for nodes that make a tun; root file systems nobody
can write; a network without a way out. Where programs share a node, NODE.tools owns its network
namespace, so that each of them may restart. Our own services have a dot in their names, and nodes
have none.
"""

from __future__ import annotations

from collections.abc import Sequence
from ipaddress import IPv4Network
from pathlib import Path, PurePosixPath
from typing import Any

from orchestrator.compose_text import dumped, json_text
from orchestrator.directories import Places
from orchestrator.errors import UsageError
from orchestrator.groups import OnClearnet
from orchestrator.ops import Desired, Image, KeyRequest, NodeSpec, ProcessSpec
from orchestrator.registry import Registry
from orchestrator.render import RESOLVER, render
from orchestrator.render_apps import SHARED
from orchestrator.render_chain import ADMIN
from orchestrator.topology import Topology

__all__ = ["RESOLVER_FILE", "compose_data", "compose_text", "first_line", "resolver_text"]

Service = dict[str, Any]
ROOT = PurePosixPath("/lokinet")
"""Inside the containers of nodes and jobs: not the image's home, which belongs to its user."""
PLACES = Places("compose", Path(ROOT), Path(ROOT / "run"))
"""Every node sees its own directory of these."""
NETWORK = "underlay"
KEYS = "jobs.keys"
NAMES = "jobs.names"
ADDRESSES = f"{ROOT}/names/addresses.json"
RESOLVER_FILE = "resolv.conf"
IMAGES = {"node": ".", "web": "images/web", "tools": "images/tools", "voip": "images/voip"}
"""Where each is built, in a checkout."""
IMAGE = "localhost/lokinet-testnet/{}:local"
NODE_USER = 1090
"""Of the node image: who runs nodes without a tun."""
WEB_USER = 33
"""Debian's www-data, who runs nginx."""
RUN_TMPFS = "/lokinet/run:size=1m,mode=1777"
TMPFS = "/tmp:size=64m,mode=1777"
SYSCTLS = {"net.ipv4.ip_forward": "0", "net.ipv4.conf.all.rp_filter": "1"}
"""As everywhere: `world.nodes` says why. What only newer kernels have is left out."""


def compose_text(topology: Topology, context: str) -> str:
    """The file.

    Args:
        topology: a checked topology.
        context: the checkout from where the file lies: images are built there.
    """
    return f"{first_line(topology.name)}\n{_HEAD}\n{dumped(compose_data(topology, context))}"


def first_line(name: str) -> str:
    """By this a file is known as one that may be written anew."""
    return f"# The network {name}, written by `testnet render compose`."


_HEAD = f"""\
# It needs {RESOLVER_FILE} beside it. Newer engines say `docker compose`.
#   docker-compose -f FILE up -d                     keys are made first
#   docker-compose -f FILE logs {KEYS}            who the nodes are
#   docker-compose -f FILE exec NODE.tools curl …    from a node's point of view
#   docker-compose -f FILE down -v                   removes everything, keys too"""


def resolver_text() -> str:
    """What every container finds as its /etc/resolv.conf."""
    return f"nameserver {RESOLVER}\n"


def compose_data(topology: Topology, context: str) -> dict[str, Any]:
    """The same as values: what a program would read from the file.

    Raises UsageError for a clearnet, as an exit's packet filter is set from outside of its
    containers, and for content that is made on the machine.
    """
    there = [name for name, group in topology.nodes.items() if isinstance(group, OnClearnet)]
    if there:
        raise UsageError(
            f"{', '.join(there)}: a compose file cannot have exits and servers, as nobody would "
            "set the exits' packet filter: `testnet up --backend docker` brings them up"
        )
    desired = render(topology, PLACES, "python", image_of=lambda word: Image(word, ""))
    made = [spec.name for spec in desired.nodes for process in spec.processes if process.content]
    if made:
        raise UsageError(
            f"{', '.join(made)}: a compose file cannot have tls, file and video, as nobody would "
            "make them: `testnet up --backend docker` brings it up"
        )
    build = _Build(context)
    services = {KEYS: _keys_job(desired, build)}
    for spec in desired.nodes:
        services |= _node_services(spec, desired, build)
    if desired.registry is not None:
        services[NAMES] = _names_job(desired.registry, build)
    volumes = sorted({name for spec in services.values() for name in _volumes_of(spec)})
    gateway = str(IPv4Network(topology.underlay)[-2])
    return {
        "services": services,
        "networks": {
            NETWORK: {
                "internal": True,
                # the host has no address there, either
                "driver_opts": {"com.docker.network.bridge.inhibit_ipv4": "true"},
                "ipam": {"config": [{"subnet": topology.underlay, "gateway": gateway}]},
            }
        },
        "volumes": {name: {} for name in volumes},
    }


# --- services


class _Build:
    """Images by our word for them; others are fetched under their own names."""

    def __init__(self, context: str) -> None:
        self._context = context

    def image(self, word: str) -> Service:
        """`image:`, and `build:` for ours."""
        for name, folder in IMAGES.items():
            if word in (name, IMAGE.format(name)):
                context = str(PurePosixPath(self._context) / folder)
                return {"image": IMAGE.format(name), "build": {"context": context}}
        return {"image": word}


def _node_services(spec: NodeSpec, desired: Desired, build: _Build) -> dict[str, Service]:
    """A node's programs, and what people's commands run in."""
    namespace = _namespace(spec)
    node, *applications = spec.processes
    after = [KEYS, *([NAMES] if desired.registry is not None and spec.role == "router" else [])]
    if spec.role != "client" and not applications:
        return {spec.name: {**_node(spec, node, after, build), **namespace}}
    owner = f"{spec.name}.tools"
    joins = {"network_mode": f"service:{owner}"}
    tools = {**build.image("tools"), **_confined(), "tmpfs": [TMPFS], "volumes": [_resolver()]}
    return {
        owner: {**tools, **namespace},
        spec.name: {**_node(spec, node, after, build), **joins},
        **{
            f"{spec.name}.{process.name}": {**_application(spec, process, build), **joins}
            for process in applications
        },
    }


def _namespace(spec: NodeSpec) -> Service:
    """A network namespace at the node's address, with the node's resolver.

    `dns` is for who asks the engine's own resolver in there: it passes on to the node as well.
    """
    return {
        "hostname": spec.name,
        "networks": {NETWORK: {"ipv4_address": spec.address}},
        "dns": [spec.resolver],
        "sysctls": dict(SYSCTLS),
    }


def _node(spec: NodeSpec, process: ProcessSpec, after: Sequence[str], build: _Build) -> Service:
    contacts = [
        _volume(_contact_volume(path), str(PurePosixPath(path).parent), read_only=True)
        for path in spec.reads
    ]
    rights = {"cap_add": ["NET_ADMIN"], "devices": ["/dev/net/tun:/dev/net/tun"]}
    return {
        **build.image("node"),
        "entrypoint": list(process.argv),
        "user": _user(_node_user(spec)),
        **_confined(),
        **(rights if _has_tun(spec) else {}),
        "tmpfs": [RUN_TMPFS],
        "volumes": [_volume(spec.name, spec.directory), *contacts, _resolver()],
        "depends_on": {job: {"condition": "service_completed_successfully"} for job in after},
    }


def _application(spec: NodeSpec, process: ProcessSpec, build: _Build) -> Service:
    assert process.image is not None
    shared = [
        _volume(_shared_volume(spec, name), f"{SHARED}/{name}")
        for folder, name in spec.shared
        if any(PurePosixPath(path).parts[0] == folder for path in process.files)
    ]
    return {
        **build.image(process.image.name),
        "entrypoint": list(process.argv),
        **({"user": _user(WEB_USER)} if shared else {}),
        **_confined(),
        "tmpfs": [TMPFS],
        "volumes": [*shared, _resolver()],
        "depends_on": {KEYS: {"condition": "service_completed_successfully"}},
    }


def _confined() -> Service:
    """What every container is content with."""
    return {"read_only": True, "cap_drop": ["ALL"], "security_opt": ["no-new-privileges:true"]}


def _has_tun(spec: NodeSpec) -> bool:
    return spec.tun and spec.role != "chain"


def _node_user(spec: NodeSpec) -> int:
    return 0 if _has_tun(spec) else NODE_USER


def _user(number: int) -> str:
    return f"{number}:{number}"


# --- jobs


def _keys_job(desired: Desired, build: _Build) -> Service:
    """Makes files and keys in everybody's volumes, and has no network while it does."""
    requests = {spec.name: _key_request(spec.key) for spec in desired.nodes if spec.key}
    contacts: dict[str, str] = {}
    owners: dict[str, int] = {}
    files: list[str] = []
    volumes: dict[str, str] = {}
    for spec in desired.nodes:
        volumes[spec.name] = spec.directory
        owners[spec.directory] = _node_user(spec)
        folders = {folder: f"{ROOT}/shared/{spec.name}/{folder}" for folder, _ in spec.shared}
        volumes |= {_shared_volume(spec, name): folders[folder] for folder, name in spec.shared}
        owners |= dict.fromkeys(folders.values(), WEB_USER)
        for path, text in spec.files.items():
            folder, _, rest = path.partition("/")
            target = f"{folders[folder]}/{rest}" if folder in folders else path
            files += [str(PurePosixPath(spec.directory, target)), text]
        for path in spec.reads:
            node = PurePosixPath(path).parent.name
            volumes[_contact_volume(path)] = f"{ROOT}/contacts/{node}"
            contacts[node] = f"{ROOT}/contacts/{node}/{PurePosixPath(path).name}"
    if desired.registry is not None:
        volumes[NAMES] = str(ROOT / "names")
        owners[volumes[NAMES]] = NODE_USER
    addresses = ADDRESSES if desired.registry is not None else ""
    job = {"keys": requests, "contacts": contacts, "addresses": addresses, "owners": owners}
    return {
        **build.image("node"),
        "entrypoint": _job("prepare"),
        "command": [json_text(job), *files],
        "user": _user(0),
        "network_mode": "none",
        **_confined(),
        "cap_add": ["CHOWN", "DAC_OVERRIDE"],
        "volumes": [_volume(name, target) for name, target in volumes.items()],
    }


def _names_job(registry: Registry, build: _Build) -> Service:
    """Registers routers and buys names, next to the chain."""
    job = {
        "admin": ADMIN,
        "addresses": ADDRESSES,
        "owners": str(ROOT / "names"),
        "routers": [router.node for router in registry.routers],
        "names": [
            {
                "name": spec.name,
                "to": spec.to,
                "owner": spec.owner,
                "backup_owner": spec.backup_owner or "",
                "type": spec.term,
            }
            for spec in registry.names
        ],
    }
    return {
        **build.image("node"),
        "entrypoint": _job("settle"),
        "command": [json_text(job)],
        "user": _user(NODE_USER),
        "network_mode": f"service:{registry.node}",
        **_confined(),
        "volumes": [_volume(NAMES, str(ROOT / "names"))],
        "depends_on": {
            KEYS: {"condition": "service_completed_successfully"},
            registry.node: {"condition": "service_started"},
        },
    }


def _job(name: str) -> list[str]:
    return ["python", "-P", "-m", "lokinet_node.jobs", name]


def _key_request(key: KeyRequest) -> dict[str, str]:
    """As `lokinet_node.keys batch` takes it."""
    if key.kind == "service":
        return {"kind": key.kind, "file": key.path}
    address = {"netid": key.netid, "public_address": key.public_address}
    return {"kind": key.kind, "dir": key.path, **address}


# --- volumes


def _volume(name: str, target: str, read_only: bool = False) -> dict[str, Any]:
    mount: dict[str, Any] = {"type": "volume", "source": name, "target": target}
    return {**mount, "read_only": True} if read_only else mount


def _resolver() -> dict[str, Any]:
    source = f"./{RESOLVER_FILE}"
    return {"type": "bind", "source": source, "target": "/etc/resolv.conf", "read_only": True}


def _contact_volume(path: str) -> str:
    """By what a node reads of another: `…/nodes/router-1/self.signed`."""
    return f"{PurePosixPath(path).parent.name}.contact"


def _shared_volume(spec: NodeSpec, name: str) -> str:
    return f"{spec.name}.{name}"


def _volumes_of(service: Service) -> list[str]:
    mounts = service.get("volumes", [])
    return [mount["source"] for mount in mounts if mount["type"] == "volume"]
