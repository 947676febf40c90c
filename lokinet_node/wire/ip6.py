"""IPv6 as exits speak it (RFC 8200, 4443): offsets, what is carried, one ICMPv6 answer.

Extension headers other than a fragment's are not carried: some are source routes, and none is
needed by what people use exits for.
"""

from __future__ import annotations

from struct import Struct
from typing import Final

from lokinet_node.base.errors import WireError
from lokinet_node.wire.ip import HOST_UNREACHABLE, PROHIBITED, checksum

VERSION: Final = 6
IPV6_HEADER: Final = 40
FRAGMENT_HEADER: Final = 8
ADDRESS: Final = 16
SOURCE: Final = 8
DESTINATION: Final = 24
"""Offsets of the addresses; which one a record of an exit keeps."""
NEXT_HEADER: Final = 6

FRAGMENT: Final = 44
ICMPV6: Final = 58
NOT_CARRIED: Final = frozenset({0, 43, 51, 59, 60, 135, 139, 140})
"""Extension headers (IANA), authentication of addresses that will change, and nothing at all."""

UNREACHABLE: Final = 1
ERRORS: Final = frozenset({UNREACHABLE, 2, 3, 4})
"""Unreachable, too big, time exceeded, parameter problem."""
QUERIES: Final = frozenset({128, 129})
"""Echo. Neighbour discovery and multicast listeners are matters of one link."""
ICMPV6_HEADER: Final = 8
QUOTE: Final = IPV6_HEADER + ICMPV6_HEADER

_NO_ROUTE: Final = 0
_CODES: Final = {PROHIBITED: 1, HOST_UNREACHABLE: 3}
"""Codes of ICMP as those of ICMPv6."""
_MOST: Final = 1280
"""RFC 4443, 2.4 (c): an error is no longer than what every link carries."""
_MULTICAST: Final = 0xFF
# version, class and flow label | payload length, next header, hop limit | source, destination
_HEADER: Final = Struct("!IHBB16s16s")
_ICMP: Final = Struct("!BBHI")
_PSEUDO: Final = Struct("!16s16sI3xB")
_FIRST_WORD: Final = VERSION << 28


def pseudo_header(source: bytes, destination: bytes, length: int, protocol: int) -> bytes:
    """What a transport checksum covers besides the transport's own bytes."""
    return _PSEUDO.pack(source, destination, length, protocol)


def put_checksum(packet: bytearray) -> None:
    """Fill in the checksum of an ICMPv6 packet in place."""
    at = IPV6_HEADER + 2
    packet[at : at + 2] = bytes(2)
    source, destination = packet[SOURCE:DESTINATION], packet[DESTINATION:IPV6_HEADER]
    covered = pseudo_header(bytes(source), bytes(destination), len(packet) - IPV6_HEADER, ICMPV6)
    value = checksum(covered + packet[IPV6_HEADER:])
    packet[at : at + 2] = (value or 0xFFFF).to_bytes(2, "big")


def is_local(address: bytes) -> bool:
    """Multicast, link local, loopback, no address or IPv4 in disguise: for one link or host."""
    return (
        address[0] == _MULTICAST
        or (address[0] == 0xFE and address[1] & 0xC0 == 0x80)
        or not any(address[:10])
    )


def icmp6_unreachable(packet: bytes | bytearray | memoryview, code: int) -> bytes | None:
    """A destination unreachable that answers `packet` in the name of its destination.

    `code` is one of ICMP's for IPv4. None where RFC 4443, 2.4 (e), forbids an answer: to an error,
    a group, or something without a single sender. WireError: not an IPv6 packet.
    """
    if len(packet) < IPV6_HEADER or packet[0] >> 4 != VERSION:
        raise WireError("not an IPv6 packet")
    _, _, protocol, _, source, destination = _HEADER.unpack_from(packet)
    is_error = protocol == ICMPV6 and packet[IPV6_HEADER : IPV6_HEADER + 1] not in _QUERY_BYTES
    if is_error or is_local(source) or is_local(destination):
        return None
    quote = bytes(packet[: _MOST - QUOTE])
    message = _ICMP.pack(UNREACHABLE, _CODES.get(code, _NO_ROUTE), 0, 0) + quote
    header = _HEADER.pack(_FIRST_WORD, len(message), ICMPV6, 64, destination, source)
    answer = bytearray(header + message)
    put_checksum(answer)
    return bytes(answer)


_QUERY_BYTES: Final = frozenset(bytes([kind]) for kind in QUERIES)
