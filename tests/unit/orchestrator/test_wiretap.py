"""Frames of a tun and of a link, taken apart."""

from __future__ import annotations

import socket
import struct
from ipaddress import IPv4Address

from orchestrator.checks.wiretap import ETHERNET, VIRTIO_HEADER, Wiretap

PORT = 64738
NOT_JOINED = VIRTIO_HEADER.pack(0, 0, 0, 0, 0, 0)


def packet(protocol: int, source: int, target: int, payload: bytes) -> bytes:
    """IPv4 from 10.0.0.1 to 10.0.0.2 with ports."""
    ports = struct.pack("!HH", source, target)
    udp = ports + struct.pack("!HH", 8 + len(payload), 0)
    tcp = ports + bytes(8) + b"\x50" + bytes(7)
    body = (udp if protocol == socket.IPPROTO_UDP else tcp) + payload
    header = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(body), 0, 0, 64, protocol, 0)
    return header + IPv4Address("10.0.0.1").packed + IPv4Address("10.0.0.2").packed + body


def taken(*frames: bytes, link_header: int = 0) -> Wiretap:
    ours, theirs = socket.socketpair()
    theirs.close()
    tap = Wiretap(ours, PORT, link_header=link_header)
    for number, frame in enumerate(frames):
        tap._take(number, frame)
    tap.close()
    return tap


def test_both_directions_are_told_apart_and_the_peer_is_whoever_is_not_the_server() -> None:
    there = packet(socket.IPPROTO_UDP, 5000, PORT, b"voice")
    back = packet(socket.IPPROTO_UDP, PORT, 5000, b"more")
    tap = taken(NOT_JOINED + there, NOT_JOINED + back)
    assert [(seen.is_to_server, seen.peer, seen.payload) for seen in tap.datagrams] == [
        (True, "10.0.0.1", b"voice"),
        (False, "10.0.0.2", b"more"),
    ]


def test_joined_datagrams_are_taken_apart() -> None:
    joined = VIRTIO_HEADER.pack(0, 5, 28, 3, 0, 0)
    tap = taken(joined + packet(socket.IPPROTO_UDP, 5000, PORT, b"abcdefgh"))
    assert [seen.payload for seen in tap.datagrams] == [b"abc", b"def", b"gh"]


def test_of_tcp_the_payload_is_counted() -> None:
    tap = taken(NOT_JOINED + packet(socket.IPPROTO_TCP, 5000, PORT, b"control"))
    assert (tap.tcp_bytes, tap.datagrams) == ({("10.0.0.1", True): 7}, [])


def test_a_link_has_a_header_of_its_own() -> None:
    frame = NOT_JOINED + bytes(ETHERNET) + packet(socket.IPPROTO_UDP, 5000, PORT, b"voice")
    assert [seen.payload for seen in taken(frame, link_header=ETHERNET).datagrams] == [b"voice"]


def test_other_ports_and_other_protocols_are_nobodys_business() -> None:
    other = packet(socket.IPPROTO_UDP, 5000, 53, b"question")
    ipv6 = b"\x60" + bytes(60)
    arp = bytes(ETHERNET) + b"\x00\x01" + bytes(26)
    tap = taken(NOT_JOINED + other, NOT_JOINED + ipv6)
    assert (tap.datagrams, tap.tcp_bytes) == ([], {})
    assert taken(NOT_JOINED + arp, link_header=ETHERNET).datagrams == []
