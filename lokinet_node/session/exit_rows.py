"""Hot: records of an exit: packets of which one end is on the internet (docs/wire.md, section 8).

The splitter has made rows of one tun read, both addresses zero; they become records of type 3 by
writing the type and the address that is kept into all of them at once. At the other end rows of
one flow are found as runs, which are judged once, and merged like any others.

1. To the exit the destination is kept, from the exit the source. The other address is zero, and
   whatever a peer puts there is not read: it comes from the session.
2. A source that is zero is the exit itself: an ICMP error of its kernel about a packet of ours.
3. An ICMP error also keeps the quoted address of the same end, so that errors of routers on the
   way, and of those only, are told from errors of the destination.
"""

from __future__ import annotations

from itertools import pairwise
from struct import Struct
from typing import Final, NamedTuple

from lokinet_node.burst import ROWS
from lokinet_node.session.packet_addresses import (
    SOURCE,
    is_error,
    quoted_address,
    quoted_at,
)
from lokinet_node.session.packets import VNET_HEADER
from lokinet_node.session.plaintexts import CONTENT_AT, PLAINTEXT, TYPE_EXIT4, Plaintexts
from lokinet_node.wire.ip import ICMP, IPV4_HEADER

NOBODY: Final = bytes(4)
"""The address that is not kept; as a kept source: the exit itself."""

_TYPES: Final = tuple(bytes((TYPE_EXIT4,)) * count for count in range(ROWS + 1))
_PROTOCOL: Final = VNET_HEADER + 9
# fragment, time to live, protocol, checksum (zero), addresses, and the first four bytes
# after the header: ports. One piece, for it is compared row by row and looked into once a run.
_FLOW: Final = Struct(f"!9x18s{PLAINTEXT - CONTENT_AT - IPV4_HEADER - 4}x")
_PARTS: Final = Struct("!HxB2x4s4s4s")


class ExitRun(NamedTuple):
    """Consecutive rows of one flow."""

    first: int
    rows: int
    kind: int
    fragment: int
    """Flags and offset as the IPv4 header has them."""
    protocol: int
    source: bytes
    destination: bytes
    ports: bytes
    """Source and destination port, for protocols that have them."""


def keep_address(plain: Plaintexts, first: int, count: int, read: bytearray, kept: int) -> None:
    """Make `count` rows records of an exit that keep SOURCE or DESTINATION.

    `read` is the tun read (virtio header and packet) that the splitter made these rows of.
    """
    buffer = plain.buffer
    start, end = first * PLAINTEXT, (first + count) * PLAINTEXT
    address = read[VNET_HEADER + kept : VNET_HEADER + kept + 4]
    buffer[start:end:PLAINTEXT] = _TYPES[count]
    at = start + CONTENT_AT + kept
    if count == 1:
        buffer[at : at + 4] = address
        if read[_PROTOCOL] == ICMP:
            _keep_quote(plain, first, read, kept)
        return
    for byte in range(4):
        buffer[at + byte : end : PLAINTEXT] = address[byte : byte + 1] * count


def own_error(plain: Plaintexts, row: int, read: bytearray) -> None:
    """Make a row a record of an error that the exit's kernel sent in its own name."""
    keep_address(plain, row, 1, read, SOURCE)
    at = row * PLAINTEXT + CONTENT_AT + SOURCE
    plain.buffer[at : at + 4] = NOBODY


def is_about_others(read: bytearray, size: int, own: bytes) -> bool:
    """Whether a tun read is an ICMP error quoting a packet to somebody else than `own`."""
    packet = memoryview(read)[VNET_HEADER:size]
    return is_error(packet) and quoted_address(packet, SOURCE) != own


def exit_runs(plain: Plaintexts, first: int, count: int) -> list[ExitRun]:
    """The flows in `count` rows from `first` on, rows of other types among them, in order."""
    view = plain.view[first * PLAINTEXT : (first + count) * PLAINTEXT]
    kinds = bytes(view[::PLAINTEXT])
    flows = list(_FLOW.iter_unpack(view))
    starts = [0] if count else []
    if count and (kinds.count(kinds[0]) < count or flows.count(flows[0]) < count):
        rows = range(1, count)
        starts += [
            row for row in rows if flows[row] != flows[row - 1] or kinds[row] != kinds[row - 1]
        ]
    return [
        ExitRun(first + start, end - start, kinds[start], *_PARTS.unpack(flows[start][0]))
        for start, end in pairwise([*starts, count])
    ]


def quoted_destination(plain: Plaintexts, row: int) -> bytes | None:
    """Whom the packet went to that an ICMP error for its sender quotes in this row; None: no error.

    The error's source is kept, and the quoted packet went the other way.
    """
    content = plain.content(row)
    if content is None or not is_error(content):
        return None
    return quoted_address(content, SOURCE)


def _keep_quote(plain: Plaintexts, row: int, read: bytearray, kept: int) -> None:
    content = plain.content(row)
    if content is not None and is_error(content):
        at = quoted_at(kept)
        content[at : at + 4] = read[VNET_HEADER + at : VNET_HEADER + at + 4]
