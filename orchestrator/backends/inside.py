"""Other processes' network namespaces, entered by a thread of its own for one act; and the bridge.

A thread that changed its namespace ends with the act: no other thread ever sees it. Takes
CAP_SYS_ADMIN.
"""

from __future__ import annotations

import os
import socket
import struct
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import TypeVar

from orchestrator.errors import OperatorError
from orchestrator.world import syscalls

__all__ = [
    "bridge_of",
    "close_bridge",
    "drop_default_route",
    "in_network_of",
    "silence_bridge",
    "socket_in",
]

Result = TypeVar("Result")

# linux/netlink.h and rtnetlink.h
NETLINK_ROUTE = 0
RTM_DELROUTE = 25
NLM_F_REQUEST = 0x01
NLM_F_ACK = 0x04
NLMSG_ERROR = 2
RT_TABLE_MAIN = 254
RT_SCOPE_NOWHERE = 255
HEADER = struct.Struct("=IHHII")
ROUTE = struct.Struct("=BBBBBBBBI")
ERRNO = struct.Struct("=i")
NO_SUCH_ROUTE = 3
"""ESRCH."""


def in_network_of(pid: int, act: Callable[[], Result]) -> Result:
    """Do something in a process's network namespace; raises OperatorError where it is gone."""
    done: list[Result] = []
    failed: list[Exception] = []

    def work() -> None:
        try:
            with open(f"/proc/{pid}/ns/net", "rb") as namespace:
                syscalls.setns(namespace.fileno(), syscalls.CLONE_NEWNET)
            done.append(act())
        except Exception as error:  # raised again by who waits for this thread
            failed.append(error)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    if not failed:
        return done[0]
    if isinstance(failed[0], OSError):
        why = failed[0].strerror or failed[0]
        raise OperatorError(f"the network of process {pid} cannot be entered: {why}")
    raise failed[0]


def socket_in(pid: int, family: int, kind: int) -> socket.socket:
    """A socket that lives there and is used from here."""
    return in_network_of(pid, lambda: socket.socket(family, kind | socket.SOCK_CLOEXEC))


def bridge_of(network: str) -> str:
    """The engine's way to call the bridge of a network, by the network's number."""
    return f"br-{network[:12]}"


def close_bridge(network: str) -> None:
    """Let this machine take no IPv4 packet from a network of the engine, by its number.

    Nobody has an address on the machine's end of the bridge, but it has a MAC, and whoever writes
    neighbours of its own (a node with a tun may) could send to the machine's other addresses. With
    the filter on, what comes from where no route leads is dropped. It goes with the bridge.
    """
    bridge = bridge_of(network)
    with suppress(OSError):  # an engine in another namespace: its machine has to see to it
        Path(f"/proc/sys/net/ipv4/conf/{bridge}/rp_filter").write_text("1", encoding="ascii")


def silence_bridge(network: str) -> None:
    """Take this machine's own IPv6 addresses off a network's bridge and its ports.

    Nothing of ours speaks IPv6 there; the machine would, with an address of its own on each.
    """
    bridge = Path("/sys/class/net", bridge_of(network))
    with suppress(OSError):  # an engine in another namespace: its machine has to see to it
        for link in (bridge, *(bridge / "brif").iterdir()):
            with suppress(OSError):  # it goes just now, or there is no IPv6 here
                setting = Path(f"/proc/sys/net/ipv6/conf/{link.name}/disable_ipv6")
                setting.write_text("1", encoding="ascii")


def drop_default_route(pid: int) -> None:
    """Take the IPv4 default route away, if there is one.

    Older engines give internal networks one, which leads to an address nobody has.
    """
    with in_network_of(
        pid, lambda: socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, NETLINK_ROUTE)
    ) as channel:
        route = ROUTE.pack(socket.AF_INET, 0, 0, 0, RT_TABLE_MAIN, 0, RT_SCOPE_NOWHERE, 0, 0)
        length = HEADER.size + len(route)
        flags = NLM_F_REQUEST | NLM_F_ACK
        channel.send(HEADER.pack(length, RTM_DELROUTE, flags, 1, 0) + route)
        answer = channel.recv(4096)
    _, kind, _, _, _ = HEADER.unpack_from(answer)
    code = -ERRNO.unpack_from(answer, HEADER.size)[0] if kind == NLMSG_ERROR else 0
    if code not in (0, NO_SUCH_ROUTE):
        raise OperatorError(f"the default route cannot be removed: {os.strerror(code)}")
