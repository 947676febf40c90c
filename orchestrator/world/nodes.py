"""Making one node's namespaces: network, mounts and host name, prepared by a short-lived child.

The child is the only one that enters half-made namespaces; if it fails, nothing of the world is
changed and the kernel frees what it began. When done it hands over three descriptors and ends.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field

from orchestrator.world import syscalls
from orchestrator.world.messages import send
from orchestrator.world.mounts import hide_run, own_file
from orchestrator.world.spawn import Namespaces, SpawnError, fork, ip_batch, run_batch

__all__ = ["BRIDGE", "Node", "NodeRequest", "Process", "start_making", "write_sysctl"]

BRIDGE = "underlay"
"""Of the links, in the world's own network namespace; no node and no uplink lives there."""
SHARED = "/run/testnet"


@dataclass(frozen=True, slots=True)
class NodeRequest:
    """What a node is made of."""

    name: str
    legs: Sequence[Sequence[str]]
    """Of each link (address with its prefix length, the bridge's end, the bridge); the node's ends
    are eth0, eth1. A bridge comes with the first link to it."""
    resolver: str
    shared: Sequence[Sequence[str]]
    """(directory, name below /run/testnet)."""
    rules: str = ""
    """Its packet filter, for `nft -f`; who has one forwards packets."""
    nft: str = ""
    """Path of the nft command, for who has a packet filter."""

    @property
    def address(self) -> str:
        """The first, without prefix length."""
        return self.legs[0][0].partition("/")[0]


@dataclass(slots=True)
class Process:
    """One program; `exit_code` is None while it runs, negative for a signal."""

    pid: int
    started_us: int
    exit_code: int | None = None
    fingerprint: str = ""
    stopped: bool = False
    """It was asked to end."""


@dataclass(slots=True)
class Node:
    """A finished node."""

    request: NodeRequest
    fingerprint: str
    labels: dict[str, str]
    namespaces: Namespaces
    processes: dict[str, Process] = field(default_factory=dict)


def start_making(ip: str, request: NodeRequest, keep: Sequence[str]) -> tuple[int, socket.socket]:
    """Start the child; its socket brings `{"ok": …}` with three descriptors, or `{"error": …}`."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)

    def child() -> None:
        try:
            _make(ip, request, keep)
            descriptors = [os.open(f"/proc/self/ns/{kind}", os.O_RDONLY) for kind in KINDS]
            send(theirs, {"ok": True}, descriptors)
        except (OSError, SpawnError) as error:
            send(theirs, {"error": str(error)})

    pid = fork(child)
    theirs.close()
    return pid, ours


KINDS = ("net", "mnt", "uts")


def _make(ip: str, request: NodeRequest, keep: Sequence[str]) -> None:
    syscalls.unshare(syscalls.CLONE_NEWNET | syscalls.CLONE_NEWNS | syscalls.CLONE_NEWUTS)
    syscalls.set_host_name(request.name)
    _own_sysfs()
    hide_run(keep, SHARED)
    for directory, name in request.shared:
        target = f"{SHARED}/{name}"
        os.makedirs(target)
        syscalls.bind(directory, target)
    own_file("/etc/resolv.conf", f"nameserver {request.resolver}\n", SHARED)
    if os.path.exists("/etc/hosts"):  # small root file systems have none, and need none
        own_file("/etc/hosts", f"127.0.0.1 localhost {request.name}\n::1 localhost\n", SHARED)
    # 0 may not be what is inherited from the host
    write_sysctl("net/ipv4/ip_forward", "1" if request.rules else "0")
    write_sysctl("net/ipv4/conf/all/rp_filter", "1")
    # TCP sizes its bursts by the pacing rate, which is low when a transfer begins, and adds up to
    # 64 KiB halved for each 2^N µs of round trip. With N = 13 (Linux 5.18 and newer; there: 9) that
    # is the whole 64 KiB up to 8 ms, so the node's tun gets batches from the first window on.
    write_sysctl("net/ipv4/tcp_tso_rtt_log", "13")
    if request.rules:  # before there is anything to forward
        run_batch([request.nft, "-f", "-"], request.rules)
    lines = ["link set lo up"]
    for number, (address, port, _) in enumerate(request.legs):
        lines += [
            # 1 is the world
            f"link add eth{number} address {_hardware(address)} type veth peer name {port} netns 1",
            f"addr add {address} brd + dev eth{number}",
        ]
    ip_batch(ip, lines)
    for number in range(len(request.legs)):
        write_sysctl(f"net/ipv6/conf/eth{number}/disable_ipv6", "1")  # both are IPv4 only
    ip_batch(ip, [f"link set eth{number} up" for number in range(len(request.legs))])


def _hardware(address: str) -> str:
    """The Ethernet address for `IP/bits`: others keep their neighbour entry of a node made anew.

    Locally administered, and as container engines make them: 02:42, then the IPv4 address.
    """
    return "02:42:" + ":".join(f"{int(part):02x}" for part in address.split("/")[0].split("."))


def write_sysctl(name: str, value: str) -> None:
    """Set a value of the current network namespace, if the kernel has it (IPv6 may be out)."""
    with suppress(FileNotFoundError), open(f"/proc/sys/{name}", "w", encoding="ascii") as file:
        file.write(value)


def _own_sysfs() -> None:
    """/sys/class/net shows the namespace it was mounted in, so each node needs its own."""
    flags = syscalls.MS_NOSUID | syscalls.MS_NODEV | syscalls.MS_NOEXEC
    # Where parts of /sys are masked the kernel refuses; only some tools would look there.
    with suppress(OSError):
        syscalls.mount("sysfs", "/sys", "sysfs", flags)
