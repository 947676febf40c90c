"""What the node asks the kernel about interfaces: drivers/netlink.py says how.

The limits of a device's super-packets and its IPv6 address, which no ioctl here knows, and the
address ranges that are taken.
"""

from __future__ import annotations

import socket
from ipaddress import IPv6Interface
from struct import Struct
from typing import Final

from lokinet_node.base.addresses import Range
from lokinet_node.base.errors import OperatorError
from lokinet_node.drivers.netlink import CREATE, DUMP, ask, attribute, attributes, number, tell

# linux/rtnetlink.h, linux/if_link.h, linux/if_addr.h
_LINK: Final = Struct("=BxHiII")  # family, device type, index, flags, change
_ADDRESS: Final = Struct("=BBBBI")  # family, prefix, flags, scope, index
_NEW_LINK: Final = 16
_NEW_ADDRESS: Final = 20
_GET_ADDRESS: Final = 22
_TX_QUEUE_LENGTH: Final = 13
_GSO_MAX_SEGMENTS: Final = 40
_LOCAL: Final = 2
_IPV6_ADDRESS: Final = 1
_NO_DUPLICATES: Final = 2
"""Do not ask the link whether somebody has it."""

_CANDIDATES: Final = (
    *((172 << 24 | second << 16 | 1, 16) for second in range(16, 32)),
    *((10 << 24 | second << 16 | 1, 16) for second in range(256)),
    *((192 << 24 | 168 << 16 | third << 8 | 1, 24) for third in range(256)),
)
"""Lokinet's order in which private ranges are tried; the own address is the first of each."""


def limit_super_packets(name: str, segments: int, queue: int) -> None:
    """Most segments of one TSO or USO packet, and packets a device queues. OSError: refused."""
    body = _LINK.pack(socket.AF_UNSPEC, 0, socket.if_nametoindex(name), 0, 0)
    body += attribute(_GSO_MAX_SEGMENTS, number(segments))
    body += attribute(_TX_QUEUE_LENGTH, number(queue))
    tell(_NEW_LINK, 0, body)


def used_ranges() -> list[Range]:
    """Every IPv4 address of every interface of this network namespace, with its prefix."""
    ranges = []
    body = _ADDRESS.pack(socket.AF_INET, 0, 0, 0, 0)
    for kind, message in ask(_GET_ADDRESS, DUMP, body):
        family, prefix, _, _, _ = _ADDRESS.unpack_from(message)
        local = dict(attributes(message[_ADDRESS.size :])).get(_LOCAL)
        if kind == _NEW_ADDRESS and family == socket.AF_INET and local is not None:
            ranges.append(Range(int.from_bytes(local, "big"), prefix))
    return ranges


def used_ranges6() -> list[IPv6Interface]:
    """Every IPv6 address of this network namespace, with its prefix; none without IPv6."""
    found = []
    body = _ADDRESS.pack(socket.AF_INET6, 0, 0, 0, 0)
    for kind, message in ask(_GET_ADDRESS, DUMP, body):
        family, prefix, _, _, _ = _ADDRESS.unpack_from(message)
        address = dict(attributes(message[_ADDRESS.size :])).get(_IPV6_ADDRESS)
        if kind == _NEW_ADDRESS and family == socket.AF_INET6 and address is not None:
            found.append(IPv6Interface((address, prefix)))
    return found


def add_address6(name: str, address: IPv6Interface) -> None:
    """Give a device an address that nobody else can have. OSError: the kernel's."""
    head = (socket.AF_INET6, address.network.prefixlen, _NO_DUPLICATES, 0)
    body = _ADDRESS.pack(*head, socket.if_nametoindex(name))
    for kind in (_LOCAL, _IPV6_ADDRESS):
        body += attribute(kind, address.ip.packed)
    tell(_NEW_ADDRESS, CREATE, body)


def free_range(used: list[Range]) -> Range:
    """First private range that overlaps none of `used`. OperatorError: none is left."""
    for address, prefix in _CANDIDATES:
        candidate = Range(address, prefix)
        if not any(candidate.first <= one.last and one.first <= candidate.last for one in used):
            return candidate
    raise OperatorError("every private address range is taken: set ifaddr= in [network]")
