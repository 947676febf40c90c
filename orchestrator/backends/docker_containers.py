"""What each container of a network is: bodies of the engine's `POST /containers/create`. Pure.

Rules: no capability but NET_ADMIN, and that only with the tun device, for nodes that make a tun,
and for the sandbox of an exit, which sets its packet filter; a root file system nobody can write;
no privileged mode, no engine socket, no new privileges. What must be written lies in mounts: a node
sees its own directory, the folder of its control socket and public contacts of others; an
application sees what is shared with it, and its log. Paths inside are those outside, so that one
configuration holds for both.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from orchestrator.backends.docker_gate import GATE
from orchestrator.directories import Places
from orchestrator.engine.belongings import LABEL, own_labels
from orchestrator.ops import CHAIN_PROCESS, NODE_PROCESS, NodeSpec, ProcessSpec
from orchestrator.render_apps import SHARED

__all__ = [
    "BESIDE",
    "LENDER",
    "NODE_USER",
    "RULES",
    "SANDBOX",
    "TOOLS",
    "Ground",
    "NodeNote",
    "has_sandbox",
    "is_node_program",
    "lender_body",
    "network_body",
    "note_of",
    "program_body",
    "sandbox_body",
    "second_leg",
    "tools_body",
]

Body = dict[str, Any]
SANDBOX = "sandbox"
"""Owns the network namespace of a node whose programs are several; people's commands run there."""
TOOLS = "tools"
"""Where people's commands run in the network namespace of a node with one program."""
LENDER = "lender"
"""Lends a plain user sockets of the namespace where the node's own container cannot."""
BESIDE = (TOOLS, LENDER)
"""No programs of the topology: made when first needed."""
ROOT = "0:0"
NODE_USER = 1090
"""Of the node image: who runs nodes without a tun."""
WEB_USER = 33
"""Debian's www-data, who runs nginx."""
NOBODY = 65534
TUN = "/dev/net/tun"
TMPFS = "rw,nosuid,nodev,noexec,mode=1777,size=64m"
MOST_PROCESSES = 512
RULES = "rules.nft"
"""An exit's packet filter."""
FORWARDING = {"net.ipv4.ip_forward": "1"}
APPLICATION_LOG = "/run/application.log"
"""Inside. The path outside may lead through a home, which in images is for its owner alone."""
LOG_WRAPPER = 'umask "$1"; log=$2; shift 2; exec "$@" >>"$log" 2>&1'
"""The log is a file, as everywhere; the program takes the shell's place."""
GATE_WRAPPER = 'flock --shared "$1" true; shift; exec "$@"'
"""For nodes that ask others: those are there when all begin."""


@dataclass(frozen=True, slots=True)
class Ground:
    """One network of containers."""

    places: Places
    network_id: str
    sysctls: Mapping[str, str]
    """For each namespace."""
    user: int = 0
    group: int = 0
    """Who asks. Root gives files to users of the images; nobody else can give anything away, so
    then programs that need not be root run as who asks, and root in there gets in by the group."""

    @property
    def name(self) -> str:
        """Of its network in the engine, and the beginning of its containers' names."""
        return f"{self.places.name}-{self.network_id[:6]}"

    @property
    def clearnet(self) -> str:
        """The name of its clearnet in the engine."""
        return f"{self.name}.clearnet"

    def container(self, node: str, program: str) -> str:
        """A container's name."""
        return f"{self.name}.{node}.{program}"

    def extras(self, node: str) -> Path:
        """Files made for a node's containers alone."""
        return self.places.state / "containers" / node

    def sockets(self, node: str) -> Path:
        """The folder of a node's control socket; inside it stands for the folder of all."""
        return self.places.run / f"{node}.d"

    def labels(self, node: str, program: str, note: NodeNote) -> dict[str, str]:
        """Of a container."""
        return {
            **self.own_labels,
            f"{LABEL}network": self.places.name,
            f"{LABEL}node": node,
            f"{LABEL}program": program,
            f"{LABEL}note": note.text(),
        }

    @property
    def own_labels(self) -> dict[str, str]:
        """Of everything that belongs to the network."""
        return own_labels(self.network_id)

    def labels_of(self, node: str, program: str | None = None) -> dict[str, str]:
        """By which the containers of a node are found, or those of one of its programs."""
        labels = {**self.own_labels, f"{LABEL}node": node}
        return labels if program is None else {**labels, f"{LABEL}program": program}

    @property
    def is_roots(self) -> bool:
        """Root asks."""
        return self.user == 0

    def node_user(self, spec: NodeSpec) -> tuple[int, int]:
        """(user, group) of a node's onion router or chain."""
        if spec.tun:
            return 0, self.group  # the engine gives capabilities to nobody but root
        return (NODE_USER, NODE_USER) if self.is_roots else (self.user, self.group)

    def application_user(self, shared: Sequence[object]) -> tuple[int, int] | None:
        """Of an application that writes into shared folders; None: whom its image names."""
        if not shared:
            return None
        return (WEB_USER, WEB_USER) if self.is_roots else (self.user, self.group)

    def tools_user(self, shared: Sequence[object]) -> tuple[int, int]:
        """Of people's commands; who asks may send signals to what is theirs."""
        nobody = (NOBODY, NOBODY) if self.is_roots else (self.user, self.group)
        return self.application_user(shared) or nobody


@dataclass(frozen=True, slots=True)
class NodeNote:
    """What each container remembers of its node."""

    fingerprint: str
    address: str
    labels: Mapping[str, str]
    """As others see them: role, control, ports."""
    tools: str
    """Number of the image for people's commands."""
    shared: tuple[tuple[str, str], ...]

    def text(self) -> str:
        """For a label."""
        return json.dumps(
            [self.fingerprint, self.address, dict(self.labels), self.tools, self.shared]
        )

    @classmethod
    def read(cls, text: str) -> NodeNote:
        """From a label."""
        fingerprint, address, labels, tools, shared = json.loads(text)
        pairs = tuple((str(folder), str(name)) for folder, name in shared)
        return cls(str(fingerprint), str(address), dict(labels), str(tools), pairs)


def note_of(spec: NodeSpec) -> NodeNote:
    """What is to be remembered of a node."""
    labels = {"role": spec.role, "control": spec.control}
    if spec.clearnet:
        labels["clearnet"] = spec.clearnet
    for process in spec.processes:
        if process.port is not None:
            labels[f"port.{process.name}"] = str(process.port)
    shared = tuple((str(Path(spec.directory) / folder), name) for folder, name in spec.shared)
    tools = spec.tools.number if spec.tools else ""
    return NodeNote(spec.fingerprint, spec.address, labels, tools, shared)


def has_sandbox(spec: NodeSpec) -> bool:
    """Whether no program may own the namespace: several share it, or it has a packet filter."""
    return len(spec.processes) > 1 or bool(spec.rules)


def is_node_program(process: ProcessSpec) -> bool:
    """An onion router or a chain, which has keys, a directory and a control socket."""
    return process.name in (NODE_PROCESS, CHAIN_PROCESS)


def network_body(ground: Ground, subnet: str, gateway: str, name: str = "") -> Body:
    """A network with no way out: the host has no address on it, either."""
    return {
        "Name": name or ground.name,
        "CheckDuplicate": True,
        "Driver": "bridge",
        "Internal": True,
        "Attachable": False,
        "IPAM": {"Driver": "default", "Config": [{"Subnet": subnet, "Gateway": gateway}]},
        "Options": {"com.docker.network.bridge.inhibit_ipv4": "true"},
        "Labels": {**ground.own_labels, f"{LABEL}network": ground.places.name},
    }


def sandbox_body(ground: Ground, spec: NodeSpec) -> Body:
    """Sleeps and holds the namespace; has what people's commands may use.

    That of an exit may set its packet filter.
    """
    note = note_of(spec)
    body = _tools(ground, spec.name, SANDBOX, note)
    if spec.rules:
        body["User"] = ROOT
        body["HostConfig"]["CapAdd"] = ["NET_ADMIN"]
        rules = _mount(str(ground.extras(spec.name) / RULES), f"{SHARED}/{RULES}", True)
        body["HostConfig"]["Mounts"].append(rules)
    return _with_namespace(body, ground, spec)


def second_leg(spec: NodeSpec) -> Body:
    """What connects an exit to the clearnet as well: of `POST /networks/ID/connect`."""
    return {"IPAMConfig": {"IPv4Address": spec.clearnet}}


def tools_body(ground: Ground, node: str, note: NodeNote, owner: str) -> Body:
    """The same in a namespace somebody else owns."""
    body = _tools(ground, node, TOOLS, note)
    body["HostConfig"]["NetworkMode"] = f"container:{owner}"
    return body


def lender_body(ground: Ground, node: str, note: NodeNote, owner: str, image: str) -> Body:
    """Sleeps until a command in it lends sockets; may open those that hear all frames of a link."""
    body = _confined(image, f"0:{ground.group}", ground.labels(node, LENDER, note))
    body |= {"Entrypoint": ["sleep", "infinity"], "Cmd": []}
    folder = str(ground.sockets(node))
    body["HostConfig"] |= {
        "CapAdd": ["NET_RAW"],
        "Mounts": [_mount(folder, str(ground.places.run))],
        "NetworkMode": f"container:{owner}",
    }
    return body


def _tools(ground: Ground, node: str, program: str, note: NodeNote) -> Body:
    user = _ids(ground.tools_user(note.shared))
    body = _confined(note.tools, user, ground.labels(node, program, note))
    body["HostConfig"]["Mounts"] = [
        _mount(folder, f"{SHARED}/{name}") for folder, name in note.shared
    ]
    return body


def program_body(
    ground: Ground, spec: NodeSpec, process: ProcessSpec, fingerprint: str, owner: str | None
) -> Body:
    """One program of a node, its command line as it was rendered.

    Args:
        ground: the network.
        spec: the node.
        process: the program.
        fingerprint: of what it is started from.
        owner: number of the container with the namespace; None: it has its own.
    """
    assert process.image is not None
    is_node = is_node_program(process)
    has_tun = is_node and spec.tun
    who = ground.node_user(spec) if is_node else ground.application_user(spec.shared)
    labels = ground.labels(spec.name, process.name, note_of(spec))
    user = _ids(who) if who is not None else ""
    body = _confined(process.image.number, user, {**labels, f"{LABEL}fingerprint": fingerprint})
    log = process.log if is_node else APPLICATION_LOG
    wrapped = ("/bin/sh", "-c", LOG_WRAPPER, "sh", f"{process.umask:03o}", log)
    argv = process.argv
    if is_node and spec.reads and not spec.is_asked:
        argv = ("/bin/sh", "-c", GATE_WRAPPER, "sh", str(Path(spec.control).parent / GATE), *argv)
    body |= {"Entrypoint": [*wrapped, *argv], "Cmd": []}
    body["HostConfig"]["Mounts"] = (
        _node_mounts(ground, spec) if is_node else _application_mounts(spec, process)
    )
    if has_tun:
        device = {"PathOnHost": TUN, "PathInContainer": TUN, "CgroupPermissions": "rwm"}
        body["HostConfig"] |= {"CapAdd": ["NET_ADMIN"], "Devices": [device]}
    if owner is not None:
        body["HostConfig"]["NetworkMode"] = f"container:{owner}"
        return body
    return _with_namespace(body, ground, spec)


def _ids(who: tuple[int, int]) -> str:
    return f"{who[0]}:{who[1]}"


def _confined(image: str, user: str, labels: Mapping[str, str]) -> Body:
    """A container that may do nothing yet."""
    return {
        "Image": image,
        "User": user,
        "Labels": dict(labels),
        "HostConfig": {
            "CapDrop": ["ALL"],
            "ReadonlyRootfs": True,
            "SecurityOpt": ["no-new-privileges"],
            "Tmpfs": {"/tmp": TMPFS},
            "PidsLimit": MOST_PROCESSES,
            "RestartPolicy": {"Name": "no"},
            "LogConfig": {"Type": "json-file", "Config": {"max-size": "1m"}},
        },
    }


def _with_namespace(body: Body, ground: Ground, spec: NodeSpec) -> Body:
    """With a network namespace of its own, at the node's address, with the node's resolver.

    `Dns` is for who asks the engine's own resolver in there: it passes on to the node as well.
    """
    network = ground.name if spec.is_on_underlay else ground.clearnet
    body["Hostname"] = spec.name
    host = body["HostConfig"]
    host |= {
        "NetworkMode": network,
        "Dns": [spec.resolver],
        "Sysctls": {**ground.sysctls, **(FORWARDING if spec.rules else {})},
    }
    resolver = _mount(str(ground.extras(spec.name) / "resolv.conf"), "/etc/resolv.conf", True)
    host["Mounts"] = [*host.get("Mounts", []), resolver]
    endpoint = {"IPAMConfig": {"IPv4Address": spec.address}}
    body["NetworkingConfig"] = {"EndpointsConfig": {network: endpoint}}
    return body


def _node_mounts(ground: Ground, spec: NodeSpec) -> list[Body]:
    contacts = ground.extras(spec.name)
    return [
        _mount(spec.directory, spec.directory),
        _mount(str(ground.sockets(spec.name)), str(Path(spec.control).parent)),
        *(_mount(str(contacts / contact_copy(path)), path, True) for path in spec.reads),
    ]


def contact_copy(path: str) -> str:
    """The name of the copy of somebody's contact, which everybody may read."""
    return f"contact-{Path(path).parent.name}"


def _application_mounts(spec: NodeSpec, process: ProcessSpec) -> list[Body]:
    shared = [
        _mount(str(Path(spec.directory) / folder), f"{SHARED}/{name}")
        for folder, name in spec.shared
    ]
    return [*shared, _mount(process.log, APPLICATION_LOG)]


def _mount(source: str, target: str, read_only: bool = False) -> Body:
    return {"Type": "bind", "Source": source, "Target": target, "ReadOnly": read_only}
