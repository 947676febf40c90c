"""What the node asks the kernel about interfaces, over route netlink (RFC 3549).

Two requests are all that is needed, so there is no library and no child process: the limits of a
device's super-packets, which no ioctl knows, and the address ranges that are taken.

A message is `length 4 | type 2 | flags 2 | sequence 4 | port 4`, a family header and attributes
`length 2 | type 2 | value`, everything in the host's byte order and padded to 4 bytes.
"""

from __future__ import annotations

import errno
import os
import socket
from collections.abc import Iterator
from struct import Struct
from typing import Final

from lokinet_node.base.addresses import Range
from lokinet_node.base.errors import OperatorError

# linux/netlink.h, linux/rtnetlink.h, linux/if_link.h, linux/if_addr.h
_HEADER: Final = Struct("=IHHII")
_ATTRIBUTE: Final = Struct("=HH")
_ERROR: Final = Struct("=i")
_LINK: Final = Struct("=BxHiII")  # family, device type, index, flags, change
_ADDRESS: Final = Struct("=BBBBI")  # family, prefix, flags, scope, index
_REQUEST: Final = 0x1
_ACKNOWLEDGE: Final = 0x4
_DUMP: Final = 0x300
_MESSAGE_ERROR: Final = 2
_MESSAGE_DONE: Final = 3
_NEW_LINK: Final = 16
_NEW_ADDRESS: Final = 20
_GET_ADDRESS: Final = 22
_TX_QUEUE_LENGTH: Final = 13
_GSO_MAX_SEGMENTS: Final = 40
_LOCAL: Final = 2
_READ: Final = 1 << 16

_CANDIDATES: Final = (
    *((172 << 24 | second << 16 | 1, 16) for second in range(16, 32)),
    *((10 << 24 | second << 16 | 1, 16) for second in range(256)),
    *((192 << 24 | 168 << 16 | third << 8 | 1, 24) for third in range(256)),
)
"""Lokinet's order in which private ranges are tried; the own address is the first of each."""


def limit_super_packets(name: str, segments: int, queue: int) -> None:
    """Most segments of one TSO or USO packet, and packets a device queues. OSError: refused."""
    body = _LINK.pack(socket.AF_UNSPEC, 0, socket.if_nametoindex(name), 0, 0)
    body += _attribute(_GSO_MAX_SEGMENTS, segments) + _attribute(_TX_QUEUE_LENGTH, queue)
    for _ in _ask(_NEW_LINK, _REQUEST | _ACKNOWLEDGE, body):
        pass


def used_ranges() -> list[Range]:
    """Every IPv4 address of every interface of this network namespace, with its prefix."""
    ranges = []
    body = _ADDRESS.pack(socket.AF_INET, 0, 0, 0, 0)
    for kind, message in _ask(_GET_ADDRESS, _REQUEST | _DUMP, body):
        family, prefix, _, _, _ = _ADDRESS.unpack_from(message)
        local = dict(_attributes(message[_ADDRESS.size :])).get(_LOCAL)
        if kind == _NEW_ADDRESS and family == socket.AF_INET and local is not None:
            ranges.append(Range(int.from_bytes(local, "big"), prefix))
    return ranges


def free_range(used: list[Range]) -> Range:
    """First private range that overlaps none of `used`. OperatorError: none is left."""
    for address, prefix in _CANDIDATES:
        candidate = Range(address, prefix)
        if not any(candidate.first <= one.last and one.first <= candidate.last for one in used):
            return candidate
    raise OperatorError("every private address range is taken: set ifaddr= in [network]")


def _ask(kind: int, flags: int, body: bytes) -> Iterator[tuple[int, bytes]]:
    """Send one request; the messages of its answer as (type, rest). OSError: the kernel's."""
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, socket.NETLINK_ROUTE) as netlink:
        netlink.send(_HEADER.pack(_HEADER.size + len(body), kind, flags, 1, 0) + body)
        while True:
            data = netlink.recv(_READ)
            while len(data) >= _HEADER.size:
                size, answer, _, _, _ = _HEADER.unpack_from(data)
                message = data[_HEADER.size : size]
                data = data[_padded(size) :]
                if answer == _MESSAGE_ERROR:
                    code: int = -_ERROR.unpack_from(message)[0]
                    if code:
                        raise OSError(code, os.strerror(code))
                    return
                if answer == _MESSAGE_DONE:
                    return
                yield answer, message


def _attribute(kind: int, value: int) -> bytes:
    return Struct("=HHI").pack(_ATTRIBUTE.size + 4, kind, value)


def _attributes(data: bytes) -> Iterator[tuple[int, bytes]]:
    while len(data) >= _ATTRIBUTE.size:
        size, kind = _ATTRIBUTE.unpack_from(data)
        if size < _ATTRIBUTE.size:
            raise OSError(errno.EBADMSG, os.strerror(errno.EBADMSG))
        yield kind, data[_ATTRIBUTE.size : size]
        data = data[_padded(size) :]


def _padded(size: int) -> int:
    return (size + 3) & ~3
