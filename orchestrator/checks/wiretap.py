"""A tap at a node's tun, or at its link: the datagrams between a server's port and its clients.

Every node of a network has the same clock, so what was seen at two of them can be subtracted.
"""

from __future__ import annotations

import contextlib
import socket
import struct
from collections import Counter
from dataclasses import dataclass, field
from ipaddress import IPv4Address

from orchestrator.checks.network import Network

__all__ = ["ETHERNET", "LINK", "Datagram", "Wiretap", "datagrams_of"]

ETH_P_ALL = 0x0003
"""With any other only what comes is seen, not what goes."""
LINK = "eth0"
"""Of every node to the others."""
ETHERNET = 14
"""Bytes of its header before each packet; a tun has none."""
IPV4 = 4
SOL_PACKET = 263
PACKET_STATISTICS = 6
PACKET_VNET_HDR = 15
STATISTICS = struct.Struct("=II")
SO_RCVBUFFORCE = 33
SO_TIMESTAMPNS = 35
"""The old one, with the native long."""
TIMESPEC = struct.Struct("@ll")
ROOM_BYTES = 8 << 20
"""For some 10 s of voice of many; a look empties it."""
LARGEST_FRAME = 1 << 17
# linux/virtio_net.h: flags, gso type, header length, gso size, checksum start and offset
VIRTIO_HEADER = struct.Struct("=BBHHHH")
UDP_HEADER = 8


@dataclass(frozen=True, slots=True)
class Datagram:
    """One of UDP, as a node's tun had it."""

    at_us: int
    """Since the epoch, by the kernel."""
    is_to_server: bool
    peer: str
    """Whoever is not the server, by the address it has here."""
    payload: bytes


@dataclass(slots=True)
class Wiretap:
    """A capture that runs from the moment it was made; `look` brings it up to date."""

    tap: socket.socket
    port: int
    datagrams: list[Datagram] = field(default_factory=list)
    tcp_bytes: Counter[tuple[str, bool]] = field(default_factory=Counter)
    """Payload, by peer and whether it went to the server."""
    missed: int = 0
    """Frames that came while there was no room."""
    link_header: int = 0
    """Bytes before each packet; a tun has none."""

    @classmethod
    def at(cls, network: Network, node: str, port: int, is_bare: bool = False) -> Wiretap:
        """Begin; raises CheckFailed if the node has no tun.

        Args:
            network: that is up.
            node: one of it.
            port: of the server.
            is_bare: what goes without Lokinet is looked at, on the node's link.
        """
        tap = network.socket(node, "packet")
        tap.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, ROOM_BYTES)
        with contextlib.suppress(PermissionError):  # without root, within the machine's limit
            tap.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, ROOM_BYTES)
        tap.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
        tap.setsockopt(SOL_PACKET, PACKET_VNET_HDR, 1)  # says where joined datagrams are joined
        tap.bind((LINK if is_bare else network.tun(node), ETH_P_ALL))
        tap.setblocking(False)
        return cls(tap, port, link_header=ETHERNET if is_bare else 0)

    def look(self) -> None:
        """Take what has come since."""
        while True:
            try:
                frame, ancillary, _, _ = self.tap.recvmsg(LARGEST_FRAME, 64)
            except BlockingIOError:
                break
            stamp = next(data for _, kind, data in ancillary if kind == SO_TIMESTAMPNS)
            seconds, nanoseconds = TIMESPEC.unpack_from(stamp)
            self._take(seconds * 1_000_000 + nanoseconds // 1000, frame)
        raw = self.tap.getsockopt(SOL_PACKET, PACKET_STATISTICS, STATISTICS.size)
        self.missed += int(STATISTICS.unpack(raw)[1])

    def close(self) -> None:
        """End it; what was seen stays."""
        self.tap.close()

    def _take(self, at_us: int, frame: bytes) -> None:
        segment = VIRTIO_HEADER.unpack_from(frame)[3]
        packet = frame[VIRTIO_HEADER.size + self.link_header :]
        if not packet or packet[0] >> 4 != IPV4:
            return  # also ARP, which begins with a zero
        header = (packet[0] & 0x0F) * 4
        source, target = struct.unpack_from("!HH", packet, header)
        if self.port not in (source, target):
            return
        is_to_server = target == self.port
        peer = str(IPv4Address(packet[12:16] if is_to_server else packet[16:20]))
        if packet[9] == socket.IPPROTO_TCP:
            length = int.from_bytes(packet[2:4], "big") or len(packet)
            payload = length - header - (packet[header + 12] >> 4) * 4
            self.tcp_bytes[peer, is_to_server] += payload
        elif packet[9] == socket.IPPROTO_UDP:
            self.datagrams += [
                Datagram(at_us, is_to_server, peer, payload)
                for payload in datagrams_of(packet[header + UDP_HEADER :], segment)
            ]


def datagrams_of(payload: bytes, segment: int) -> list[bytes]:
    """The datagrams of which this is the payload; 0: it is one."""
    if not segment:
        return [payload]
    return [payload[at : at + segment] for at in range(0, len(payload), segment)]
