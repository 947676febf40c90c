"""Inside a node: watch a link, both directions, and say at the end what was on it.

Usage: capture.py LINK PORT MARKER CHAIN; ends when its input does, and prints one JSON object:
- `sent`, `received`: datagrams of UDP PORT by the address of the other end;
- `sizes`: how many of them had which length;
- `marked`: frames that held MARKER;
- `chain`: frames of TCP to or from CHAIN, an address and port;
- `strangers`: frames that were none of these and no ARP, described and counted;
- `lost`: frames the kernel had no room for.

A burst crosses a veth in one piece. How it would be cut stands in the header that PACKET_VNET_HDR
puts before a frame (struct virtio_net_hdr; for UDP since Linux 6.2).
"""

from __future__ import annotations

import json
import select
import socket
import struct
import sys
from collections import Counter

SOL_PACKET = 263
PACKET_STATISTICS = 6
PACKET_VNET_HDR = 15
ETH_P_ALL = 0x0003
ETH_P_IP = 0x0800
ETH_P_ARP = 0x0806
OUTGOING = 4
GSO_NONE = 0
GSO_UDP_L4 = 5
ROOM = 8 << 20

VNET_HEADER = struct.Struct("=BBHHHH")  # flags, gso type, header length, gso size, checksum 2 × 2
STATISTICS = struct.Struct("=II")
ETHERNET = 14

link, port, marker = sys.argv[1], int(sys.argv[2]), sys.argv[3].encode()
chain_ip, chain_port = sys.argv[4].split(":")
chain = (socket.inet_aton(chain_ip), int(chain_port))
flows: dict[str, Counter[str]] = {"sent": Counter(), "received": Counter()}
sizes: Counter[int] = Counter()
strangers: Counter[str] = Counter()
marked = chain_frames = 0


def datagram_lengths(gso_type: int, gso_size: int, payload: int) -> list[int]:
    """The lengths of the datagrams a frame stands for."""
    if gso_type == GSO_NONE:
        return [payload]
    whole, rest = divmod(payload, gso_size)
    return [gso_size] * whole + [rest] * bool(rest)


def is_chains(packet: memoryview) -> bool:
    """Whether a packet of IPv4 is TCP with the chain at one end."""
    if packet[9] != socket.IPPROTO_TCP:
        return False
    ports = struct.unpack_from("!HH", packet, (packet[0] & 0x0F) * 4)
    return chain in ((bytes(packet[12:16]), ports[0]), (bytes(packet[16:20]), ports[1]))


def look(frame: memoryview, is_sent: bool) -> None:
    """Account for one frame, its vnet header in front."""
    _, gso_type, _, gso_size, _, _ = VNET_HEADER.unpack_from(frame)
    (kind,) = struct.unpack_from("!H", frame, VNET_HEADER.size + 12)
    packet = frame[VNET_HEADER.size + ETHERNET :]
    if kind == ETH_P_ARP:
        return
    if kind == ETH_P_IP and is_chains(packet):
        global chain_frames
        chain_frames += 1
        return
    if (
        kind != ETH_P_IP
        or packet[9] != socket.IPPROTO_UDP
        or gso_type not in (GSO_NONE, GSO_UDP_L4)
    ):
        protocol = packet[9] if kind == ETH_P_IP else None
        strangers[f"ethertype {kind:#06x}, protocol {protocol}, gso type {gso_type}"] += 1
        return
    header = (packet[0] & 0x0F) * 4
    ports = struct.unpack_from("!HH", packet, header)
    fragment = struct.unpack_from("!H", packet, 6)[0] & 0x3FFF
    if port not in ports or fragment:
        strangers[f"UDP ports {ports}, fragment {fragment:#06x}"] += 1
        return
    length = struct.unpack_from("!H", packet, 2)[0] - header - 8
    lengths = datagram_lengths(gso_type, gso_size, length)
    sizes.update(lengths)
    other = socket.inet_ntoa(packet[16:20] if is_sent else packet[12:16])
    flows["sent" if is_sent else "received"][other] += len(lengths)


with socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0) as tap:
    tap.setsockopt(SOL_PACKET, PACKET_VNET_HDR, 1)
    tap.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, ROOM)  # the system's limit, if less
    tap.bind((link, ETH_P_ALL))
    tap.setblocking(False)
    buffer = bytearray(1 << 17)
    print("ready", flush=True)
    is_ending = False
    while True:
        watched = [tap] if is_ending else [tap, sys.stdin]
        readable, _, _ = select.select(watched, [], [], 0 if is_ending else None)
        if tap in readable:
            size, address = tap.recvfrom_into(buffer)
            marked += buffer.find(marker, 0, size) >= 0
            look(memoryview(buffer)[:size], address[2] == OUTGOING)
        elif is_ending:
            break
        is_ending = is_ending or sys.stdin in readable
    _, lost = STATISTICS.unpack(tap.getsockopt(SOL_PACKET, PACKET_STATISTICS, STATISTICS.size))
report = {**flows, "sizes": sizes, "marked": marked, "strangers": strangers, "lost": lost}
report["chain"] = chain_frames
print(json.dumps(report))
