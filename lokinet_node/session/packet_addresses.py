"""Taking both addresses out of a packet and putting others in, for what the fast path leaves.

Plain TCP and UDP never come here: their checksums are left to the kernel of the far end. Here are
fragments, whose checksum covers bytes of other packets and is therefore adjusted, ICMP, whose
errors quote a packet with the same two addresses, and every other protocol.

The sender zeroes what the receiver sets: a packet between shows nobody's addresses.
"""

from __future__ import annotations

from struct import Struct
from typing import Final

from lokinet_node.wire.ip import (
    CHECKSUM_AT,
    FRAGMENT_OFFSET,
    FRAGMENTED,
    ICMP,
    ICMP_ERRORS,
    ICMP_HEADER,
    ICMP_QUERIES,
    IPV4_HEADER,
    UDP,
    VERSION_AND_LENGTH,
    checksum,
    with_words,
    without_words,
    word_sum,
)

_CHECKSUM: Final = slice(10, 12)
_ADDRESSES: Final = slice(12, 20)
_QUOTE: Final = IPV4_HEADER + ICMP_HEADER
_ICMP_CHECKSUM: Final = slice(IPV4_HEADER + 2, IPV4_HEADER + 4)
_QUOTED_CHECKSUM: Final = slice(_QUOTE + 10, _QUOTE + 12)
_QUOTED_ADDRESSES: Final = slice(_QUOTE + 12, _QUOTE + 20)
_NONE: Final = bytes(2)
_NO_ADDRESS: Final = bytes(4)

SOURCE: Final = 12
DESTINATION: Final = 16
"""Offsets of the addresses in an IPv4 header; which one a record of an exit keeps."""
_WORD: Final = Struct("!H")


def without_addresses(packet: bytearray) -> bytearray | None:
    """Zero the addresses of an IPv4 packet in place, at the sender; None: it is not carried."""
    addresses = word_sum(packet[_ADDRESSES])
    packet[_CHECKSUM] = _NONE
    packet[_ADDRESSES] = bytes(8)
    if not _is_carried(packet):
        return None
    at = _checksum_at(packet)
    if at:
        _write(packet, at, without_words(_WORD.unpack_from(packet, at)[0], addresses))
    if _is_error(packet):
        packet[_QUOTED_CHECKSUM] = _NONE
        packet[_QUOTED_ADDRESSES] = bytes(8)
        # What is quoted of the transport header may hold a sum over the addresses.
        at = _QUOTE + IPV4_HEADER + CHECKSUM_AT.get(packet[_QUOTE + 9], len(packet))
        if at + 2 <= len(packet):
            packet[at : at + 2] = _NONE
    return packet


def with_addresses(packet: bytearray, source: bytes, own: bytes, kept: int = 0) -> bytearray | None:
    """Write addresses into an IPv4 packet in place, at the receiver; None: it is not carried.

    An ICMP error quotes what we sent to `source`: the quote gets them the other way round, so
    that the kernel finds the socket. In a record of an exit (`kept` says which address that kept)
    the error may come from a router between, so the quote's own end on the internet stays.
    """
    addresses = source + own
    packet[_CHECKSUM] = _NONE
    packet[_ADDRESSES] = addresses
    packet[_CHECKSUM] = _WORD.pack(checksum(packet[:IPV4_HEADER]))
    if not _is_carried(packet):
        return None
    at = _checksum_at(packet)
    if at:
        _write(packet, at, with_words(_WORD.unpack_from(packet, at)[0], word_sum(addresses)))
    if _is_error(packet):
        packet[_QUOTED_CHECKSUM] = _NONE
        quoted = own + source
        if kept and (stays := quoted_address(packet, kept)) != _NO_ADDRESS:
            quoted = own + stays if kept == SOURCE else stays + source
        packet[_QUOTED_ADDRESSES] = quoted
        packet[_QUOTED_CHECKSUM] = _WORD.pack(checksum(packet[_QUOTE : _QUOTE + IPV4_HEADER]))
        packet[_ICMP_CHECKSUM] = _NONE
        packet[_ICMP_CHECKSUM] = _WORD.pack(checksum(packet[IPV4_HEADER:]))
    return packet


def is_error(packet: bytes | bytearray | memoryview) -> bool:
    """Whether a whole IPv4 packet without options is an ICMP error with a quote that is carried."""
    return len(packet) >= IPV4_HEADER + ICMP_HEADER and _is_error(packet) and _is_carried(packet)


def quoted_at(kept: int) -> int:
    """Offset, in an ICMP error, of the quoted address that a record of an exit keeps, too.

    The quoted packet went the other way: its destination where the error's source is kept.
    """
    return _QUOTE + SOURCE + DESTINATION - kept


def quoted_address(packet: bytes | bytearray | memoryview, kept: int) -> bytes:
    """What stands there."""
    at = quoted_at(kept)
    return bytes(packet[at : at + 4])


def _is_carried(packet: bytes | bytearray | memoryview) -> bool:
    """Whether ICMP is of a kind we know; a later fragment is judged by the first one."""
    if packet[9] != ICMP or _offset(packet):
        return True
    if len(packet) < IPV4_HEADER + ICMP_HEADER:
        return False
    if packet[IPV4_HEADER] in ICMP_QUERIES:
        return True
    # Errors are never fragmented, so that a quote is always seen whole.
    return (
        _is_error(packet)
        and not _WORD.unpack_from(packet, 6)[0] & FRAGMENTED
        and len(packet) >= _QUOTE + IPV4_HEADER + 8
        and packet[_QUOTE] == VERSION_AND_LENGTH
    )


def _is_error(packet: bytes | bytearray | memoryview) -> bool:
    return packet[9] == ICMP and not _offset(packet) and packet[IPV4_HEADER] in ICMP_ERRORS


def _offset(packet: bytes | bytearray | memoryview) -> int:
    fragment: int = _WORD.unpack_from(packet, 6)[0]
    return fragment & FRAGMENT_OFFSET


def _checksum_at(packet: bytearray) -> int:
    """Offset of a checksum over the addresses; 0 when this packet holds none."""
    at = CHECKSUM_AT.get(packet[9])
    if at is None or _offset(packet) or len(packet) < IPV4_HEADER + at + 2:
        return 0
    at += IPV4_HEADER
    # UDP without a checksum stays so.
    return 0 if packet[9] == UDP and packet[at : at + 2] == _NONE else at


def _write(packet: bytearray, at: int, value: int) -> None:
    if packet[9] == UDP:
        value = value or 0xFFFF
    _WORD.pack_into(packet, at, value)
