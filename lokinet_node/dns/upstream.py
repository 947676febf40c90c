"""Questions for other resolvers: what is sent, and which answer is believed.

Rules: the question goes out as it came, under a number of our own and from a random port; an
answer counts only with that number and that question in it; an answer that points into the
tun's range or at a private network is not passed on, since a page elsewhere could use it to
reach what only this host may reach.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from lokinet_node.base.addresses import Range, parse_range
from lokinet_node.base.errors import WireError
from lokinet_node.dns.message import HEADER_SIZE, Query, addresses_in

if TYPE_CHECKING:
    from lokinet_node.base.entropy import Entropy

ID_SIZE = 2

_PRIVATE = tuple(
    map(
        parse_range,
        (
            "0.0.0.0/8",
            "10.0.0.0/8",
            "100.64.0.0/10",
            "127.0.0.0/8",
            "169.254.0.0/16",
            "172.16.0.0/12",
            "192.168.0.0/16",
        ),
    )
)
"""What nobody outside may name; documentation ranges stay, a testnet's clearnet uses them."""

_MAPPED = bytes(10) + b"\xff\xff"
"""Prefix of IPv4 addresses written as IPv6."""


def encode_forward(query: Query, entropy: Entropy) -> bytes:
    """The question as it came, under a random number."""
    return entropy(ID_SIZE) + query.raw[ID_SIZE:]


def decode_forwarded(
    query: Query, sent: bytes, received: bytes, tun_range: Range | None
) -> bytes | None:
    """The answer under the asker's number; None for one that must not be passed on.

    WireError for a datagram that is no answer to `sent`: wait for the real one.
    """
    if len(received) < HEADER_SIZE or received[:ID_SIZE] != sent[:ID_SIZE]:
        raise WireError("answer to another question")
    if not received[2] & 0x80:
        raise WireError("not an answer")
    # The question section starts behind the header and is never compressed.
    size = sum(len(label) + 1 for label in query.asked) + 1 + 4
    end = HEADER_SIZE + size
    if received[4:6] != sent[4:6] or received[HEADER_SIZE:end] != sent[HEADER_SIZE:end]:
        raise WireError("answer to another question")
    four, six = addresses_in(received)
    forbidden = _PRIVATE if tun_range is None else (*_PRIVATE, tun_range)
    if any(ip in range_ for ip in four for range_ in forbidden):
        return None
    if any(_is_private_v6(address, forbidden) for address in six):
        return None
    return query.raw[:ID_SIZE] + received[ID_SIZE:]


def _is_private_v6(address: bytes, forbidden: tuple[Range, ...]) -> bool:
    """Unspecified, loopback, unique local, link local, or an IPv4 address that is private."""
    if address.startswith(_MAPPED):
        ip = int.from_bytes(address[len(_MAPPED) :], "big")
        return any(ip in range_ for range_ in forbidden)
    number = int.from_bytes(address, "big")
    return number <= 1 or address[0] & 0xFE == 0xFC or (number >> 118) == 0xFE80 >> 6
