"""Hot: the one socket to other nodes: a burst is one read from one sender, one send to one peer.

- Unconnected, bound to one address of the underlay, never to the wildcard (which would be
  reachable through the tun).
- UDP_GRO in, UDP_SEGMENT out: the kernel keeps up to 47 equal datagrams together, across veth,
  bridge and loopback. Where it refuses to send so, datagrams leave one by one from then on.
- Single datagrams from one sender are gathered into the rows of one burst; one that comes after a
  lone one is handed on before anybody looks what is behind it.
- IP_RECVERR: an ICMP error makes the next call fail, whoever that call is for. So a failed send
  is repeated once with the same bytes, and which peer an error was about is read from what it
  quotes. It is a hint, never a verdict: anybody can forge it.
- IP_PMTUDISC_PROBE: *don't fragment* is set, and no forged "fragmentation needed" is believed.
- What cannot be sent is dropped and counted; sealed bytes are never kept for later.

Nothing here looks into a datagram. Bytes of another size cannot be told from ours when a sender
sends several such together; they fail to open, as anything forged does.
"""

from __future__ import annotations

import errno
import fcntl
import os
import socket
from collections.abc import Callable
from struct import Struct
from typing import Final, TypeAlias

from lokinet_node.base.errors import OperatorError
from lokinet_node.burst import DATAGRAM, ROWS, Datagrams

Address: TypeAlias = tuple[str, int]
"""Dotted IPv4 address and port."""

DROPS: Final = (
    "odd-size",  # received bytes that are no whole datagram of ours
    "send-full",  # the send buffer or the device's queue is full
    "send-too-large",  # the way has an MTU below 1404
    "send-failed",  # no route, forbidden, or the device is gone
)

GATHER_LIMIT: Final = 16
"""A read of more datagrams than this is worth handling at once."""

HINTS: Final = 64
"""Most errors taken in one turn; the rest stays queued."""

BUFFER: Final = 4 << 20
"""Bytes asked for each way: about sixty bursts, some 30 ms of a busy relay."""

# linux/udp.h and linux/in.h; the socket module does not name them all
_SOL_UDP: Final = 17
_UDP_SEGMENT: Final = 103
_UDP_GRO: Final = 104
_IP_MTU_DISCOVER: Final = 10
_IP_PMTUDISC_PROBE: Final = 3
_IP_RECVERR: Final = 11
_SO_SNDBUFFORCE: Final = 32
_SO_RCVBUFFORCE: Final = 33
_FIONREAD: Final = 0x541B
_NOTHING: Final = bytes(4)
_MSG_ERRQUEUE: Final = 0x2000
_LOOK: Final = socket.MSG_PEEK | socket.MSG_TRUNC  # the sender and the whole size
_ORIGIN_ICMP: Final = 2
_DESTINATION_UNREACHABLE: Final = 3
_FRAGMENTATION_NEEDED: Final = 4
# sock_extended_err of linux/errqueue.h: errno, origin, type, code, pad, info, data
_EXTENDED_ERROR: Final = Struct("=IBBBBII")


class UdpSocket:
    """A non-blocking socket for bursts of datagrams of 1376 bytes."""

    __slots__ = (
        "_comes_alone",
        "_fd",
        "_is_dry",
        "_is_first",
        "_next",
        "_recvfrom_into",
        "_sendto",
        "_socket",
        "address",
        "drops",
        "may_have_hints",
        "segments",
    )

    def __init__(self, address: Address) -> None:
        """Bind to an address of this host, port 0: any free one. OperatorError when it is not."""
        self.drops = dict.fromkeys(DROPS, 0)
        self._socket = sock = _bound(address)
        self.address: Address = sock.getsockname()
        sock.setblocking(False)
        _set_buffer(sock, _SO_SNDBUFFORCE, socket.SO_SNDBUF)
        _set_buffer(sock, _SO_RCVBUFFORCE, socket.SO_RCVBUF)
        sock.setsockopt(socket.IPPROTO_IP, _IP_RECVERR, 1)
        sock.setsockopt(socket.IPPROTO_IP, _IP_MTU_DISCOVER, _IP_PMTUDISC_PROBE)
        self.segments = _try_option(sock, _UDP_SEGMENT, DATAGRAM)
        _try_option(sock, _UDP_GRO, 1)
        self._fd = sock.fileno()
        self._recvfrom_into = sock.recvfrom_into
        self._sendto: Callable[[memoryview, Address], object] = sock.sendto
        self._next = bytearray(4)
        self._is_first = True
        """Whether the next read follows a wait."""
        self._is_dry = False
        """Whether nothing lay behind the last read."""
        self._comes_alone = False
        """Whether the last turn was one read of few datagrams, as far as is known."""
        self.may_have_hints = False
        """Whether an error may be queued, for `take_hints`."""

    def fileno(self) -> int:
        """The descriptor, to wait for readability."""
        return self._socket.fileno()

    def close(self) -> None:
        """Give the port back."""
        self._socket.close()

    # --- in

    def receive(self, burst: Datagrams) -> tuple[int, Address] | None:
        """Fill rows from 0 on with datagrams of one sender: (how many, who); None: nothing left.

        0 datagrams: what was read is none of ours. After None, wait for readability: more may
        have come already, which is not looked for twice.
        """
        is_first = self._is_first
        if not is_first and (self._is_dry or self._is_empty()):
            self._is_first = True
            return None
        self._is_first = self._is_dry = False
        try:
            size, address = self._recvfrom_into(burst.buffer)
        except BlockingIOError:
            # Woken without anything to read: that is how queued errors show.
            self.may_have_hints |= is_first
            self._is_first = True
            return None
        except OSError:
            self.may_have_hints = True
            return 0, self.address
        came_alone, self._comes_alone = self._comes_alone, False
        count: int = size // DATAGRAM
        if not 0 < count <= ROWS or size != count * DATAGRAM:
            self.drops["odd-size"] += 1
            return min(count, ROWS), address
        if is_first and came_alone and count <= GATHER_LIMIT:
            # As the last one: this goes on before we look, and the next too if nothing follows.
            self._comes_alone = True
        elif count <= GATHER_LIMIT:
            alone, count = count, self._gather(burst, count, address)
            self._comes_alone = is_first and self._is_dry and count == alone
        return count, address

    def _is_empty(self) -> bool:
        """Whether nothing can be read: much cheaper than the exception of a read in vain."""
        fcntl.ioctl(self._fd, _FIONREAD, self._next)
        return self._next == _NOTHING

    def _gather(self, burst: Datagrams, count: int, address: Address) -> int:
        """Read on while the next datagrams are from the same sender and have room.

        Each is looked at before it is read, so that nothing read waits for the next call.
        """
        self._is_dry = self._is_empty()
        try:
            while count < ROWS and not self._is_dry:
                size, sender = self._recvfrom_into(self._next, 1, _LOOK)
                more = size // DATAGRAM
                if sender != address or not 0 < more <= ROWS - count or size != more * DATAGRAM:
                    break
                self._recvfrom_into(burst.view[count * DATAGRAM :])
                count += more
        except BlockingIOError:
            self._is_dry = True
        except OSError:
            self.may_have_hints = True
        return count

    # --- out

    def send(self, address: Address, view: memoryview) -> None:
        """Send whole datagrams to one peer; dropped and counted when that fails."""
        try:
            self._sendto(view, address)
        except OSError as error:
            self._send_again(address, view, error)

    def _send_again(self, address: Address, view: memoryview, error: OSError) -> None:
        if error.errno not in _FULL:
            # The error may be about another peer, and the call has cleared it.
            self.may_have_hints = True
            try:
                self._sendto(view, address)
            except OSError as again:
                error = again
            else:
                return
            if len(view) > DATAGRAM and error.errno in _SEGMENTATION:
                self._send_singly(address, view)
                return
        self._count(error, len(view) // DATAGRAM)

    def _send_singly(self, address: Address, view: memoryview) -> None:
        """The way does not take bursts: remember it, if single datagrams do get through."""
        _try_option(self._socket, _UDP_SEGMENT, 0)
        failed = 0
        for start in range(0, len(view), DATAGRAM):
            failed += self._send_one(address, view[start : start + DATAGRAM])
        if not failed:
            self.segments = False
            self._sendto = self._sendto_each
        elif self.segments:
            _try_option(self._socket, _UDP_SEGMENT, DATAGRAM)

    def _send_one(self, address: Address, datagram: memoryview) -> int:
        """1 when it could not be sent, else 0."""
        try:
            self._socket.sendto(datagram, address)
        except OSError as error:
            self._count(error, 1)
            return 1
        return 0

    def _sendto_each(self, view: memoryview, address: Address) -> int:
        for start in range(0, len(view), DATAGRAM):
            self._send_one(address, view[start : start + DATAGRAM])
        return len(view)

    def _count(self, error: OSError, datagrams: int) -> None:
        if error.errno in _FULL:
            self.drops["send-full"] += datagrams
        elif error.errno == errno.EMSGSIZE:
            self.drops["send-too-large"] += datagrams
        else:
            self.drops["send-failed"] += datagrams

    # --- hints

    def take_hints(self) -> list[Address]:
        """Peers that an ICMP error said were unreachable, each once.

        To be called after a turn if there may be any: those left keep the socket readable.
        """
        hints: dict[Address, None] = {}
        budget = HINTS
        while self.may_have_hints and budget:
            budget -= 1
            address = self._next_hint()
            if address is not None:
                hints[address] = None
        return list(hints)

    def _next_hint(self) -> Address | None:
        """Whom the next queued error is about, if anybody."""
        address: Address
        try:
            _, ancillary, _, address = self._socket.recvmsg(1, 256, _MSG_ERRQUEUE)
        except BlockingIOError:
            self.may_have_hints = False
            return None
        except OSError:
            return None  # an error that was pending; reading it has cleared it
        return address if _is_about_peer(ancillary) else None


_FULL: Final = frozenset({errno.EAGAIN, errno.ENOBUFS, errno.ENOMEM})
_SEGMENTATION: Final = frozenset({errno.EINVAL, errno.EIO, errno.EMSGSIZE, errno.EOPNOTSUPP})


def source_towards(ip: str) -> str:
    """The address of this host from which packets to `ip` leave. OperatorError: no route."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect((ip, 9))  # sends nothing: it only chooses a route
        except OSError as error:
            reason = os.strerror(error.errno or 0)
            raise OperatorError(f"no route to {ip}: {reason}; is the interface up?") from error
        source: str = probe.getsockname()[0]
        return source


def _is_about_peer(ancillary: list[tuple[int, int, bytes]]) -> bool:
    """Whether a queued error came by ICMP; what is too large says nothing about the peer."""
    for level, kind, data in ancillary:
        if (level, kind) == (socket.IPPROTO_IP, _IP_RECVERR):
            _, origin, icmp_type, code, _, _, _ = _EXTENDED_ERROR.unpack_from(data)
            about_size = (icmp_type, code) == (_DESTINATION_UNREACHABLE, _FRAGMENTATION_NEEDED)
            return origin == _ORIGIN_ICMP and not about_size
    return False


def _bound(address: Address) -> socket.socket:
    ip, port = address
    if ip == socket.inet_ntoa(bytes(4)):
        raise OperatorError(
            f"the link socket needs one address of this host, not {ip}: a socket on all addresses"
            " could be reached through the tun"
        )
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC)
    try:
        sock.bind(address)
    except OSError as error:
        sock.close()
        hint = _HINTS.get(error.errno or 0, "")
        raise OperatorError(f"{ip}:{port}: {os.strerror(error.errno or 0)}{hint}") from error
    return sock


def _set_buffer(sock: socket.socket, force: int, plain: int) -> None:
    """As large as permitted; beyond net.core.{r,w}mem_max only with CAP_NET_ADMIN."""
    try:
        sock.setsockopt(socket.SOL_SOCKET, force, BUFFER)
    except PermissionError:
        sock.setsockopt(socket.SOL_SOCKET, plain, BUFFER)


def _try_option(sock: socket.socket, option: int, value: int) -> bool:
    """False where the kernel is older than the option (4.18: segmentation, 5.0: GRO)."""
    try:
        sock.setsockopt(_SOL_UDP, option, value)
    except OSError:
        return False
    return True


_HINTS: Final = {
    errno.EADDRINUSE: "; is another node running on this port?",
    errno.EADDRNOTAVAIL: "; no interface of this host has this address",
    errno.EACCES: "; ports below 1024 need CAP_NET_BIND_SERVICE",
}
