"""Layouts between the tun and the rows of a session: what splitting and merging share.

A tun read or write is a virtio_net_hdr and one IPv4 packet. The header is the 10-byte legacy one
of virtio 1.1, section 5.1.6, in little endian:

    flags 1 | segmentation type 1 | header length 2 | segment size 2 | checksum start 2 | offset 2

A row carries one whole packet, `type 1 | length 2 | IPv4 packet | zeros`, with both addresses and
every checksum that the far end computes anyway set to zero. A packet cut into segments makes rows
that differ only in the fields which the Structs below keep apart; everything else is one constant
per packet, so rows are packed, compared and joined without looking inside.
"""

from __future__ import annotations

from functools import lru_cache
from struct import Struct
from typing import Final

from lokinet_node.session.plaintexts import CONTENT_AT, PLAINTEXT, TYPE_PACKET
from lokinet_node.wire.ip import IPV4_HEADER, UDP_HEADER, VERSION_AND_LENGTH

VNET_HEADER: Final = 10
VNET: Final = Struct("<BBHHHH")
"""flags, segmentation type, header length, segment size, checksum start, checksum offset."""
NO_OFFLOAD: Final = bytes(VNET_HEADER)
"""The header of a packet that is complete, checksums included."""

NEEDS_CHECKSUM: Final = 1
GSO_NONE: Final = 0
GSO_TCP4: Final = 1
GSO_UDP: Final = 5

FIN: Final = 0x01
PSH: Final = 0x08
ACK: Final = 0x10
CWR: Final = 0x80

UDP_HEADERS: Final = IPV4_HEADER + UDP_HEADER
SEQUENCE_MASK: Final = 0xFFFFFFFF
IDENTITY_MASK: Final = 0xFFFF

ROW_HEAD: Final = Struct("!BHBBH")
"""type, length, version and header length, type of service, total length (7 bytes)."""

DROPS: Final = (
    "not-ipv4",  # IPv6, or not IP at all
    "ip-options",  # a header longer than 20 bytes
    "bad-length",  # the lengths in the packet contradict each other or the record
    "too-long",  # more than 1280 bytes and not to be segmented
    "bad-segment-size",  # an offload we did not offer, or segments that fit no row
    "no-room",  # more segments than rows left
    "icmp",  # an ICMP message that is neither a query nor an error with its quote
)
"""Why a packet is not carried; names as they stand in the status."""

_DESTINATION: Final = Struct(f"!{VNET_HEADER + 16}xI")


def new_drops() -> dict[str, int]:
    """All counters at zero."""
    return dict.fromkeys(DROPS, 0)


def read_destination(packet: bytearray, size: int) -> int:
    """Destination address of a tun read of `size` bytes; 0 when it is not an IPv4 packet."""
    if size < VNET_HEADER + IPV4_HEADER or packet[VNET_HEADER] >> 4 != VERSION_AND_LENGTH >> 4:
        return 0
    address: int = _DESTINATION.unpack_from(packet)[0]
    return address


@lru_cache(maxsize=64)
def tcp_row(header: int, payload: int) -> Struct:
    """A row with a TCP segment of `header` (IP and TCP) and `payload` bytes; seven fields.

    ROW_HEAD 7 | identification 2 | fragment, time to live, protocol, checksum, addresses, ports 18
    | sequence 4 | acknowledgement, offset and flags, window 8 | (checksum 2) | urgent, options
    | payload
    """
    rest = PLAINTEXT - CONTENT_AT - header - payload
    return Struct(f"!7sH18sI8s2x{header - 38}s{payload}s{rest}x")


@lru_cache(maxsize=64)
def udp_row(payload: int) -> Struct:
    """A row with a UDP datagram of `payload` bytes; five fields.

    ROW_HEAD 7 | identification 2 | fragment, time to live, protocol, checksum, addresses, ports 18
    | UDP length 2 | (checksum 2) | payload
    """
    rest = PLAINTEXT - CONTENT_AT - UDP_HEADERS - payload
    return Struct(f"!7sH18sH2x{payload}s{rest}x")


@lru_cache(maxsize=64)
def chunks(size: int) -> Struct:
    """Consecutive pieces of `size` bytes."""
    return Struct(f"{size}s")


def row_head(length: int, service: int) -> bytes:
    """First seven bytes of a row with an IPv4 packet of `length` bytes."""
    return ROW_HEAD.pack(TYPE_PACKET, length, VERSION_AND_LENGTH, service, length)
