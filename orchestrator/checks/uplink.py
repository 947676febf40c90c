"""What leaves a node on its link to the others: watched from outside, judged frame by frame.

A frame is fine if it is ARP within the underlay, or UDP from the node's own address to a router's
port, as long as link datagrams are or a multiple of that (a burst crosses a veth in one piece).
"""

from __future__ import annotations

import contextlib
import ctypes
import socket
import struct
from collections import Counter
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network

__all__ = ["Uplink", "describe_stranger"]

DATAGRAM_BYTES = 1376
"""Of every link datagram: docs/wire.md."""
LINK_PORT = 1090
ETHERNET = 14
ETH_P_ALL = 0x0003
ETH_P_IP = 0x0800
ETH_P_ARP = 0x0806
ARP_TARGET = slice(ETHERNET + 24, ETHERNET + 28)
OUTGOING = 4
SOL_PACKET = 263
PACKET_STATISTICS = 6
STATISTICS = struct.Struct("=II")
DEVICE = "eth0"
ROOM_BYTES = 32 << 20
"""For frames that wait; the machine's own limit is a hundredth of it."""
SO_ATTACH_FILTER, SO_RCVBUFFORCE = 26, 33
INSTRUCTION = struct.Struct("=HBBI")
# linux/filter.h: code, jumps, value. Of the kind of packet (0xfffff004), only what leaves is kept
LEAVING = b"".join(
    INSTRUCTION.pack(*words)
    for words in (
        (0x30, 0, 0, 0xFFFFF004),
        (0x15, 0, 1, OUTGOING),
        (6, 0, 0, 1 << 18),
        (6, 0, 0, 0),
    )
)
LARGEST_FRAME = 1 << 17


def describe_stranger(frame: bytes, own: IPv4Address, underlay: IPv4Network) -> str | None:
    """What a frame is that must not leave; None if it may."""
    (kind,) = struct.unpack_from("!H", frame, 12)
    if kind == ETH_P_ARP:
        target = IPv4Address(frame[ARP_TARGET])
        return None if target in underlay else f"ARP for {target}"
    if kind != ETH_P_IP:
        return f"ethertype {kind:#06x}"
    packet = frame[ETHERNET:]
    header, protocol = (packet[0] & 0x0F) * 4, packet[9]
    source, target = IPv4Address(packet[12:16]), IPv4Address(packet[16:20])
    if protocol != socket.IPPROTO_UDP:
        return f"protocol {protocol} from {source} to {target}"
    if struct.unpack_from("!H", packet, 6)[0] & 0x3FFF:
        return f"a fragment from {source} to {target}"
    _, port, length = struct.unpack_from("!HHH", packet, header)
    size = length - 8
    if source != own or target not in underlay or port != LINK_PORT or size % DATAGRAM_BYTES:
        return f"{size} bytes of UDP from {source} to {target} port {port}"
    return None


@dataclass(slots=True)
class Uplink:
    """A capture that runs from the moment it was made."""

    tap: socket.socket
    own: IPv4Address
    underlay: IPv4Network

    @classmethod
    def watch(cls, tap: socket.socket, address: str) -> Uplink:
        """Begin.

        Args:
            tap: a raw packet socket in the node's network.
            address: the node's on the underlay.
        """
        tap.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, ROOM_BYTES)
        with contextlib.suppress(PermissionError):  # without root, within the machine's limit
            tap.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, ROOM_BYTES)
        # A download that comes in meanwhile must not fill the room of what goes out.
        filter_ = ctypes.create_string_buffer(LEAVING, len(LEAVING))
        count = len(LEAVING) // INSTRUCTION.size
        program = struct.pack("@HP", count, ctypes.addressof(filter_))
        tap.setsockopt(socket.SOL_SOCKET, SO_ATTACH_FILTER, program)
        tap.bind((DEVICE, ETH_P_ALL))
        tap.setblocking(False)
        return cls(tap, IPv4Address(address), IPv4Network(f"{address}/16", strict=False))

    def seen(self) -> tuple[int, Counter[str], int]:
        """Frames that left, those that should not have by what they are, and how many were missed.

        Ends the capture.
        """
        sent, strangers = 0, Counter[str]()
        while True:
            try:
                frame, address = self.tap.recvfrom(LARGEST_FRAME)
            except BlockingIOError:
                break
            if address[2] != OUTGOING:
                continue
            sent += 1
            if stranger := describe_stranger(frame, self.own, self.underlay):
                strangers[stranger] += 1
        raw = self.tap.getsockopt(SOL_PACKET, PACKET_STATISTICS, STATISTICS.size)
        return sent, strangers, int(STATISTICS.unpack(raw)[1])
