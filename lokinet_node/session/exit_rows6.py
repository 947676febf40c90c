"""Hot: records of an exit with IPv6 packets: tun reads into rows, rows into tun writes.

A row is a whole packet with one address, the one on the internet; the other is zero, and what a
peer puts there is not read. What docs/wire.md says of IPv4 holds: no TCP or UDP checksum is kept,
the far end's kernel fills it in; a checksum that covers bytes of other packets, or that we cannot
know to be one of those two, is adjusted by the address that is taken out and put in.

1. A read that the kernel left to us to cut (UDP) becomes a row for each datagram.
2. Rows of one flow are found as runs, which are judged once.
3. Every row is one write. Nothing in its virtio header comes from the peer.
4. ICMPv6 errors keep the quoted address of the same end; their checksum is made anew.
"""

from __future__ import annotations

from itertools import pairwise
from struct import Struct
from typing import TYPE_CHECKING, Final

from lokinet_node.burst import ROWS
from lokinet_node.session.exit_rows import ExitRun
from lokinet_node.session.packets import (
    GSO_NONE,
    GSO_UDP,
    NEEDS_CHECKSUM,
    NO_OFFLOAD,
    VNET,
    VNET_HEADER,
)
from lokinet_node.session.plaintexts import (
    CONTENT_AT,
    MAX_CONTENT,
    PLAINTEXT,
    PLAINTEXT_HEAD,
    TYPE_EXIT6,
    Plaintexts,
)
from lokinet_node.wire.ip import (
    CHECKSUM_AT,
    TCP,
    TCP_HEADER,
    UDP,
    UDP_HEADER,
    checksum,
    with_words,
    without_words,
    word_sum,
)
from lokinet_node.wire.ip6 import (
    ADDRESS,
    DESTINATION,
    ERRORS,
    FRAGMENT,
    FRAGMENT_HEADER,
    ICMPV6,
    IPV6_HEADER,
    NEXT_HEADER,
    NOT_CARRIED,
    QUERIES,
    QUOTE,
    SOURCE,
    VERSION,
    pseudo_header,
    put_checksum,
)

if TYPE_CHECKING:
    from lokinet_node.session.merge import Sink

NOBODY6: Final = bytes(ADDRESS)
"""The address that is not kept; as a kept source: the exit itself."""

DROPS: Final = (
    "ipv6-bad-length",  # the lengths in the packet contradict each other or the record
    "ipv6-too-long",  # more than 1280 bytes and not to be segmented
    "ipv6-extension",  # an extension header, source routes among them
    "ipv6-icmp",  # an ICMPv6 message that is neither an echo nor an error with its quote
)
"""Why a packet is not carried; names as they stand in the status."""

_IP: Final = VNET_HEADER
_L4: Final = VNET_HEADER + IPV6_HEADER
_ADDRESSES: Final = {SOURCE: slice(SOURCE, DESTINATION), DESTINATION: slice(24, IPV6_HEADER)}
_SHORTEST: Final = {TCP: IPV6_HEADER + TCP_HEADER, UDP: IPV6_HEADER + UDP_HEADER}
_UDP_HEADERS: Final = IPV6_HEADER + UDP_HEADER
_LENGTH: Final = Struct("!H")
# type | next header | source, destination | the first four bytes behind the header: ports
_FLOW: Final = Struct(f"!B8xBx16s16s4s{PLAINTEXT - CONTENT_AT - IPV6_HEADER - 4}x")
_OFFSET: Final = 0xFFF8
_PORTS_AT: Final = IPV6_HEADER + FRAGMENT_HEADER
_NONE: Final = bytes(2)
_ICMPV6_CHECKSUM: Final = 2
_ECHO: Final = tuple(bytes((kind,)) for kind in QUERIES)
_VNET: Final = {
    TCP: VNET.pack(NEEDS_CHECKSUM, GSO_NONE, 0, 0, IPV6_HEADER, CHECKSUM_AT[TCP]),
    UDP: VNET.pack(NEEDS_CHECKSUM, GSO_NONE, 0, 0, IPV6_HEADER, CHECKSUM_AT[UDP]),
}


class Rows6:
    """Makes and takes rows; counts what is not carried."""

    __slots__ = ("drops",)

    def __init__(self) -> None:
        self.drops = dict.fromkeys(DROPS, 0)

    # --- tun to wire

    def rows(self, read: bytearray, size: int) -> int:
        """How many rows a read of `size` bytes will take; 1 for what `split` will refuse."""
        segment: int = VNET.unpack_from(read)[3]
        if read[1] != GSO_UDP or not segment or size < _L4 + UDP_HEADER:
            return 1
        return max(1, -(-(size - _L4 - UDP_HEADER) // segment))

    def split(
        self, read: bytearray, size: int, plain: Plaintexts, at: int, kept: int, skip: int = 0
    ) -> int:
        """Write a tun read into rows from `at` on, keeping SOURCE or DESTINATION; how many.

        Of more datagrams than there is room for, those that fit are written; `skip` leaves out
        the ones that were.
        """
        if size < _L4 or _LENGTH.unpack_from(read, _IP + 4)[0] != size - _L4:
            return self._drop("ipv6-bad-length")
        if read[1]:
            return self._cut(read, size, plain, at, kept, skip)
        if size - _IP > MAX_CONTENT:
            return self._drop("ipv6-too-long")
        packet = read[_IP:size]
        flags, _, _, _, start, field = VNET.unpack_from(read)
        if flags & NEEDS_CHECKSUM and packet[NEXT_HEADER] not in _SHORTEST:
            # The field holds the sum over the pseudo header: fill it in, as nobody else will.
            if start + field + 2 > len(packet):
                return self._drop("ipv6-bad-length")
            value = checksum(packet[start:]) or 0xFFFF
            _LENGTH.pack_into(packet, start + field, value)
        reason = _without_address(packet, kept)
        if reason:
            return self._drop(reason)
        plain.put(at, TYPE_EXIT6, packet)
        return 1

    def _cut(
        self, read: bytearray, size: int, plain: Plaintexts, at: int, kept: int, skip: int
    ) -> int:
        """Datagrams that the kernel joined; it offers no TCP, as the tun did not ask for it."""
        _, offload, _, segment, _, _ = VNET.unpack_from(read)
        is_udp = offload == GSO_UDP and read[_IP + NEXT_HEADER] == UDP
        if not is_udp or not segment or _UDP_HEADERS + segment > MAX_CONTENT:
            return self._drop("ipv6-too-long")
        begin = _L4 + UDP_HEADER + skip * segment
        end = min(size, begin + (ROWS - at) * segment)
        if begin >= end:
            return self._drop("ipv6-bad-length")
        head = read[_IP : _L4 + 4]
        head[_ADDRESSES[_other(kept)]] = NOBODY6
        row = at
        for start in range(begin, end, segment):
            payload = read[start : min(start + segment, end)]
            length = _LENGTH.pack(UDP_HEADER + len(payload))
            head[4:6] = length
            plain.put(row, TYPE_EXIT6, head + length + _NONE + payload)
            row += 1
        return row - at

    # --- wire to tun

    def write(
        self,
        plain: Plaintexts,
        run: ExitRun,
        kept: int,
        address: bytes,
        sink: Sink,
        instead: bytes = b"",
    ) -> None:
        """Give the packets of a run to `sink`, with `address` for the one that was not kept.

        `instead` stands for a kept source that is nobody's: the exit's own.
        """
        for row in range(run.first, run.first + run.rows):
            _, length = PLAINTEXT_HEAD.unpack_from(plain.buffer, row * PLAINTEXT)
            start = row * PLAINTEXT + CONTENT_AT
            packet = plain.buffer[start : start + length]
            if (
                not IPV6_HEADER <= length <= MAX_CONTENT
                or packet[0] >> 4 != VERSION
                or _LENGTH.unpack_from(packet, 4)[0] != length - IPV6_HEADER
            ):
                self._drop("ipv6-bad-length")
                continue
            if instead:
                packet[_ADDRESSES[SOURCE]] = instead
            reason = _with_address(packet, kept, address)
            if reason:
                self._drop(reason)
                continue
            sink(_VNET.get(packet[NEXT_HEADER], NO_OFFLOAD) + packet)

    def _drop(self, reason: str) -> int:
        self.drops[reason] += 1
        return 0


def exit_runs6(plain: Plaintexts, first: int, count: int) -> list[ExitRun]:
    """The flows in `count` rows from `first` on, rows of other types left out, in order.

    A fragment's protocol is the one it is a fragment of; its `fragment` is its offset.
    """
    flows = list(_FLOW.iter_unpack(plain.view[first * PLAINTEXT : (first + count) * PLAINTEXT]))
    starts = [0] if count else []
    if count and (flows[0][1] == FRAGMENT or flows.count(flows[0]) < count):
        starts += [
            row
            for row in range(1, count)
            if flows[row] != flows[row - 1] or flows[row][1] == FRAGMENT
        ]
    return [
        _run(plain, first + start, end - start, flows[start])
        for start, end in pairwise([*starts, count])
        if flows[start][0] == TYPE_EXIT6
    ]


def quoted_destination6(plain: Plaintexts, row: int) -> bytes | None:
    """Whom the packet went to that an ICMPv6 error in this row quotes; None: no error."""
    content = plain.content(row)
    if content is None or not _is_error(content) or len(content) < QUOTE + IPV6_HEADER:
        return None
    return bytes(content[QUOTE + DESTINATION : QUOTE + IPV6_HEADER])


def is_about_others6(read: bytearray, size: int, own: bytes) -> bool:
    """Whether a tun read is an ICMPv6 error quoting a packet to somebody else than `own`."""
    packet = memoryview(read)[_IP:size]
    return (
        _is_error(packet)
        and len(packet) >= QUOTE + IPV6_HEADER
        and packet[QUOTE + DESTINATION : QUOTE + IPV6_HEADER] != own
    )


def _run(
    plain: Plaintexts, row: int, rows: int, flow: tuple[int, int, bytes, bytes, bytes]
) -> ExitRun:
    kind, protocol, source, destination, ports = flow
    offset = 0
    if protocol == FRAGMENT:
        start = row * PLAINTEXT + CONTENT_AT
        protocol, offset = ports[0], _LENGTH.unpack_from(ports, 2)[0] & _OFFSET
        ports = bytes(plain.buffer[start + _PORTS_AT : start + _PORTS_AT + 4])
    return ExitRun(row, rows, kind, offset >> 3, protocol, source, destination, ports)


def _without_address(packet: bytearray, kept: int) -> str:
    """Take the other address out of a packet in place; why it is not carried, if it is not."""
    gone = _ADDRESSES[_other(kept)]
    words = word_sum(packet[gone])
    packet[gone] = NOBODY6
    protocol = packet[NEXT_HEADER]
    if protocol in _SHORTEST:
        if len(packet) < _SHORTEST[protocol]:
            return "ipv6-bad-length"
        at = IPV6_HEADER + CHECKSUM_AT[protocol]
        packet[at : at + 2] = _NONE
        return ""
    reason = _refusal(packet)
    if reason:
        return reason
    if _is_error(packet):
        # The quoted packet went the other way: the end that was kept stands in the other place.
        at = QUOTE + kept
        packet[at : at + ADDRESS] = NOBODY6
        _blank_quoted_checksum(packet)
        packet[IPV6_HEADER + 2 : IPV6_HEADER + 4] = _NONE
        return ""
    at = _checksum_at(packet)
    if at:
        _LENGTH.pack_into(packet, at, without_words(_LENGTH.unpack_from(packet, at)[0], words))
    return ""


def _with_address(packet: bytearray, kept: int, address: bytes) -> str:
    """Put the other address into a packet in place; why it is not carried, if it is not."""
    packet[_ADDRESSES[_other(kept)]] = address
    protocol = packet[NEXT_HEADER]
    if protocol in _SHORTEST:
        if len(packet) < _SHORTEST[protocol]:
            return "ipv6-bad-length"
        at = IPV6_HEADER + CHECKSUM_AT[protocol]
        covered = pseudo_header(
            bytes(packet[_ADDRESSES[SOURCE]]),
            bytes(packet[_ADDRESSES[DESTINATION]]),
            len(packet) - IPV6_HEADER,
            protocol,
        )
        _LENGTH.pack_into(packet, at, word_sum(covered))
        return ""
    reason = _refusal(packet)
    if reason:
        return reason
    if _is_error(packet):
        at = QUOTE + kept
        packet[at : at + ADDRESS] = address
        put_checksum(packet)
        return ""
    at = _checksum_at(packet)
    if at:
        value = with_words(_LENGTH.unpack_from(packet, at)[0], word_sum(address))
        _LENGTH.pack_into(packet, at, value or 0xFFFF)
    return ""


def _other(kept: int) -> int:
    return SOURCE if kept == DESTINATION else DESTINATION


def _refusal(packet: bytearray) -> str:
    """Why what is neither TCP nor UDP is not carried."""
    protocol = packet[NEXT_HEADER]
    if protocol == FRAGMENT:
        if len(packet) < IPV6_HEADER + FRAGMENT_HEADER:
            return "ipv6-bad-length"
        inner = packet[IPV6_HEADER]
        # An ICMPv6 error is never fragmented, so that its quote is always seen whole.
        if inner == ICMPV6 and not _is_later(packet) and packet[_PORTS_AT:][:1] not in _ECHO:
            return "ipv6-icmp"
        return "ipv6-extension" if inner in NOT_CARRIED or inner == FRAGMENT else ""
    if protocol == ICMPV6:
        is_query = len(packet) >= QUOTE and packet[IPV6_HEADER] in QUERIES
        is_whole = len(packet) >= QUOTE + IPV6_HEADER + 8 and packet[QUOTE] >> 4 == VERSION
        return "" if is_query or (_is_error(packet) and is_whole) else "ipv6-icmp"
    return "ipv6-extension" if protocol in NOT_CARRIED else ""


def _is_later(packet: bytearray) -> bool:
    return bool(_LENGTH.unpack_from(packet, IPV6_HEADER + 2)[0] & _OFFSET)


def _is_error(packet: bytearray | memoryview) -> bool:
    return (
        len(packet) > IPV6_HEADER
        and packet[NEXT_HEADER] == ICMPV6
        and packet[IPV6_HEADER] in ERRORS
    )


def _checksum_at(packet: bytearray) -> int:
    """Offset of a checksum over the addresses; 0 when this packet holds none."""
    protocol, header = packet[NEXT_HEADER], IPV6_HEADER
    if protocol == FRAGMENT:
        if _is_later(packet):
            return 0
        protocol, header = packet[IPV6_HEADER], _PORTS_AT
    at = _ICMPV6_CHECKSUM if protocol == ICMPV6 else CHECKSUM_AT.get(protocol)
    if at is None or len(packet) < header + at + 2:
        return 0
    return header + at


def _blank_quoted_checksum(packet: bytearray) -> None:
    """What is quoted of the transport header may hold a sum over the addresses."""
    protocol = packet[QUOTE + NEXT_HEADER]
    found = _ICMPV6_CHECKSUM if protocol == ICMPV6 else CHECKSUM_AT.get(protocol)
    if found is None:
        return
    at = QUOTE + IPV6_HEADER + found
    if at + 2 <= len(packet):
        packet[at : at + 2] = _NONE
