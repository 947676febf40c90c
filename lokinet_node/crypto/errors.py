"""The one error of this room: a key, point, tag or ciphertext that does not hold."""

from __future__ import annotations

from lokinet_node.base.errors import LokinetError


class CryptoError(LokinetError):
    """A check of a primitive failed; the text never holds key material."""
