"""What can be done to a network and what can be seen of it: plain values, no decision, no effect.

An `Op` is one atomic, idempotent act of a backend. `Desired` is what `render` makes of a topology,
`Observed` what a backend finds; `plan` compares the two.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from orchestrator.content import Content
from orchestrator.registry import ObservedRegistry, RegisterRouters, Registry, SettleNames

__all__ = [
    "CHAIN_PROCESS",
    "CLEARNET_PREFIX_LENGTH",
    "CreateKeys",
    "CreateNetwork",
    "CreateNode",
    "Desired",
    "ForgetProcess",
    "Image",
    "KeyRequest",
    "NodeSpec",
    "Observed",
    "ObservedNode",
    "ObservedProcess",
    "Op",
    "ProcessSpec",
    "RegisterRouters",
    "RemoveKeys",
    "RemoveNetwork",
    "RemoveNode",
    "Role",
    "SettleNames",
    "SignalProcess",
    "StartProcess",
    "StopProcess",
    "describe",
    "subject",
]

Role = Literal["router", "service", "client", "chain", "exit", "server"]
NODE_PROCESS = "lokinet"
"""The name of the onion router's process on every node; applications have their own names."""
CHAIN_PROCESS = "oxend"
"""What runs on the chain's node instead."""
CLEARNET_PREFIX_LENGTH = 24


@dataclass(frozen=True, slots=True)
class KeyRequest:
    """Keys one node must have before it starts; `path` is a router's directory or a file."""

    node: str
    kind: Literal["router", "service"]
    path: str
    netid: str = ""
    public_address: str = ""


@dataclass(frozen=True, slots=True)
class Image:
    """What a container is made of: the name it goes by, and the content it names now."""

    name: str
    number: str
    """`sha256:…`; another one after a build."""


@dataclass(frozen=True, slots=True)
class ProcessSpec:
    """One program of a node: started by argv, restarted when that or its files change."""

    name: str
    argv: tuple[str, ...]
    log: str
    """Where its output goes, absolute."""
    port: int | None = None
    """Where it answers TCP, if it does."""
    fetch: str | None = None
    """The path of a page it serves, if it does."""
    nursery: tuple[str, ...] = ()
    """Command of a warm parent that can fork it, told `argv[-1]`; empty: always run by argv."""
    files: tuple[str, ...] = ()
    """Which of its node's files it reads when it starts; a folder stands for all in it."""
    writes: tuple[str, ...] = ()
    """Folders in its node's directory into which it writes after it dropped its rights."""
    content: tuple[Content, ...] = ()
    """What is made on this machine before it starts, where it is not there yet."""
    umask: int = 0o077
    """What it writes is its own, unless it is an application that may drop its rights."""
    image: Image | None = None
    """Where programs come from images; None: from this machine."""


@dataclass(frozen=True, slots=True)
class NodeSpec:
    """One node: a namespace with an address on the underlay or the clearnet, files, programs."""

    name: str
    role: Role
    address: str
    directory: str
    control: str
    """The node's control socket."""
    files: Mapping[str, str]
    """Text by path relative to `directory`."""
    shared: tuple[tuple[str, str], ...]
    """(path in `directory`, name under /run/testnet) for what unprivileged applications read."""
    processes: tuple[ProcessSpec, ...]
    resolver: str
    fingerprint: str
    """Of what its namespaces are made of; programs have their own."""
    key: KeyRequest | None = None
    tun: bool = False
    """Its onion router makes a tun device."""
    reads: tuple[str, ...] = ()
    """Files of other nodes that it reads, absolute."""
    is_asked: bool = False
    """Others read a file of it and ask it first."""
    tools: Image | None = None
    """Where programs come from images: what people run in it comes from this one."""
    clearnet: str = ""
    """Its address on the clearnet: of a server the same as `address`, of an exit one more."""
    rules: str = ""
    """Its packet filter, in nftables' language; who has one forwards packets."""

    @property
    def is_on_underlay(self) -> bool:
        """All but servers."""
        return self.address != self.clearnet


@dataclass(frozen=True, slots=True)
class Desired:
    """The whole network as it should be."""

    name: str
    prefix_length: int
    nodes: tuple[NodeSpec, ...]
    nursery: tuple[str, ...] = ()
    """Command of the nursery its nodes will be forked from."""
    registry: Registry | None = None
    """What its chain should hold, where it has one."""


@dataclass(frozen=True, slots=True)
class ObservedProcess:
    """A program as it is; `exit_code` is None while it runs, negative for a signal."""

    pid: int
    started_us: int
    exit_code: int | None = None
    fingerprint: str = ""
    """What it was started from."""
    stopped: bool = False
    """It ended because somebody asked for that."""


@dataclass(frozen=True, slots=True)
class ObservedNode:
    """A node as it is; `labels` are those it was created with."""

    fingerprint: str
    address: str
    labels: Mapping[str, str] = field(default_factory=dict)
    processes: Mapping[str, ObservedProcess] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Observed:
    """The whole network as it is."""

    exists: bool = False
    nodes: Mapping[str, ObservedNode] = field(default_factory=dict)
    keys: frozenset[str] = frozenset()
    """Nodes whose keys exist."""
    registry: ObservedRegistry | None = None
    """What the chain holds; None where nobody looked."""


@dataclass(frozen=True, slots=True)
class CreateKeys:
    """Make the keys that are missing; those that exist stay."""

    requests: tuple[KeyRequest, ...]


@dataclass(frozen=True, slots=True)
class CreateNetwork:
    """Make the place all nodes live in, with no way out."""

    name: str
    nursery: tuple[str, ...] = ()
    """Command of the nursery to warm up at once."""


@dataclass(frozen=True, slots=True)
class CreateNode:
    """Make a node's namespace, with its link, address and shared directories."""

    spec: NodeSpec
    prefix_length: int


@dataclass(frozen=True, slots=True)
class StartProcess:
    """Start one program of a node that exists."""

    node: str
    process: ProcessSpec
    files: Mapping[str, str] = field(default_factory=dict)
    """Written before: text by path relative to the node's directory."""
    shared: tuple[str, ...] = ()
    """Folders whose files unprivileged applications read."""
    fingerprint: str = ""
    spec: NodeSpec | None = None
    """The whole node: for places where a program has surroundings of its own."""


@dataclass(frozen=True, slots=True)
class StopProcess:
    """End one program: asked first, killed if it does not go."""

    node: str
    process: str


@dataclass(frozen=True, slots=True)
class ForgetProcess:
    """End one program that its node has no more."""

    node: str
    process: str


@dataclass(frozen=True, slots=True)
class SignalProcess:
    """Send one program, and what it started in its process group, a signal."""

    node: str
    process: str
    number: int


@dataclass(frozen=True, slots=True)
class RemoveKeys:
    """Take a node's identity and everything it remembers away."""

    node: str


@dataclass(frozen=True, slots=True)
class RemoveNode:
    """Take a node away: its programs, its namespace and link. Its keys stay."""

    node: str


@dataclass(frozen=True, slots=True)
class RemoveNetwork:
    """Take everything away."""

    name: str


Op = (
    CreateKeys
    | CreateNetwork
    | CreateNode
    | StartProcess
    | StopProcess
    | ForgetProcess
    | SignalProcess
    | RemoveKeys
    | RemoveNode
    | RemoveNetwork
    | RegisterRouters
    | SettleNames
)


def subject(op: Op) -> str:  # noqa: PLR0911 -- one return for each kind of thing
    """What an op is about, as printed in plans: `node:alice`, `process:web/nginx`."""
    match op:
        case CreateKeys(requests):
            return f"keys:{len(requests)}"
        case CreateNetwork(name=name) | RemoveNetwork(name):
            return f"network:{name}"
        case CreateNode(spec):
            return f"node:{spec.name}"
        case StartProcess(node, process):
            return f"process:{node}/{process.name}"
        case (
            StopProcess(node, process_name)
            | ForgetProcess(node, process_name)
            | SignalProcess(node, process_name)
        ):
            return f"process:{node}/{process_name}"
        case RemoveNode(node):
            return f"node:{node}"
        case RemoveKeys(node):
            return f"keys:{node}"
        case RegisterRouters(_, routers, retired):
            return f"routers:{len(routers) + len(retired)}"
        case SettleNames(_, names):
            return f"names:{','.join(spec.name for spec in names)}"


def describe(op: Op) -> str:
    """One op in a few words: `CreateNode node:alice`."""
    return f"{type(op).__name__} {subject(op)}"
