"""IPv4 as the tun speaks it (RFC 791, 792, 1071, 1624): offsets, checksums, one ICMP answer.

Checksums are computed modulo 65535: 2^16 is 1 there, so a whole header read as one big integer
has the same remainder as the sum of its words, and adding or taking away a word is plain
addition. Zero and 0xffff are one number in ones' complement; what is written is never 0xffff,
except for UDP, where zero means that there is no checksum.
"""

from __future__ import annotations

from struct import Struct
from typing import Final

from lokinet_node.base.errors import WireError

IPV4_HEADER: Final = 20
VERSION_AND_LENGTH: Final = 0x45
"""Version 4, five words: a header without options, the only one taken."""

DONT_FRAGMENT: Final = 0x4000
FRAGMENTED: Final = 0xBFFF
"""More fragments, an offset, or the reserved bit: anything but *don't fragment*."""
FRAGMENT_OFFSET: Final = 0x1FFF

ICMP: Final = 1
TCP: Final = 6
UDP: Final = 17
DCCP: Final = 33
UDP_LITE: Final = 136

CHECKSUM_AT: Final = {TCP: 16, UDP: 6, DCCP: 6, UDP_LITE: 6}
"""Offset, in the transport header, of a checksum that covers the addresses."""

TCP_HEADER: Final = 20
UDP_HEADER: Final = 8
ICMP_HEADER: Final = 8

ECHO_REPLY: Final = 0
DESTINATION_UNREACHABLE: Final = 3
ECHO_REQUEST: Final = 8
TIME_EXCEEDED: Final = 11
PARAMETER_PROBLEM: Final = 12
TIMESTAMP_REQUEST: Final = 13
TIMESTAMP_REPLY: Final = 14

HOST_UNREACHABLE: Final = 1
"""Code of an unreachable for an address that nobody can be asked about for the moment."""
HOST_UNKNOWN: Final = 7
"""Code of an unreachable for an address that maps to nobody, as Lokinet sends it."""
PROHIBITED: Final = 13
"""Code of an unreachable for what somebody forbids (RFC 1812, section 5.2.7.1)."""

ICMP_QUERIES: Final = frozenset({ECHO_REPLY, ECHO_REQUEST, TIMESTAMP_REQUEST, TIMESTAMP_REPLY})
ICMP_ERRORS: Final = frozenset({DESTINATION_UNREACHABLE, TIME_EXCEEDED, PARAMETER_PROBLEM})
"""They quote the packet they are about. Redirect and source quench are not taken."""

_LIMIT: Final = 0xFFFF
_MULTICAST: Final = 224

# version and length, type of service, total length, identification, fragment, time to live,
# protocol, checksum, source, destination
_HEADER: Final = Struct("!BBHHHBBH4s4s")
# type, code, checksum, unused
_ICMP: Final = Struct("!BBHI")


def word_sum(data: bytes | bytearray | memoryview) -> int:
    """Sum of the 16-bit words modulo 65535; an odd last byte counts as the high half of a word."""
    return (int.from_bytes(data, "big") << (len(data) & 1) * 8) % _LIMIT


def checksum(data: bytes | bytearray | memoryview) -> int:
    """Internet checksum of bytes whose own checksum field is zero."""
    return -word_sum(data) % _LIMIT


def without_words(old: int, words: int) -> int:
    """Checksum after bytes with this word_sum were zeroed."""
    return (old + words) % _LIMIT


def with_words(old: int, words: int) -> int:
    """Checksum after bytes with this word_sum were written over zeros."""
    return (old - words) % _LIMIT


def icmp_unreachable(packet: bytes | bytearray | memoryview, code: int) -> bytes | None:
    """A destination unreachable that answers `packet` in the name of its destination.

    `packet` starts at the IPv4 header. Quotes header and 8 bytes, sets *don't fragment*. None
    where RFC 1122, section 3.2.2, forbids an answer: to an ICMP error, a later fragment, a group
    address, or something that has no single sender. WireError: not an IPv4 packet.
    """
    if len(packet) < IPV4_HEADER:
        raise WireError(f"an IPv4 packet has 20 bytes at least, not {len(packet)}")
    first, _, _, _, fragment, _, protocol, _, source, destination = _HEADER.unpack_from(packet)
    length = (first & 0xF) * 4
    if first >> 4 != 4 or not IPV4_HEADER <= length <= len(packet):
        raise WireError(f"not an IPv4 header: {first:#04x}")
    if (
        fragment & FRAGMENT_OFFSET
        or (protocol == ICMP and bytes(packet[length : length + 1]) not in _QUERY_BYTES)
        or source[0] in (0, 127)
        or source[0] >= _MULTICAST
        or destination[0] >= _MULTICAST
    ):
        return None
    quote = bytes(packet[: length + 8])
    message = _ICMP.pack(DESTINATION_UNREACHABLE, code, 0, 0) + quote
    message = _ICMP.pack(DESTINATION_UNREACHABLE, code, checksum(message), 0) + quote
    fields = (
        VERSION_AND_LENGTH,
        0,
        IPV4_HEADER + len(message),
        0,
        DONT_FRAGMENT,
        64,
        ICMP,
    )
    header = _HEADER.pack(*fields, 0, destination, source)
    return _HEADER.pack(*fields, checksum(header), destination, source) + message


_QUERY_BYTES: Final = frozenset(bytes([kind]) for kind in ICMP_QUERIES)
