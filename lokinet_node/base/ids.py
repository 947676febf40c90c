"""Identifiers: bytes and integers with a name, free at run time.

Lengths are checked once, by the decoder that makes the value; see docs/wire.md.
"""

from __future__ import annotations

from typing import NewType

from lokinet_node.base.base32z import encode_base32z

KEY_SIZE = 32

RouterID = NewType("RouterID", bytes)
"""32 bytes: the ed25519 identity of a router, shown as `<52>.snode`."""

LokiAddress = NewType("LokiAddress", bytes)
"""32 bytes: the ed25519 key of a client or service, shown as `<52>.loki`."""

LinkKey = NewType("LinkKey", bytes)
"""32 bytes: the x25519 static key of one end of a link."""

BlindedKey = NewType("BlindedKey", bytes)
"""32 bytes: an address blinded for one period, the key under which an introset is stored."""

PathID = NewType("PathID", int)
"""64 bits, random, chosen by the owner of a path; 0 is the link's own control."""

Handle = NewType("Handle", int)
"""64 bits, random, registered at a pivot; 0 is control between a path's owner and its end."""


def short(identity: bytes) -> str:
    """First 8 base32z characters of a key, for display."""
    return encode_base32z(identity[:5])
