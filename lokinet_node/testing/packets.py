"""IPv4 packets as a tun reads and writes them: built, and taken apart again, for tests."""

from __future__ import annotations

from dataclasses import dataclass
from struct import Struct
from typing import TYPE_CHECKING, Final

from lokinet_node.session.packets import NO_OFFLOAD, VNET_HEADER
from lokinet_node.wire.ip import (
    DONT_FRAGMENT,
    ECHO_REPLY,
    ECHO_REQUEST,
    ICMP,
    ICMP_HEADER,
    IPV4_HEADER,
    UDP,
    UDP_HEADER,
    VERSION_AND_LENGTH,
    checksum,
)

if TYPE_CHECKING:
    from lokinet_node.base.units import Micros

_IP: Final = Struct("!BBHHHBBH4s4s")
_UDP: Final = Struct("!HHHH")
_ICMP: Final = Struct("!BBHHH")
PORT: Final = 4000


@dataclass(frozen=True, slots=True)
class Delivered:
    """A packet that came out of a tun."""

    when: Micros
    source: bytes
    target: bytes
    protocol: int
    content: bytes
    """What follows the IPv4 header."""

    @property
    def payload(self) -> bytes:
        """What a UDP datagram or an ICMP query carries."""
        return self.content[UDP_HEADER:]


def ipv4(source: bytes, target: bytes, protocol: int, content: bytes) -> bytes:
    """A packet without options."""
    fields = (VERSION_AND_LENGTH, 0, IPV4_HEADER + len(content), 0, DONT_FRAGMENT, 64, protocol)
    check = checksum(_IP.pack(*fields, 0, source, target))
    return _IP.pack(*fields, check, source, target) + content


def udp(source: bytes, target: bytes, payload: bytes, port: int = PORT) -> bytes:
    """A UDP packet without a checksum, from and to the same port."""
    head = _UDP.pack(port, port, UDP_HEADER + len(payload), 0)
    return ipv4(source, target, UDP, head + payload)


def echo(source: bytes, target: bytes, payload: bytes, *, kind: int = ECHO_REQUEST) -> bytes:
    """An ICMP echo request, or the reply to one."""
    check = checksum(_ICMP.pack(kind, 0, 0, 1, 1) + payload)
    return ipv4(source, target, ICMP, _ICMP.pack(kind, 0, check, 1, 1) + payload)


def is_echo_request(packet: Delivered) -> bool:
    """Whether a kernel would answer this with an echo reply."""
    return (
        packet.protocol == ICMP
        and len(packet.content) >= ICMP_HEADER
        and packet.content[0] == ECHO_REQUEST
    )


def echo_reply(packet: Delivered) -> bytes:
    """What a kernel answers an echo request with."""
    return echo(packet.target, packet.source, packet.payload, kind=ECHO_REPLY)


def delivered(written: bytes | bytearray, when: Micros) -> Delivered:
    """Take apart what was written to a tun; AssertionError for a packet no kernel would take."""
    packet = bytes(written[VNET_HEADER:])
    version, _, length, _, _, _, protocol, _, source, target = _IP.unpack_from(packet)
    assert version == VERSION_AND_LENGTH, "a header without options"
    assert length == len(packet), "the length of the packet"
    assert checksum(packet[:IPV4_HEADER]) == 0, "the checksum of the header"
    return Delivered(when, source, target, protocol, packet[IPV4_HEADER:])


def read_of(packet: bytes) -> bytearray:
    """The packet as one read of a tun returns it."""
    return bytearray(NO_OFFLOAD + packet)
