"""Two ends of one link's keys, ready to seal and open, without the handshake that makes them."""

from __future__ import annotations

import os
from dataclasses import dataclass

from lokinet_node.base.ids import LinkKey
from lokinet_node.base.units import HOUR
from lokinet_node.link.keypair import Ends, HandshakeKeys, Keypair


@dataclass(frozen=True, slots=True)
class LinkPair:
    """What `ours` seals `theirs` opens, and the other way round."""

    ours: Keypair
    theirs: Keypair


def keypairs() -> LinkPair:
    """Fresh keys."""
    one, other = os.urandom(32), os.urandom(32)
    return LinkPair(
        Keypair(_ends(1, 2), HandshakeKeys(one, other), HOUR),
        Keypair(_ends(2, 1), HandshakeKeys(other, one), HOUR),
    )


def _ends(local: int, remote: int) -> Ends:
    return Ends(
        peer=LinkKey(bytes(32)),
        address=("127.0.0.1", 9),
        local_index=local,
        remote_index=remote,
        local_boot=b"",
        peer_boot=b"",
        initiated=local == 1,
        claims_router=True,
        born=0,
    )
