"""Slow and obvious twins of splitting and merging, on scapy: what the kernel does around a tun."""

from __future__ import annotations

from struct import pack, unpack_from
from typing import Any

from scapy.layers.inet import ICMP, IP, TCP, UDP
from scapy.packet import Raw

from lokinet_node.session.plaintexts import PLAINTEXT, Plaintexts
from lokinet_node.session.split import TUN_READ

ALICE = "10.0.0.1"
WEB = "10.0.0.2"
"""As alice's node maps it."""
SERVER = "172.16.0.1"
GUEST = "172.16.0.9"
"""Alice, as the server's node maps her."""

TIMESTAMPS = [("NOP", None), ("NOP", None), ("Timestamp", (7, 8))]
GSO_TCP4, GSO_UDP = 1, 5


def address(text: str) -> bytes:
    return bytes(map(int, text.split(".")))


def tun_read(packet: bytes, kind: int = 0, segment: int = 0) -> tuple[bytearray, int]:
    """A buffer as one tun read leaves it, and the size of the read."""
    at = {6: 16, 17: 6}.get(packet[9], 0)
    read = pack("<BBHHHH", bool(at), kind, 0, segment, 20 if at else 0, at) + packet
    return bytearray(read.ljust(TUN_READ, b"\xcc")), len(read)


def cut(packet: bytes, segment: int) -> list[bytes]:
    """Every segment as a packet of its own, checksums filled in."""
    whole: Any = IP(packet)
    transport = whole.payload
    payload = bytes(transport.payload)
    pieces = [payload[i : i + segment] for i in range(0, len(payload), segment)]
    cuts = []
    for number, piece in enumerate(pieces):
        one = transport.copy()
        one.remove_payload()
        if isinstance(one, TCP):
            one.seq = (transport.seq + number * segment) % (1 << 32)
            flags = int(transport.flags)
            flags &= ~0x80 if number else 0xFF
            flags &= ~0x09 if number < len(pieces) - 1 else 0xFF
            one.flags = flags
        header = whole.copy()
        header.remove_payload()
        header.id = (whole.id + number) % (1 << 16)
        cuts.append(fresh(header / one / Raw(piece)))
    return cuts


def fresh(packet: Any) -> bytes:
    """Bytes of a scapy packet with lengths and checksums computed anew."""
    packet = packet.copy()
    for layer in (IP, TCP, UDP, ICMP):
        if packet.haslayer(layer):
            for name in ("chksum", "len"):
                if name in packet[layer].fields:
                    packet[layer].delfieldval(name)
    return bytes(packet)


def readdress(packet: bytes, source: str, destination: str) -> bytes:
    """The packet with other addresses and right checksums."""
    whole: Any = IP(packet)
    whole.src = source
    whole.dst = destination
    return fresh(whole)


def bare(packet: bytes) -> bytes:
    """What a row holds of a TCP or UDP packet: no addresses, no checksums."""
    at = {6: 36, 17: 26}[packet[9]]
    return packet[:10] + bytes(10) + packet[20:at] + bytes(2) + packet[at + 2 :]


def row_of(packet: bytes) -> bytes:
    return (b"\x01" + pack("!H", len(packet)) + packet).ljust(PLAINTEXT, b"\0")


def fill(plain: Plaintexts, packets: list[bytes]) -> None:
    """Rows as they come from a peer; `packets` are bare."""
    for number, packet in enumerate(packets):
        plain.rows[number][:] = row_of(packet)


def received(write: bytes) -> list[bytes]:
    """What the kernel makes of one tun write: checksum completed, then segmented."""
    flags, kind, header, segment, start, field = unpack_from("<BBHHHH", write)
    packet = bytearray(write[10:])
    assert int.from_bytes(packet[2:4], "big") == len(packet)
    if flags:
        at = start + field
        pseudo = bytes(packet[12:20]) + pack("!HH", packet[9], len(packet) - 20)
        assert int.from_bytes(packet[at : at + 2], "big") == folded(pseudo)
        packet[at : at + 2] = b"\0\0"
    assert folded(bytes(packet[:20])) == 0xFFFF
    if not kind:
        assert header == segment == 0
        return [fresh(IP(bytes(packet)))] if flags else [bytes(packet)]
    assert (kind, packet[9], flags) in {(GSO_TCP4, 6, 1), (GSO_UDP, 17, 1)}
    assert header == 20 + ((packet[32] >> 4) * 4 if kind == GSO_TCP4 else 8)
    assert len(packet) - header > segment
    return cut(bytes(packet), segment)


def folded(data: bytes) -> int:
    """Sum of 16-bit words with the carries added in, word by word."""
    total = 0
    data += bytes(len(data) % 2)
    for at in range(0, len(data), 2):
        total += int.from_bytes(data[at : at + 2], "big")
        total = (total & 0xFFFF) + (total >> 16)
    return total
