"""Route netlink (RFC 3549): requests to the kernel's tables of interfaces, addresses and routes.

Few requests are needed, so there is no library and no child process. A message is
`length 4 | type 2 | flags 2 | sequence 4 | port 4`, a family header and attributes
`length 2 | type 2 | value`, everything in the host's byte order and padded to 4 bytes.
"""

from __future__ import annotations

import errno
import os
import socket
from collections.abc import Iterator
from struct import Struct
from typing import Final

# linux/netlink.h
_HEADER: Final = Struct("=IHHII")
_ATTRIBUTE: Final = Struct("=HH")
_ERROR: Final = Struct("=i")
_NUMBER: Final = Struct("=I")
_MESSAGE_ERROR: Final = 2
_MESSAGE_DONE: Final = 3
_READ: Final = 1 << 16

REQUEST: Final = 0x1
ACKNOWLEDGE: Final = 0x4
DUMP: Final = 0x300
CREATE: Final = 0x400


def ask(kind: int, flags: int, body: bytes) -> Iterator[tuple[int, bytes]]:
    """Send one request; the messages of its answer as (type, rest). OSError: the kernel's."""
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, socket.NETLINK_ROUTE) as netlink:
        netlink.send(_HEADER.pack(_HEADER.size + len(body), kind, flags | REQUEST, 1, 0) + body)
        while True:
            data = netlink.recv(_READ)
            while len(data) >= _HEADER.size:
                size, answer, _, _, _ = _HEADER.unpack_from(data)
                message = data[_HEADER.size : size]
                data = data[padded(size) :]
                if answer == _MESSAGE_ERROR:
                    code: int = -_ERROR.unpack_from(message)[0]
                    if code:
                        raise OSError(code, os.strerror(code))
                    return
                if answer == _MESSAGE_DONE:
                    return
                yield answer, message


class Notices:
    """That something changed, as the kernel tells of its own accord."""

    def __init__(self, groups: int) -> None:
        """`groups` are RTMGRP_ bits of linux/rtnetlink.h. OSError: no netlink."""
        self._socket = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, socket.NETLINK_ROUTE)
        self._socket.setblocking(False)
        try:
            self._socket.bind((0, groups))
        except OSError:
            self._socket.close()
            raise

    def fileno(self) -> int:
        """Readable when something changed; then `drain`."""
        return self._socket.fileno()

    def drain(self) -> None:
        """Forget what was told: whoever is told looks for himself. OSError: closed."""
        while True:
            try:
                self._socket.recv(_READ)
            except BlockingIOError:
                return
            except OSError as error:
                # More was told than the socket holds: all the more reason to look.
                if error.errno != errno.ENOBUFS:
                    raise

    def close(self) -> None:
        """Hear no more."""
        self._socket.close()


def tell(kind: int, flags: int, body: bytes) -> None:
    """Send one request that only succeeds or fails. OSError: the kernel's."""
    for _ in ask(kind, flags | ACKNOWLEDGE, body):
        pass


def attribute(kind: int, value: bytes) -> bytes:
    """One attribute, padded."""
    size = _ATTRIBUTE.size + len(value)
    return _ATTRIBUTE.pack(size, kind) + value + bytes(padded(size) - size)


def number(value: int) -> bytes:
    """The value of an attribute of 32 bits."""
    return _NUMBER.pack(value)


def read_number(value: bytes) -> int:
    """An attribute of 32 bits."""
    found: int = _NUMBER.unpack(value)[0]
    return found


def attributes(data: bytes) -> Iterator[tuple[int, bytes]]:
    """The attributes behind a family header. OSError: they contradict their lengths."""
    while len(data) >= _ATTRIBUTE.size:
        size, kind = _ATTRIBUTE.unpack_from(data)
        if size < _ATTRIBUTE.size:
            raise OSError(errno.EBADMSG, os.strerror(errno.EBADMSG))
        yield kind, data[_ATTRIBUTE.size : size]
        data = data[padded(size) :]


def padded(size: int) -> int:
    """Up to the next multiple of 4 bytes."""
    return (size + 3) & ~3
