"""Hot: rows of one session into tun writes, neighbours of one flow joined into one.

1. Read the head of a row with one Struct; lengths must agree with the record.
2. TCP: rows that continue it (same ports, acknowledgement, window, flags, options, service, time
   to live, the next sequence, the same size) join it; one that is shorter or carries PSH or FIN
   is the last. UDP: the same ports and size, one shorter may end it.
3. Write source and destination, which the session knows, the IP checksum, and in the place of
   the transport checksum the sum over the pseudo header: the kernel completes it where needed.
4. The virtio header is made here from what was joined. Nothing in it comes from the peer.
5. Fragments and everything but TCP and UDP: session/packet_addresses.py.

Rows are compared as bytes: a row that sets what must be zero merely joins nothing. Checksums are
remainders modulo 65535 (wire/ip.py).
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from struct import Struct
from typing import Final, TypeAlias

from lokinet_node.session.packet_addresses import with_addresses
from lokinet_node.session.packets import (
    ACK,
    FIN,
    GSO_NONE,
    GSO_TCP4,
    GSO_UDP,
    NEEDS_CHECKSUM,
    NO_OFFLOAD,
    PSH,
    SEQUENCE_MASK,
    UDP_HEADERS,
    VNET,
    new_drops,
    tcp_row,
    udp_row,
)
from lokinet_node.session.plaintexts import (
    CONTENT_AT,
    MAX_CONTENT,
    PLAINTEXT,
    TYPE_EXIT4,
    TYPE_PACKET,
    Plaintexts,
)
from lokinet_node.wire.ip import (
    FRAGMENTED,
    IPV4_HEADER,
    TCP,
    TCP_HEADER,
    UDP,
    UDP_HEADER,
    VERSION_AND_LENGTH,
)

Sink: TypeAlias = Callable[[bytes], object]
"""Takes one virtio header and packet, as the tun wants it written."""
Head: TypeAlias = tuple[int, int, int, int, int, int, int, bytes]
"""What _HEAD reads."""

# type, length, (version, service), total length, identification, fragment, (time to live,
# protocol), transport header up to its checksum (UDP: its first 16 bytes)
_HEAD: Final = Struct("!BHHHHHH10x16s")
_WORDS: Final = Struct("!4H")
_UDP_LENGTH: Final = Struct("!4xH")
# virtio header, (version, service), total length, identification, fragment, (time to live,
# protocol), checksum, addresses, then ports, sequence, acknowledgement, offset and flags, window,
# checksum (TCP) or ports, length, checksum (UDP)
_TCP_OUT: Final = Struct("!10sHHHHHH8s16sH")
_UDP_OUT: Final = Struct("!10sHHHHHH8s4sHH")
_LIMIT: Final = 0xFFFF
_TCP_HEADERS: Final = IPV4_HEADER + TCP_HEADER
_VNET_TCP: Final = VNET.pack(NEEDS_CHECKSUM, GSO_NONE, 0, 0, IPV4_HEADER, 16)
_VNET_UDP: Final = VNET.pack(NEEDS_CHECKSUM, GSO_NONE, 0, 0, IPV4_HEADER, 6)
_LAST: Final = PSH | FIN


class Merger:
    """Joins and writes packets; counts the rows that are none."""

    __slots__ = ("_join_udp", "drops")

    def __init__(self, *, join_udp: bool) -> None:
        """`join_udp`: the kernel takes UDP super-packets (the tun accepted USO)."""
        self.drops = new_drops()
        self._join_udp = join_udp

    def write(
        self,
        plain: Plaintexts,
        first: int,
        count: int,
        source: bytes,
        own: bytes,
        sink: Sink,
        kept: int = 0,
    ) -> None:
        """Give the packets in `count` rows to `sink`, from `source` to `own` (4 bytes each).

        Rows of another type are passed over: they are not for the tun. Of records of an exit
        `kept` (SOURCE or DESTINATION) is the address they keep; their type is another one.
        """
        buffer = plain.buffer
        addresses, base = _addresses(source, own)
        head_of = _HEAD.unpack_from
        wanted = TYPE_EXIT4 if kept else TYPE_PACKET
        row = first
        end = first + count
        while row < end:
            head = head_of(buffer, row * PLAINTEXT)
            kind, length, version, total, _, fragment, protocol, _ = head
            taken = 1
            packet = b""
            if kind != wanted:
                pass
            elif version >> 8 != VERSION_AND_LENGTH:
                self.drops["ip-options" if version >> 12 == 4 else "not-ipv4"] += 1
            elif length != total or not IPV4_HEADER <= length <= MAX_CONTENT:
                self.drops["bad-length"] += 1
            elif fragment & FRAGMENTED:
                packet = self._odd(plain, row, length, addresses, kept)
            elif protocol & 0xFF == TCP:
                packet, taken = self._tcp(plain, row, end, head, addresses, base)
            elif protocol & 0xFF == UDP:
                packet, taken = self._udp(plain, row, end, head, addresses, base)
            else:
                packet = self._odd(plain, row, length, addresses, kept)
            if packet:
                sink(packet)
            row += taken

    def _tcp(
        self, plain: Plaintexts, row: int, end: int, head: Head, addresses: bytes, base: int
    ) -> tuple[bytes, int]:
        """A segment and those that continue it; the number of rows they are."""
        _, length, version, total, identity, fragment, protocol, transport = head
        headers = IPV4_HEADER + (transport[12] >> 4) * 4
        if not _TCP_HEADERS <= headers <= length:
            return self._drop("bad-length")
        start = row * PLAINTEXT + CONTENT_AT
        vnet = _VNET_TCP
        size = length - headers
        parts: list[bytes | bytearray] = []
        taken = 1
        if size and row + 1 < end and transport[13] == ACK:
            parts, flags = _tcp_run(plain.view[row * PLAINTEXT : end * PLAINTEXT], headers, size)
            taken = len(parts)
            if taken > 1:
                vnet = VNET.pack(NEEDS_CHECKSUM, GSO_TCP4, headers, size, IPV4_HEADER, 16)
                total = headers + size * (taken - 1) + len(parts[-1])
                transport = transport[:13] + flags + transport[14:]
        check = -(version + total + identity + fragment + protocol + base) % _LIMIT
        pseudo = (base + TCP + total - IPV4_HEADER) % _LIMIT
        fields = (version, total, identity, fragment, protocol, check, addresses, transport, pseudo)
        packet = _TCP_OUT.pack(vnet, *fields)
        if taken > 1:
            return b"".join((packet, plain.buffer[start + 38 : start + headers], *parts)), taken
        return packet + plain.buffer[start + 38 : start + length], 1

    def _udp(
        self, plain: Plaintexts, row: int, end: int, head: Head, addresses: bytes, base: int
    ) -> tuple[bytes, int]:
        """A datagram and equal ones after it; the number of rows they are."""
        _, length, version, total, identity, fragment, protocol, transport = head
        if length < UDP_HEADERS or _UDP_LENGTH.unpack_from(transport)[0] != length - IPV4_HEADER:
            return self._drop("bad-length")
        start = row * PLAINTEXT + CONTENT_AT
        vnet = _VNET_UDP
        size = length - UDP_HEADERS
        parts: list[bytes | bytearray] = []
        taken = 1
        if self._join_udp and size and row + 1 < end:
            parts = _udp_run(plain.view[row * PLAINTEXT : end * PLAINTEXT], size)
            taken = len(parts)
            if taken > 1:
                vnet = VNET.pack(NEEDS_CHECKSUM, GSO_UDP, UDP_HEADERS, size, IPV4_HEADER, 6)
                total = UDP_HEADERS + size * (taken - 1) + len(parts[-1])
        check = -(version + total + identity + fragment + protocol + base) % _LIMIT
        pseudo = (base + UDP + total - IPV4_HEADER) % _LIMIT
        fields = (version, total, identity, fragment, protocol, check, addresses)
        packet = _UDP_OUT.pack(vnet, *fields, transport[:4], total - IPV4_HEADER, pseudo)
        if taken > 1:
            return packet + b"".join(parts), taken
        return packet + plain.buffer[start + 28 : start + length], 1

    def _odd(self, plain: Plaintexts, row: int, length: int, addresses: bytes, kept: int) -> bytes:
        start = row * PLAINTEXT + CONTENT_AT
        packet = plain.buffer[start : start + length]
        whole = with_addresses(packet, addresses[:4], addresses[4:], kept)
        if whole is None:
            self.drops["icmp"] += 1
            return b""
        return NO_OFFLOAD + whole

    def _drop(self, reason: str) -> tuple[bytes, int]:
        self.drops[reason] += 1
        return b"", 1


@lru_cache(maxsize=256)
def _addresses(source: bytes, own: bytes) -> tuple[bytes, int]:
    """Both addresses as they stand in a packet, and the sum of their words."""
    return source + own, sum(_WORDS.unpack(source + own))


def _tcp_run(rows: memoryview, headers: int, size: int) -> tuple[list[bytes | bytearray], bytes]:
    """Payloads of the first row and of those that continue it; the flags of the last one."""
    segments = tcp_row(headers, size).iter_unpack(rows)
    head, _, flow, sequence, state, tail, payload = next(segments)
    payloads = [payload]
    append = payloads.append
    for head_, _, flow_, sequence_, state_, tail_, payload in segments:
        sequence = (sequence + size) & SEQUENCE_MASK
        if (
            sequence_ != sequence
            or head_ != head
            or state_ != state
            or flow_ != flow
            or tail_ != tail
        ):
            break
        append(payload)
    else:
        return payloads, state[5:6]
    # Not just like the one before: it may be the last of them.
    last = int.from_bytes(head_[1:3], "big") - headers
    if (
        sequence_ == sequence
        and flow_ == flow
        and tail_ == tail
        and 0 < last <= size
        and head_ == head[:1] + head_[1:3] + head[3:5] + head_[1:3]
        and state_ == state[:5] + state_[5:6] + state[6:]
        and state_[5] | _LAST == state[5] | _LAST
    ):
        append(payload[:last])
        return payloads, state_[5:6]
    return payloads, state[5:6]


def _udp_run(rows: memoryview, size: int) -> list[bytes | bytearray]:
    """Payloads of the first row and of those that are like it; one shorter may be the last."""
    datagrams = udp_row(size).iter_unpack(rows)
    head, _, flow, length, payload = next(datagrams)
    payloads = [payload]
    append = payloads.append
    for head_, _, flow_, length_, payload in datagrams:
        if head_ != head or flow_ != flow or length_ != length:
            break
        append(payload)
    else:
        return payloads
    last = length_ - UDP_HEADER
    lengths = (length_ + IPV4_HEADER).to_bytes(3, "big")[1:]
    if flow_ == flow and 0 < last < size and head_ == head[:1] + lengths + head[3:5] + lengths:
        append(payload[:last])
    return payloads
