"""What keeps a network's packets inside, done for a plain user by errands, over netlink.

Root writes /proc/sys and enters namespaces for the same.
"""

from __future__ import annotations

import errno
from collections.abc import Mapping

from orchestrator.engine.client import Engine, Refused
from orchestrator.engine.errand import run_errand
from orchestrator.engine.images import PYTHON
from orchestrator.errors import CheckFailed

__all__ = ["drop_default_route", "filter_sources"]

ASK = """
import socket, struct, sys
REQUEST_AND_ACK = 5
def ask(kind, request):
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0) as channel:
        head = struct.pack("=IHHII", 16 + len(request), kind, REQUEST_AND_ACK, 1, 0)
        channel.send(head + request)
        sys.exit(-struct.unpack_from("=i", channel.recv(4096), 16)[0])
"""
"""Ends with the kernel's error number: linux/netlink.h."""
FILTER = """
def attribute(kind, data):
    return struct.pack("=HH", 4 + len(data), kind) + data
AF_INET, IFLA_AF_SPEC, IFLA_INET_CONF, RP_FILTER, RTM_SETLINK = 2, 26, 1, 8, 19
setting = attribute(IFLA_INET_CONF, attribute(RP_FILTER, struct.pack("=I", 1)))
link = struct.pack("=BxHiII", 0, 0, socket.if_nametoindex(sys.argv[1]), 0, 0)
ask(RTM_SETLINK, link + attribute(IFLA_AF_SPEC, attribute(AF_INET, setting)))
"""
"""A link's source filter, which the kernel takes by netlink, too: linux/if_link.h, ip.h."""
DROP = """
AF_INET, RT_TABLE_MAIN, RT_SCOPE_NOWHERE, RTM_DELROUTE = 2, 254, 255, 25
ask(RTM_DELROUTE, struct.pack("=8BI", AF_INET, 0, 0, 0, RT_TABLE_MAIN, 0, RT_SCOPE_NOWHERE, 0, 0))
"""
"""linux/rtnetlink.h."""


def filter_sources(engine: Engine, bridge: str, labels: Mapping[str, str]) -> None:
    """Let the machine drop what comes from where no route leads; raises OperatorError.

    Args:
        engine: whose bridge it is.
        bridge: its name.
        labels: those of the network.
    """
    argv = [PYTHON, "-I", "-S", "-c", ASK + FILTER, bridge]
    code = run_errand(engine, argv, labels, ("NET_ADMIN",), network="host")
    if code != 0:
        raise CheckFailed(f"the source filter of {bridge} cannot be set: error {code}")


def drop_default_route(engine: Engine, container: str, labels: Mapping[str, str]) -> None:
    """Take the IPv4 default route out of a container's network; raises OperatorError.

    Args:
        engine: where it runs; one that ended meanwhile is fine.
        container: its number.
        labels: those of the network.
    """
    argv = [PYTHON, "-I", "-S", "-c", ASK + DROP]
    try:
        code = run_errand(engine, argv, labels, ("NET_ADMIN",), network=f"container:{container}")
    except Refused:
        found = engine.inspect(container)
        if found is not None and found["State"]["Running"]:
            raise
        return
    if code not in (0, errno.ESRCH):
        raise CheckFailed(f"the default route cannot be removed: error {code}")
