"""Hot: one tun read into the rows of a session, each row a whole packet of its own.

1. Read the virtio header and the IP header with one Struct; lengths must agree.
2. A packet to be segmented: one row per segment, as the kernel's own segmentation would make
   them: identification and sequence grow, PSH and FIN stay on the last, CWR on the first.
3. A single packet: one row.
4. Fragments and everything but TCP and UDP: session/packet_addresses.py.

No TCP or UDP checksum is computed or kept here: the record's AEAD covers the packet on its way,
and the far end hands it to its kernel as one whose checksum is still to be filled in. So a packet
that was broken before it came to our tun arrives as if it were not: a known price.

Struct zeroes the row before it packs, so no byte of an earlier packet stays in a row.
"""

from __future__ import annotations

from struct import Struct
from typing import Final

from lokinet_node.burst import ROWS
from lokinet_node.session.packet_addresses import without_addresses
from lokinet_node.session.packets import (
    CWR,
    FIN,
    GSO_TCP4,
    GSO_UDP,
    IDENTITY_MASK,
    NEEDS_CHECKSUM,
    PSH,
    SEQUENCE_MASK,
    UDP_HEADERS,
    VNET,
    VNET_HEADER,
    chunks,
    new_drops,
    row_head,
    tcp_row,
    udp_row,
)
from lokinet_node.session.plaintexts import (
    CONTENT_AT,
    MAX_CONTENT,
    PLAINTEXT,
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
    checksum,
)

TUN_READ: Final = VNET_HEADER + 0xFFFF
"""Size of the buffer for one tun read."""

_IP: Final = VNET_HEADER
_L4: Final = VNET_HEADER + IPV4_HEADER
_TCP_HEADERS: Final = IPV4_HEADER + TCP_HEADER

# segmentation type | version and header length, total length, fragment, protocol
_HEAD: Final = Struct("!xB8xBxH2xHxB")
# One packet in a row: type, length, IP header up to the checksum, transport header up to its
# checksum, and what follows it.
_TCP_SINGLE: Final = Struct(f"!BH10s10x16s2x{PLAINTEXT - 41}s")
_UDP_SINGLE: Final = Struct(f"!BH10s10x6s2x{PLAINTEXT - 31}s")
# protocol: least length, packer, offset of the checksum in the read
_SINGLES: Final = {
    TCP: (IPV4_HEADER + TCP_HEADER, _TCP_SINGLE.pack_into, _L4 + 16),
    UDP: (UDP_HEADERS, _UDP_SINGLE.pack_into, _L4 + 6),
}
# service, identification, (fragment, time to live, protocol), ports, sequence,
# (acknowledgement, offset and flags, window)
_TCP_SUPER: Final = Struct("!11xB2xH4s10x4sI8s")
_UDP_SUPER: Final = Struct("!11xB2xH4s10x4s")
_ZEROS: Final = bytes(10)
_FLAGS_AT: Final = CONTENT_AT + IPV4_HEADER + 13
_SEGMENT_SIZE: Final = Struct("<4xH")


class Splitter:
    """Cuts what one tun read returned; counts what it does not carry."""

    __slots__ = ("drops",)

    def __init__(self) -> None:
        self.drops = new_drops()

    def rows(self, packet: bytearray, size: int) -> int:
        """How many rows a read of `size` bytes will take; 1 for what split will refuse."""
        segment: int = _SEGMENT_SIZE.unpack_from(packet)[0]
        if not packet[1] or not segment or size < _L4:
            return 1
        headers = UDP_HEADERS
        if packet[1] == GSO_TCP4:
            headers = IPV4_HEADER + (packet[_L4 + 12] >> 4) * 4
        return max(1, (size - _IP - headers + segment - 1) // segment)

    def split(self, packet: bytearray, size: int, plain: Plaintexts, at: int, skip: int = 0) -> int:
        """Write a tun read of `size` bytes into rows from `at` on; how many, 0: dropped.

        Of more segments than there is room for, those that fit are written; `skip` leaves out
        the ones that were.
        """
        offload, version, total, fragment, protocol = _HEAD.unpack_from(packet)
        if version != VERSION_AND_LENGTH or not IPV4_HEADER <= total == size - _IP:
            return self._refuse(version, size)
        if offload:
            return self._segment(packet, total, plain, at, skip)
        if total > MAX_CONTENT or at >= ROWS:
            return self._drop("too-long" if total > MAX_CONTENT else "no-room")
        single = _SINGLES.get(protocol)
        if single is None or fragment & FRAGMENTED:
            return self._odd(packet, size, plain, at)
        shortest, pack_into, checksum_at = single
        if total < shortest:
            return self._drop("bad-length")
        pack_into(
            plain.buffer,
            at * PLAINTEXT,
            TYPE_PACKET,
            total,
            packet[_IP : _IP + 10],
            packet[_L4:checksum_at],
            packet[checksum_at + 2 : size],
        )
        return 1

    def _segment(self, packet: bytearray, total: int, plain: Plaintexts, at: int, skip: int) -> int:
        """The kernel left the cutting to us; it offers only what drivers/tun.py asked for."""
        _, offload, _, segment, _, _ = VNET.unpack_from(packet)
        _, _, _, fragment, protocol = _HEAD.unpack_from(packet)
        if offload == GSO_TCP4 and protocol == TCP and total > _TCP_HEADERS:
            headers = IPV4_HEADER + (packet[_L4 + 12] >> 4) * 4
            cut = self._tcp
        elif offload == GSO_UDP and protocol == UDP:
            headers = UDP_HEADERS
            cut = self._udp
        else:
            return self._drop("bad-segment-size")
        if fragment & FRAGMENTED or not segment or headers + segment > MAX_CONTENT:
            return self._drop("bad-segment-size")
        if not headers < total or (protocol == TCP and headers < _TCP_HEADERS):
            return self._drop("bad-length")
        begin = headers + skip * segment
        end = min(total, begin + (ROWS - at) * segment)
        if begin >= end:
            return self._drop("no-room")
        # The last flags go with the last bytes, and what is first is said of the first ones only.
        last = PSH | FIN if end == total else 0
        marks = last if skip else last | CWR
        part = memoryview(packet)[_IP + begin : _IP + end]
        return cut(packet, part, segment, plain, at, skip, marks)

    def _tcp(
        self,
        packet: bytearray,
        part: memoryview,
        segment: int,
        plain: Plaintexts,
        at: int,
        skip: int,
        marks: int,
    ) -> int:
        service, identity, middle, ports, sequence, state = _TCP_SUPER.unpack_from(packet)
        flow = middle + _ZEROS + ports
        flags = state[5]
        state = state[:5] + bytes((flags & ~(CWR | PSH | FIN),)) + state[6:]
        headers = IPV4_HEADER + (packet[_L4 + 12] >> 4) * 4
        tail = packet[_L4 + 18 : _IP + headers]
        head = row_head(headers + segment, service)
        full, rest = divmod(len(part), segment)
        end = full * segment
        identity = (identity + skip) & IDENTITY_MASK
        sequence = (sequence + skip * segment) & SEQUENCE_MASK
        buffer = plain.buffer
        pack_into = tcp_row(headers, segment).pack_into
        offset = at * PLAINTEXT
        for (payload,) in chunks(segment).iter_unpack(part[:end]):
            pack_into(buffer, offset, head, identity, flow, sequence, state, tail, payload)
            offset += PLAINTEXT
            identity = (identity + 1) & IDENTITY_MASK
            sequence = (sequence + segment) & SEQUENCE_MASK
        if rest:
            head = row_head(headers + rest, service)
            payload = bytes(part[end:])
            pack_into(buffer, offset, head, identity, flow, sequence, state, tail, payload)
            offset += PLAINTEXT
        flags &= marks
        buffer[at * PLAINTEXT + _FLAGS_AT] |= flags & CWR
        buffer[offset - PLAINTEXT + _FLAGS_AT] |= flags & (PSH | FIN)
        return offset // PLAINTEXT - at

    def _udp(
        self,
        packet: bytearray,
        part: memoryview,
        segment: int,
        plain: Plaintexts,
        at: int,
        skip: int,
        marks: int,
    ) -> int:
        service, identity, middle, ports = _UDP_SUPER.unpack_from(packet)
        flow = middle + _ZEROS + ports
        head = row_head(UDP_HEADERS + segment, service)
        length = UDP_HEADER + segment
        full, rest = divmod(len(part), segment)
        end = full * segment
        identity = (identity + skip) & IDENTITY_MASK
        buffer = plain.buffer
        pack_into = udp_row(segment).pack_into
        offset = at * PLAINTEXT
        for (payload,) in chunks(segment).iter_unpack(part[:end]):
            pack_into(buffer, offset, head, identity, flow, length, payload)
            offset += PLAINTEXT
            identity = (identity + 1) & IDENTITY_MASK
        if rest:
            head = row_head(UDP_HEADERS + rest, service)
            payload = bytes(part[end:])
            pack_into(buffer, offset, head, identity, flow, UDP_HEADER + rest, payload)
            offset += PLAINTEXT
        return offset // PLAINTEXT - at

    def _odd(self, packet: bytearray, size: int, plain: Plaintexts, at: int) -> int:
        flags, _, _, _, start, field = VNET.unpack_from(packet)
        whole = packet[_IP:size]
        if flags & NEEDS_CHECKSUM:
            # The field holds the sum over the pseudo header: fill it in, as nobody else will.
            if start + field + 2 > len(whole):
                return self._drop("bad-length")
            value = checksum(whole[start:])
            whole[start + field : start + field + 2] = value.to_bytes(2, "big")
        carried = without_addresses(whole)
        if carried is None:
            return self._drop("icmp")
        plain.put(at, TYPE_PACKET, carried)
        return 1

    def _refuse(self, version: int, size: int) -> int:
        if size < _L4 or version >> 4 != VERSION_AND_LENGTH >> 4:
            return self._drop("not-ipv4")
        return self._drop("bad-length" if version == VERSION_AND_LENGTH else "ip-options")

    def _drop(self, reason: str) -> int:
        self.drops[reason] += 1
        return 0
