"""Questions for other resolvers: what is sent, and which answer is believed.

Rules: the question goes out as it came, under a number of our own and from a random port; an
answer counts only with that number and that question in it; an answer that points into the
tun's range or at a private network is not passed on, since a page elsewhere could use it to
reach what only this host may reach.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from lokinet_node.base.errors import WireError
from lokinet_node.dns.message import HEADER_SIZE, Query, addresses_in

if TYPE_CHECKING:
    from lokinet_node.base.entropy import Entropy
    from lokinet_node.dns.inside import Inside

ID_SIZE = 2


def encode_forward(query: Query, entropy: Entropy) -> bytes:
    """The question as it came, under a random number."""
    return entropy(ID_SIZE) + query.raw[ID_SIZE:]


def decode_forwarded(query: Query, sent: bytes, received: bytes, inside: Inside) -> bytes | None:
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
    if any(map(inside.holds, addresses_in(received))):
        return None
    return query.raw[:ID_SIZE] + received[ID_SIZE:]
