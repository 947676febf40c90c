"""The other end's view of an address: a STUN answer (RFC 8489), nothing else of it. Pure.

Lokinet's ends see each other at addresses of their own choice, as behind a NAT that keeps ports. A
SIP phone writes its address into what it sends; it learns the right one by asking who sees it.
"""

from __future__ import annotations

import struct
from ipaddress import IPv4Address

__all__ = ["answer"]

COOKIE = 0x2112A442
BINDING_REQUEST, BINDING_SUCCESS = 0x0001, 0x0101
XOR_MAPPED_ADDRESS = 0x0020
IPV4 = 1
HEADER = struct.Struct("!HHI12s")
MAPPED = struct.Struct("!HHxBHI")
MAPPED_BYTES = 8


def answer(request: bytes, address: str, port: int) -> bytes | None:
    """What to send back to whoever asked from there; None if that is no question."""
    if len(request) < HEADER.size:
        return None
    kind, length, cookie, transaction = HEADER.unpack_from(request)
    is_whole = length == len(request) - HEADER.size and length % 4 == 0
    if kind != BINDING_REQUEST or cookie != COOKIE or not is_whole:
        return None
    seen = int(IPv4Address(address)) ^ COOKIE
    body = MAPPED.pack(XOR_MAPPED_ADDRESS, MAPPED_BYTES, IPV4, port ^ (COOKIE >> 16), seen)
    return HEADER.pack(BINDING_SUCCESS, len(body), COOKIE, transaction) + body
